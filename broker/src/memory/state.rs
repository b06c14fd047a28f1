//! The queues of the in-process broker: what waits, what is under way, what is dead.
//!
//! Bookkeeping, and whom a change wakes: consumers that found nothing, and only those for
//! whom there is something now. Waiting and locking are left to `memory` and
//! `memory::consumer`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::faults::{Arrival, Fate};
use crate::turns::Turns;
use crate::{DEAD_QUEUE, Depth, Error, Message, Published};

/// A message in a queue or under way.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) message: Arc<Message>,
    /// How often it came back without an answer that ended it.
    pub(super) returns: u32,
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Stored>,
    consumers: BTreeSet<u64>,
}

/// What one consumer has.
#[derive(Debug)]
struct Subscriber {
    queues: Vec<Arc<str>>,
    prefetch: usize,
    unanswered: BTreeMap<u64, (Arc<str>, Stored)>,
    /// It found nothing the last time it looked.
    waits: bool,
    /// It is counted among the consumers of all its queues.
    counted: bool,
    wake: Arc<Notify>,
}

impl Subscriber {
    fn has_room(&self) -> bool {
        self.unanswered.len() < self.prefetch
    }

    fn consumes(&self, queue: &str) -> bool {
        self.queues.iter().any(|name| **name == *queue)
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.wake.notify_one();
        }
    }
}

/// A message that a consumer takes.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) tag: u64,
    pub(super) queue: Arc<str>,
    pub(super) stored: Stored,
}

/// Bounds of the queues.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) queue_length_max: usize,
    pub(super) delivery_limit: u32,
}

/// How a delivery was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Ack,
    GiveBack,
    Reject,
}

/// Everything the broker knows.
#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    known: BTreeSet<String>,
    queues: BTreeMap<String, Queue>,
    delayed: BTreeMap<(Instant, u64), (Stored, usize)>,
    subscribers: BTreeMap<u64, Subscriber>,
    serial: u64,
    pub(super) incarnation: u64,
    pub(super) blocked: bool,
    pub(super) closed: bool,
}

