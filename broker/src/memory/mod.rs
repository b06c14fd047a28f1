//! The broker in one process: queues in memory, with the same back-pressure, returns and
//! dead letters as a real one, and switches that make it fail on purpose.
//!
//! It starts no task or thread, draws nothing at random and knows no wall clock, so that
//! equal calls give equal answers, under tokio's paused clock too. Surviving a restart of
//! the process is left to the store, whose sweeper publishes what was lost.

mod consumer;
mod faults;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

pub use self::faults::{Arrival, Fate, Faults};
use self::state::{Limits, State};
use crate::{Broker, Consumer, DEAD_QUEUE, DELIVERY_LIMIT, Depth, Error, Message, Published, queues_and_lanes};

/// Settings of the in-process broker.
#[derive(Debug, Clone)]
pub struct MemoryOptions {
    /// Queues beyond io and cpu, such as `cap.gpu`. Consuming from a queue declares it too.
    pub extra_queues: Vec<String>,
    /// Messages one queue holds before publishing to it is refused.
    pub queue_length_max: usize,
    /// How often a message may come back before it is dead.
    pub delivery_limit: u32,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { extra_queues: Vec::new(), queue_length_max: 100_000, delivery_limit: DELIVERY_LIMIT }
    }
}

struct Shared {
    state: Mutex<State>,
    faults: Mutex<Option<Arc<dyn Faults>>>,
}

/// The in-process broker. Clones share their queues.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(MemoryOptions::default())
    }
}

impl Memory {
    /// An empty broker.
    pub fn new(options: MemoryOptions) -> Self {
        let limits = Limits { queue_length_max: options.queue_length_max, delivery_limit: options.delivery_limit };
        let queues = queues_and_lanes().chain(options.extra_queues);
        let state = Mutex::new(State::new(limits, queues));
        Self { shared: Arc::new(Shared { state, faults: Mutex::new(None) }) }
    }

    /// Lets `faults` decide what becomes of messages published from now on; `None` ends it.
    pub fn set_faults(&self, faults: Option<Arc<dyn Faults>>) {
        *self.shared.faults.lock() = faults;
    }

    /// As a memory alarm does: not ready, and publishing answers unknown.
    pub fn set_blocked(&self, blocked: bool) {
        self.change(|state| state.blocked = blocked);
    }

    /// Drops what waits in a queue; says how many messages that were.
    pub fn purge(&self, queue: &str) -> usize {
        self.change(|state| {
            state.settle();
            state.purge(queue)
        })
    }

    /// Deletes a queue with its messages; says whether it existed. The next consumer,
    /// publisher or depth that misses it declares it anew, and the incarnation rises.
    pub fn delete_queue(&self, queue: &str) -> bool {
        self.change(|state| state.delete(queue))
    }

    /// A restart that keeps what waits: unanswered deliveries come back, answering them fails.
    pub fn restart(&self) {
        self.change(State::restart);
    }

    /// A restart that loses every message, waiting or under way.
    pub fn forget_everything(&self) {
        self.change(State::forget);
    }

    /// A change after which whoever waits looks again.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.state.lock();
        let value = change(&mut state);
        state.wake_all();
        value
    }
}

#[async_trait]
impl Broker for Memory {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Published> {
        let faults = self.shared.faults.lock().clone();
        let mut state = self.shared.state.lock();
        let published = |message| {
            let fate = faults.as_ref().map(|faults| faults.fate(&message));
            state.publish(message, fate)
        };
        messages.into_iter().map(published).collect()
    }

    async fn consume(&self, queues: &[String], prefetch: u16) -> Result<Box<dyn Consumer>, Error> {
        if self.shared.state.lock().closed {
            return Err(Error::Closed);
        }
        let prefetch = usize::from(prefetch.max(1));
        Ok(Box::new(consumer::MemoryConsumer::new(self.shared.clone(), queues.to_vec(), prefetch)))
    }

    async fn consume_dead(&self) -> Result<Box<dyn Consumer>, Error> {
        self.consume(&[DEAD_QUEUE.to_owned()], crate::DEAD_PREFETCH).await
    }

    async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error> {
        let mut state = self.shared.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        state.settle();
        Ok(state.depth(queue))
    }

    fn incarnation(&self) -> u64 {
        self.shared.state.lock().incarnation
    }

    fn ready(&self) -> bool {
        let state = self.shared.state.lock();
        !state.closed && !state.blocked
    }

    async fn close(&self) {
        self.change(|state| state.closed = true);
    }
}
