//! Taking messages from the in-process broker, and answering them.
//!
//! Which message is next is decided in `state`; waiting for one is decided here.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shared;
use super::state::{Answer, Stored, Taken};
use crate::turns::Turns;
use crate::{Body, Consumer, Delivery, Error};

/// A consumer of the in-process broker. Dropping it gives its unanswered messages back.
pub(super) struct MemoryConsumer {
    shared: Arc<Shared>,
    id: u64,
    turns: Turns,
    wake: Arc<Notify>,
    paused: bool,
}

impl MemoryConsumer {
    pub(super) fn new(shared: Arc<Shared>, queues: Vec<String>, prefetch: usize) -> Self {
        let turns = Turns::new(&queues);
        let (id, wake) = shared.state.lock().subscribe(queues, prefetch);
        Self { shared, id, turns, wake, paused: false }
    }

    /// The next message, or when the next of those that are late is due.
    fn try_take(&mut self) -> Result<(Option<MemoryDelivery>, Option<Instant>), Error> {
        let mut state = self.shared.state.lock();
        let taken = state.next_for(self.id, &mut self.turns)?;
        let due = state.next_due();
        let (shared, consumer) = (self.shared.clone(), self.id);
        let delivery = |Taken { tag, queue, stored }| MemoryDelivery { shared, consumer, tag, queue, stored };
        Ok((taken.map(delivery), due))
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Result<Box<dyn Delivery>, Error> {
        self.paused = false;
        loop {
            // What is said between looking and waiting is kept for the wait.
            match self.try_take()? {
                (Some(delivery), _) => return Ok(Box::new(delivery)),
                (None, Some(due)) => drop(tokio::time::timeout_at(due, self.wake.notified()).await),
                (None, None) => self.wake.notified().await,
            }
        }
    }

    async fn pause(&mut self) -> Result<(), Error> {
        let mut state = self.shared.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        if !std::mem::replace(&mut self.paused, true) {
            state.pause(self.id);
        }
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.shared.state.lock().unsubscribe(self.id);
    }
}

struct MemoryDelivery {
    shared: Arc<Shared>,
    consumer: u64,
    tag: u64,
    queue: Arc<str>,
    stored: Stored,
}

impl MemoryDelivery {
    fn answer(&self, answer: Answer) -> Result<(), Error> {
        self.shared.state.lock().answer(self.consumer, self.tag, answer)
    }
}

impl Drop for MemoryDelivery {
    fn drop(&mut self) {
        // One that was answered is unknown by now.
        let _ = self.answer(Answer::GiveBack);
    }
}

#[async_trait]
impl Delivery for MemoryDelivery {
    fn body(&self) -> &Body {
        &self.stored.message.body
    }

    fn queue(&self) -> &str {
        &self.queue
    }

    fn traceparent(&self) -> Option<&str> {
        self.stored.message.traceparent.as_deref()
    }

    fn redelivered(&self) -> bool {
        self.stored.returns > 0
    }

    async fn ack(self: Box<Self>) -> Result<(), Error> {
        self.answer(Answer::Ack)
    }

    async fn give_back(self: Box<Self>) -> Result<(), Error> {
        self.answer(Answer::GiveBack)
    }

    async fn reject(self: Box<Self>) -> Result<(), Error> {
        self.answer(Answer::Reject)
    }
}
