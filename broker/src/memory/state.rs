//! The queues of the in-process broker: what waits, what is under way, what is dead.
//!
//! Bookkeeping, and whom a change wakes: consumers that found nothing, and only those for
//! whom there is something now. Waiting and locking are left to `memory` and
//! `memory::consumer`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::take;
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

/// A queue by its place among all.
type Place = usize;

#[derive(Debug)]
struct Queue {
    name: Arc<str>,
    ready: VecDeque<Stored>,
    consumers: BTreeSet<u64>,
    /// It was deleted, and nobody has missed it since.
    lost: bool,
}

/// What one consumer has.
#[derive(Debug)]
struct Subscriber {
    queues: Vec<Place>,
    prefetch: usize,
    unanswered: BTreeMap<u64, (Place, Stored)>,
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

    fn wake(&mut self) {
        if take(&mut self.waits) {
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
    /// Every queue there ever was.
    queues: Vec<Queue>,
    places: BTreeMap<Arc<str>, Place>,
    dead: Place,
    delayed: BTreeMap<(Instant, u64), (Place, Stored, usize)>,
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
            queues: Vec::new(),
            places: BTreeMap::new(),
            dead: 0,
            delayed: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            serial: 0,
            incarnation: 1,
            blocked: false,
            closed: false,
        };
        state.dead = state.declare(DEAD_QUEUE);
        for name in queues {
            state.declare(&name);
        }
        state
    }