impl State {
    pub(super) fn new(limits: Limits, queues: impl IntoIterator<Item = String>) -> Self {
        let mut state = Self {
            limits,
            known: BTreeSet::from([DEAD_QUEUE.to_owned()]),
            queues: BTreeMap::new(),
            delayed: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            serial: 0,
            incarnation: 1,
            blocked: false,
            closed: false,
        };
        state.known.extend(queues);
        state.queues = state.known.iter().map(|name| (name.clone(), Queue::default())).collect();
        state
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Declares a lost queue anew; says whether it had to.
    fn restore(&mut self, name: &str) -> bool {
        if self.queues.contains_key(name) || !self.known.contains(name) {
            return false;
        }
        let consumers = self.subscribers.iter().filter(|(_, subscriber)| subscriber.consumes(name)).map(|(id, _)| *id);
        let queue = Queue { ready: VecDeque::new(), consumers: consumers.collect() };
        self.queues.insert(name.to_owned(), queue);
        self.incarnation += 1;
        true
    }

    pub(super) fn publish(&mut self, message: Message, fate: Option<Fate>) -> Published {
        if self.closed || self.blocked {
            let why = if self.closed { "broker closed" } else { "broker blocked" };
            return Published::Unknown(why.to_owned());
        }
        let Some(queue) = self.queues.get(&message.queue) else {
            self.restore(&message.queue);
            return Published::Unroutable;
        };
        if queue.ready.len() >= self.limits.queue_length_max {
            return Published::Unknown("queue full".to_owned());
        }
        let fate = fate.unwrap_or_else(Fate::deliver);
        let message = Arc::new(message);
        for arrival in fate.arrivals {
            self.arrive(Stored { message: message.clone(), returns: 0 }, arrival);
        }
        if fate.confirmed { Published::Confirmed } else { Published::Unknown("fault injected".to_owned()) }
    }

    fn arrive(&mut self, stored: Stored, arrival: Arrival) {
        if arrival.delay_ms > 0 {
            let at = Instant::now() + std::time::Duration::from_millis(arrival.delay_ms);
            let serial = self.next_serial();
            self.delayed.insert((at, serial), (stored, arrival.overtakes));
            // Whoever waits is to wait for this one too.
            self.wake_all();
        } else if let Some(queue) = self.queues.get_mut(&stored.message.queue) {
            let place = queue.ready.len().saturating_sub(arrival.overtakes);
            let message = stored.message.clone();
            queue.ready.insert(place, stored);
            self.wake_for(&message.queue);
        }
    }

    /// Wakes whoever waits for a message of that queue and has room for it.
    fn wake_for(&mut self, queue: &str) {
        for subscriber in self.subscribers.values_mut() {
            if subscriber.waits && subscriber.has_room() && subscriber.consumes(queue) {
                subscriber.wake();
            }
        }
    }

    /// Wakes whoever waits.
    pub(super) fn wake_all(&mut self) {
        self.subscribers.values_mut().for_each(Subscriber::wake);
    }

    /// Moves delayed messages that are due into their queues.
    pub(super) fn settle(&mut self) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > Instant::now() {
                return;
            }
            let (stored, overtakes) = entry.remove();
            self.arrive(stored, Arrival { delay_ms: 0, overtakes });
        }
    }

    /// When the next delayed message is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// A new consumer: its number, and what tells it to look again.
    pub(super) fn subscribe(&mut self, queues: Vec<String>, prefetch: usize) -> (u64, Arc<Notify>) {
        let id = self.next_serial();
        for name in &queues {
            self.known.insert(name.clone());
            self.queues.entry(name.clone()).or_default();
        }
        let queues = queues.into_iter().map(Arc::from).collect();
        let wake = Arc::new(Notify::new());
        let subscriber = Subscriber {
            queues,
            prefetch,
            unanswered: BTreeMap::new(),
            waits: false,
            counted: false,
            wake: wake.clone(),
        };
        self.subscribers.insert(id, subscriber);
        self.resume(id);
        (id, wake)
    }

    /// Counts the consumer among those of its queues again, declaring lost ones anew.
    fn resume(&mut self, id: u64) {
        let Some(subscriber) = self.subscribers.get_mut(&id).filter(|subscriber| !subscriber.counted) else { return };
        subscriber.counted = true;
        for name in subscriber.queues.clone() {
            self.restore(&name);
            if let Some(queue) = self.queues.get_mut(&*name) {
                queue.consumers.insert(id);
            }
        }
    }

    pub(super) fn pause(&mut self, id: u64) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.counted = false;
        }
        for queue in self.queues.values_mut() {
            queue.consumers.remove(&id);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: u64) {
        self.pause(id);
        let Some(subscriber) = self.subscribers.remove(&id) else { return };
        for (name, stored) in subscriber.unanswered.into_values().rev() {
            self.requeue(&name, stored);
        }
    }

    /// The next message for a consumer, by the turns of its queues. Without one it is
    /// woken once there may be.
    ///
    /// # Errors
    /// When the broker is closed.
    pub(super) fn next_for(&mut self, id: u64, turns: &mut Turns) -> Result<Option<Taken>, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        self.settle();
        self.resume(id);
        let tag = self.next_serial();
        let Self { subscribers, queues, .. } = self;
        let subscriber = subscribers.get_mut(&id).ok_or(Error::Closed)?;
        let holds = |name: &Arc<str>| queues.get(&**name).is_some_and(|queue| !queue.ready.is_empty());
        let any = subscriber.has_room() && queues.values().any(|queue| !queue.ready.is_empty());
        let index = if any { turns.pick(|index| holds(&subscriber.queues[index])) } else { None };
        let name = index.and_then(|index| subscriber.queues.get(index)).cloned();
        let found = name.and_then(|name| Some((queues.get_mut(&*name)?.ready.pop_front()?, name)));
        subscriber.waits = found.is_none();
        Ok(found.map(|(stored, queue)| {
            subscriber.unanswered.insert(tag, (queue.clone(), stored.clone()));
            Taken { tag, queue, stored }
        }))
    }

    pub(super) fn answer(&mut self, id: u64, tag: u64, answer: Answer) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let gone = || Error::Unavailable("the delivery's consumer is gone".to_owned());
        let subscriber = self.subscribers.get_mut(&id).ok_or_else(gone)?;
        let was_full = !subscriber.has_room();
        let (name, stored) = subscriber.unanswered.remove(&tag).ok_or_else(gone)?;
        if was_full {
            subscriber.wake();
        }
        match answer {
            Answer::Ack => {}
            Answer::GiveBack => self.requeue(&name, stored),
            Answer::Reject => self.bury(&name, stored),
        }
        Ok(())
    }

    /// To the front of its queue again, or to the dead letters when it came back too often.
    fn requeue(&mut self, name: &str, mut stored: Stored) {
        stored.returns += 1;
        if name != DEAD_QUEUE && stored.returns > self.limits.delivery_limit {
            return self.bury(name, stored);
        }
        if let Some(queue) = self.queues.get_mut(name) {
            queue.ready.push_front(stored);
            self.wake_for(name);
        }
    }

    fn bury(&mut self, name: &str, stored: Stored) {
        if name == DEAD_QUEUE {
            return;
        }
        if let Some(queue) = self.queues.get_mut(DEAD_QUEUE) {
            queue.ready.push_back(Stored { returns: 0, ..stored });
            self.wake_for(DEAD_QUEUE);
        }
    }

    pub(super) fn depth(&mut self, name: &str) -> Option<Depth> {
        if let Some(queue) = self.queues.get(name) {
            return Some(Depth { ready: queue.ready.len() as u64, consumers: queue.consumers.len() as u64 });
        }
        self.restore(name);
        None
    }

    pub(super) fn purge(&mut self, name: &str) -> usize {
        self.queues.get_mut(name).map_or(0, |queue| std::mem::take(&mut queue.ready).len())
    }

    pub(super) fn delete(&mut self, name: &str) -> bool {
        for subscriber in self.subscribers.values_mut() {
            subscriber.unanswered.retain(|_, (queue, _)| **queue != *name);
            subscriber.counted = false;
        }
        self.queues.remove(name).is_some()
    }

    /// A crash of the broker that forgets everything not yet consumed.
    pub(super) fn forget(&mut self) {
        self.delayed.clear();
        for queue in self.queues.values_mut() {
            queue.ready.clear();
        }
        for subscriber in self.subscribers.values_mut() {
            subscriber.unanswered.clear();
        }
        self.incarnation += 1;
    }

    /// A restart of the broker that keeps its messages: what was under way comes back.
    pub(super) fn restart(&mut self) {
        let ids: Vec<u64> = self.subscribers.keys().copied().collect();
        for id in ids {
            let Some(subscriber) = self.subscribers.get_mut(&id) else { continue };
            for (name, stored) in std::mem::take(&mut subscriber.unanswered).into_values().rev() {
                self.requeue(&name, stored);
            }
        }
        self.incarnation += 1;
    }
}
