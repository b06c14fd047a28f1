//! Handing out messages of RabbitMQ, and answering them.
//!
//! Keeping them coming is left to `subscription`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use lapin::types::AMQPValue;
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use super::inbox::{Found, Inbox, Standing};
use crate::{Body, Consumer, Delivery, Error, TRACEPARENT};

/// How long a pause may take before the connection counts as broken.
const PAUSE_PATIENCE: Duration = Duration::from_secs(10);

/// A consumer of RabbitMQ. Dropping it closes its channel, which gives back what it had.
pub(super) struct RabbitConsumer {
    pub(super) inbox: Arc<Inbox>,
    pub(super) queues: Arc<[String]>,
    pub(super) _stop: DropGuard,
}

impl RabbitConsumer {
    /// Waits until the broker sends, or patience ends.
    pub(super) async fn subscribed(&self, patience: Duration) {
        let sends = || (self.inbox.standing() == Standing::Subscribed || self.inbox.is_closed()).then_some(());
        let _ = timeout(patience, self.inbox.until(sends)).await;
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Result<Box<dyn Delivery>, Error> {
        let found = || match self.inbox.take() {
            Found::Closed => Some(Err(Error::Closed)),
            Found::Nothing => None,
            Found::Message { index, mut delivery, session } => {
                let body = std::mem::take(&mut delivery.data).into();
                let (inbox, queues) = (self.inbox.clone(), self.queues.clone());
                let delivery = RabbitDelivery { inbox, queues, index, session, delivery, body };
                Some(Ok(Box::new(delivery) as Box<dyn Delivery>))
            }
        };
        self.inbox.until(found).await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.inbox.rest();
        let paused = || match (self.inbox.is_closed(), self.inbox.standing()) {
            (true, _) => Some(Err(Error::Closed)),
            (false, Standing::Subscribed) => None,
            // Without a channel the broker has everything back already.
            (false, Standing::Paused | Standing::Away) => Some(Ok(())),
        };
        let late = |_| Error::Unavailable("no answer to a pause".to_owned());
        timeout(PAUSE_PATIENCE, self.inbox.until(paused)).await.map_err(late)?
    }
}

struct RabbitDelivery {
    inbox: Arc<Inbox>,
    queues: Arc<[String]>,
    index: usize,
    session: u64,
    /// Without its data, which is the body.
    delivery: Box<lapin::message::Delivery>,
    body: Body,
}

impl Drop for RabbitDelivery {
    fn drop(&mut self) {
        let acker = &self.delivery.acker;
        // Nobody answers it any more: the subscription gives it back.
        self.inbox.leave(self.session, acker.usable().then(|| acker.clone()));
    }
}

impl RabbitDelivery {
    /// Answers the delivery. What the driver is told just as its connection ends it keeps for
    /// ever: nobody waits longer than until the delivery is the broker's again.
    async fn answer(&self, answering: impl Future<Output = lapin::Result<bool>>) -> Result<(), Error> {
        let outcome = tokio::select! {
            biased;
            outcome = answering => outcome,
            () = self.inbox.over(self.session) => Ok(false),
        };
        match outcome {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Unavailable("the delivery's channel is gone".to_owned())),
            Err(error) => Err(Error::Unavailable(error.to_string())),
        }
    }
}

#[async_trait]
impl Delivery for RabbitDelivery {
    fn body(&self) -> &Body {
        &self.body
    }

    fn queue(&self) -> &str {
        &self.queues[self.index]
    }

    /// Dead letters keep the routing key they came with, which is their queue's name.
    fn origin(&self) -> &str {
        self.delivery.routing_key.as_str()
    }

    fn traceparent(&self) -> Option<&str> {
        let headers = self.delivery.properties.headers().as_ref()?;
        match headers.inner().get(TRACEPARENT)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    fn redelivered(&self) -> bool {
        self.delivery.redelivered
    }

    async fn ack(self: Box<Self>) -> Result<(), Error> {
        self.answer(self.delivery.ack(BasicAckOptions::default())).await
    }

    async fn give_back(self: Box<Self>) -> Result<(), Error> {
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        self.answer(self.delivery.nack(options)).await
    }

    async fn reject(self: Box<Self>) -> Result<(), Error> {
        self.answer(self.delivery.reject(BasicRejectOptions { requeue: false })).await
    }
}