    /// The place of a queue, which is made where there was none of that name.
    fn declare(&mut self, name: &str) -> Place {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let (place, name) = (self.queues.len(), Arc::<str>::from(name));
        let queue = Queue { name: name.clone(), ready: VecDeque::new(), consumers: BTreeSet::new(), lost: false };
        self.queues.push(queue);
        self.places.insert(name, place);
        place
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The place of a queue that is there. One that was lost is declared anew by being missed.
    fn there(&mut self, name: &str) -> Option<Place> {
        let place = *self.places.get(name)?;
        (!self.restore(place)).then_some(place)
    }

    /// Declares a lost queue anew; says whether it had to.
    fn restore(&mut self, place: Place) -> bool {
        let queue = &mut self.queues[place];
        if !take(&mut queue.lost) {
            return false;
        }
        let consumes = |subscriber: &Subscriber| subscriber.queues.contains(&place);
        let consumers = self.subscribers.iter().filter(|(_, subscriber)| consumes(subscriber));
        queue.consumers = consumers.map(|(id, _)| *id).collect();
        self.incarnation += 1;
        true
    }

    pub(super) fn publish(&mut self, message: Message, fate: Option<Fate>) -> Published {
        if self.closed || self.blocked {
            let why = if self.closed { "broker closed" } else { "broker blocked" };
            return Published::Unknown(why.to_owned());
        }
        let Some(place) = self.there(&message.queue) else { return Published::Unroutable };
        if self.queues[place].ready.len() >= self.limits.queue_length_max {
            return Published::Unknown("queue full".to_owned());
        }
        let fate = fate.unwrap_or_else(Fate::deliver);
        let message = Arc::new(message);
        for arrival in fate.arrivals {
            self.arrive(place, Stored { message: message.clone(), returns: 0 }, arrival);
        }
        if fate.confirmed { Published::Confirmed } else { Published::Unknown("fault injected".to_owned()) }
    }

    fn arrive(&mut self, place: Place, stored: Stored, arrival: Arrival) {
        if arrival.delay_ms > 0 {
            let at = Instant::now() + std::time::Duration::from_millis(arrival.delay_ms);
            let serial = self.next_serial();
            self.delayed.insert((at, serial), (place, stored, arrival.overtakes));
            // Whoever waits is to wait for this one too.
            self.wake_all();
        } else if let Some(queue) = self.queues.get_mut(place).filter(|queue| !queue.lost) {
            queue.ready.insert(queue.ready.len().saturating_sub(arrival.overtakes), stored);
            self.wake_for(place);
        }
    }

    /// Wakes whoever waits for a message of that queue and has room for it.
    fn wake_for(&mut self, place: Place) {
        for subscriber in self.subscribers.values_mut() {
            if subscriber.waits && subscriber.has_room() && subscriber.queues.contains(&place) {
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
            let (place, stored, overtakes) = entry.remove();
            self.arrive(place, stored, Arrival { delay_ms: 0, overtakes });
        }
    }

    /// When the next delayed message is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// A new consumer: its number, and what tells it to look again.
    pub(super) fn subscribe(&mut self, queues: Vec<String>, prefetch: usize) -> (u64, Arc<Notify>) {
        let id = self.next_serial();
        let queues = queues.iter().map(|name| self.declare(name)).collect();
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
        for place in subscriber.queues.clone() {
            self.restore(place);
            self.queues[place].consumers.insert(id);
        }
    }

    pub(super) fn pause(&mut self, id: u64) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.counted = false;
        }
        for queue in &mut self.queues {
            queue.consumers.remove(&id);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: u64) {
        self.pause(id);
        let Some(subscriber) = self.subscribers.remove(&id) else { return };
        for (place, stored) in subscriber.unanswered.into_values().rev() {
            self.requeue(place, stored);
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
        let holds = |index: usize| !queues[subscriber.queues[index]].ready.is_empty();
        let index = if subscriber.has_room() { turns.pick(holds) } else { None };
        let place = index.map(|index| subscriber.queues[index]);
        let found = place.and_then(|place| Some((place, queues[place].ready.pop_front()?)));
        subscriber.waits = found.is_none();
        Ok(found.map(|(place, stored)| {
            subscriber.unanswered.insert(tag, (place, stored.clone()));
            Taken { tag, queue: queues[place].name.clone(), stored }
        }))
    }

    pub(super) fn answer(&mut self, id: u64, tag: u64, answer: Answer) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let gone = || Error::Unavailable("the delivery's consumer is gone".to_owned());
        let subscriber = self.subscribers.get_mut(&id).ok_or_else(gone)?;
        let was_full = !subscriber.has_room();
        let (place, stored) = subscriber.unanswered.remove(&tag).ok_or_else(gone)?;
        if was_full {
            subscriber.wake();
        }
        match answer {
            Answer::Ack => {}
            Answer::GiveBack => self.requeue(place, stored),
            Answer::Reject => self.bury(place, stored),
        }
        Ok(())
    }

    /// To the front of its queue again, or to the dead letters when it came back too often.
    fn requeue(&mut self, place: Place, mut stored: Stored) {
        stored.returns += 1;
        if place != self.dead && stored.returns > self.limits.delivery_limit {
            return self.bury(place, stored);
        }
        let queue = &mut self.queues[place];
        if !queue.lost {
            queue.ready.push_front(stored);
            self.wake_for(place);
        }
    }

    fn bury(&mut self, place: Place, stored: Stored) {
        let dead = self.dead;
        let queue = &mut self.queues[dead];
        if place != dead && !queue.lost {
            queue.ready.push_back(Stored { returns: 0, ..stored });
            self.wake_for(dead);
        }
    }

    pub(super) fn depth(&mut self, name: &str) -> Option<Depth> {
        let place = self.there(name)?;
        let queue = &self.queues[place];
        Some(Depth { ready: queue.ready.len() as u64, consumers: queue.consumers.len() as u64 })
    }

    pub(super) fn purge(&mut self, name: &str) -> usize {
        self.places.get(name).map_or(0, |place| take(&mut self.queues[*place].ready).len())
    }

    pub(super) fn delete(&mut self, name: &str) -> bool {
        let place = self.places.get(name).copied();
        for subscriber in self.subscribers.values_mut() {
            subscriber.unanswered.retain(|_, (queue, _)| Some(*queue) != place);
            subscriber.counted = false;
        }
        let Some(queue) = place.and_then(|place| self.queues.get_mut(place)) else { return false };
        queue.ready.clear();
        queue.consumers.clear();
        !std::mem::replace(&mut queue.lost, true)
    }

    /// A crash of the broker that forgets everything not yet consumed.
    pub(super) fn forget(&mut self) {
        self.delayed.clear();
        for queue in &mut self.queues {
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
            for (place, stored) in take(&mut subscriber.unanswered).into_values().rev() {
                self.requeue(place, stored);
            }
        }
        self.incarnation += 1;
    }
}
