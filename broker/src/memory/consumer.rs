//! Taking messages from the in-process broker, and answering them.
//!
//! Which message is next is decided in `state`; waiting for one is decided here.

use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use super::state::{Answer, Stored};
use crate::turns::Turns;
use crate::{Consumer, Delivery, Error};

/// A consumer of the in-process broker. Dropping it gives its unanswered messages back.
pub(super) struct MemoryConsumer {
    shared: Arc<Shared>,
    id: u64,
    turns: Turns,
    paused: bool,
}

impl MemoryConsumer {
    pub(super) fn new(shared: Arc<Shared>, queues: Vec<String>, prefetch: usize) -> Self {
        let turns = Turns::new(queues.len());
        let id = shared.state.lock().subscribe(queues, prefetch);
        Self { shared, id, turns, paused: false }
    }

    fn try_take(&mut self) -> Result<Option<MemoryDelivery>, Error> {
        let mut state = self.shared.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        state.settle();
        state.resume(self.id);
        let holding = state.holding(self.id).ok_or(Error::Closed)?;
        let Some(index) = self.turns.pick(|index| holding[index]) else { return Ok(None) };
        let taken = state.take(self.id, index);
        let (shared, consumer) = (self.shared.clone(), self.id);
        Ok(taken.map(|(tag, queue, stored)| MemoryDelivery { shared, consumer, tag, queue, stored }))
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Result<Box<dyn Delivery>, Error> {
        self.paused = false;
        let shared = self.shared.clone();
        loop {
            let mut changed = std::pin::pin!(shared.changed.notified());
            changed.as_mut().enable();
            if let Some(delivery) = self.try_take()? {
                return Ok(Box::new(delivery));
            }
            let due = shared.state.lock().next_due();
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, changed).await;
                }
                None => changed.await,
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
        self.shared.changed.notify_waiters();
    }
}

struct MemoryDelivery {
    shared: Arc<Shared>,
    consumer: u64,
    tag: u64,
    queue: String,
    stored: Stored,
}

impl MemoryDelivery {
    fn answer(&self, answer: Answer) -> Result<(), Error> {
        let outcome = self.shared.state.lock().answer(self.consumer, self.tag, answer);
        self.shared.changed.notify_waiters();
        outcome
    }
}

#[async_trait]
impl Delivery for MemoryDelivery {
    fn body(&self) -> &[u8] {
        &self.stored.message.body
    }

    fn queue(&self) -> &str {
        &self.queue
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
