//! Publishing with confirms: a bounded number of batches at a time, each alone on its
//! channel, so that a returned message is never taken for another batch's.
//!
//! An answer comes within the confirm timeout, and at once where the connection is gone or
//! blocked; nothing is kept to be sent later, because the store keeps it.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

use super::link::{Link, Up};
use super::options::RabbitOptions;
use super::topology::{JOBS, Topology, fits};
use crate::{Message, Published, TRACEPARENT};

/// Messages survive a restart of the broker.
const PERSISTENT: u8 = 2;
/// How long a channel is published on.
const CHANNEL_LIFE: Duration = Duration::from_secs(20);

/// Publishes over one link.
pub(super) struct Publisher {
    link: Arc<Link>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Idle>>>,
    topology: Arc<Topology>,
    confirm_timeout: Duration,
    window: usize,
}

/// A channel nobody publishes on now.
struct Idle {
    channel: Channel,
    age: Age,
}

/// When a channel was opened. After a quorum queue was deleted and declared anew, one opened
/// before may confirm messages that the queue then never delivers (seen with 3.10): such a
/// channel ends with the incarnation, and soon in any case, should another process have
/// declared the queue.
#[derive(Clone, Copy)]
struct Age {
    connection: u64,
    incarnation: u64,
    opened: Instant,
}

impl Age {
    fn serves(&self, connection: u64, incarnation: u64) -> bool {
        (self.connection, self.incarnation) == (connection, incarnation) && self.opened.elapsed() < CHANNEL_LIFE
    }
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, topology: Arc<Topology>, options: &RabbitOptions) -> Self {
        Self {
            link,
            topology,
            permits: Arc::new(Semaphore::new(options.publish_channels.max(1))),
            idle: Arc::default(),
            confirm_timeout: Duration::from_millis(options.confirm_timeout_ms),
            window: options.window.max(1),
        }
    }

    pub(super) async fn publish(&self, messages: Vec<Message>) -> Vec<Published> {
        let deadline = Instant::now() + self.confirm_timeout;
        let mut answers = Vec::with_capacity(messages.len());
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let batch: Vec<_> = messages.by_ref().take(self.window).collect();
            answers.extend(self.publish_batch(batch, deadline).await);
        }
        if answers.contains(&Published::Unroutable) {
            self.link.repair();
        }
        answers
    }

    async fn publish_batch(&self, batch: Vec<Message>, deadline: Instant) -> Vec<Published> {
        let unknown = |why: &str| vec![Published::Unknown(why.to_owned()); batch.len()];
        let up = match self.link.now() {
            None => return unknown("not connected"),
            Some(up) if up.blocked => return unknown("broker blocked"),
            Some(up) => up,
        };
        let number = up.number;
        let permit = tokio::select! {
            permit = self.permits.clone().acquire_owned() => permit,
            why = self.link.unusable(number) => return unknown(why),
            () = tokio::time::sleep_until(deadline) => return unknown("too many messages unconfirmed"),
        };
        let Ok(permit) = permit else { return unknown("broker closed") };
        let answers = Arc::new(Mutex::new(unknown("no confirm in time")));
        let incarnation = self.topology.incarnation();
        let (link, idle) = (self.link.clone(), self.idle.clone());
        let batch = Batch { messages: batch, answers: answers.clone(), link, up, incarnation, idle, permit };
        // A task of its own: given up here, it still holds its permit until the broker has
        // spoken or the connection is over.
        let work = tokio::spawn(batch.run());
        tokio::select! {
            _ = work => answers.lock().clone(),
            why = self.link.unusable(number) => told(&answers.lock(), why),
            () = tokio::time::sleep_until(deadline) => answers.lock().clone(),
        }
    }
}

/// The answers so far, with the reason for those that have none.
fn told(answers: &[Published], why: &str) -> Vec<Published> {
    let explain = |answer: &Published| match answer {
        Published::Unknown(_) => Published::Unknown(why.to_owned()),
        known => known.clone(),
    };
    answers.iter().map(explain).collect()
}

/// Messages on their way, alone on a channel.
struct Batch {
    messages: Vec<Message>,
    answers: Arc<Mutex<Vec<Published>>>,
    link: Arc<Link>,
    up: Up,
    incarnation: u64,
    idle: Arc<Mutex<Vec<Idle>>>,
    permit: OwnedSemaphorePermit,
}

impl Batch {
    async fn run(self) {
        let sent = tokio::select! {
            biased;
            sent = self.send_all() => sent.map_err(|error| error.to_string()),
            // What the driver is told just as its connection ends it keeps for ever.
            () = self.link.over(self.up.number) => Err("connection lost".to_owned()),
        };
        match sent {
            Ok(channel) => self.idle.lock().push(channel),
            Err(text) => {
                warn!(error = text, count = self.messages.len(), "publishing interrupted");
                let answers = told(&self.answers.lock(), &text);
                *self.answers.lock() = answers;
            }
        }
        drop(self.permit);
    }

    /// Publishes and collects the confirms; returns the channel when it may be used again.
    async fn send_all(&self) -> lapin::Result<Idle> {
        let Idle { channel, age } = self.channel().await?;
        let mut confirms = Vec::with_capacity(self.messages.len());
        let mut broken = None;
        for (index, message) in self.messages.iter().enumerate() {
            if !fits(&message.queue) || !fits(&message.id) {
                self.answers.lock()[index] = Published::Unroutable;
                continue;
            }
            match send(&channel, message).await {
                Ok(confirm) => confirms.push((index, confirm)),
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        let mut returned = Vec::new();
        for (index, confirm) in confirms {
            let answer = match confirm.await {
                Ok(Confirmation::Ack(back)) => {
                    returned.extend(back);
                    Published::Confirmed
                }
                Ok(Confirmation::Nack(back)) => {
                    returned.extend(back);
                    Published::Unknown("refused by the broker".to_owned())
                }
                Ok(Confirmation::NotRequested) => Published::Unknown("confirms are off".to_owned()),
                Err(error) => {
                    broken = Some(error);
                    continue;
                }
            };
            self.answers.lock()[index] = answer;
        }
        // One confirm may speak for many messages, and then says of the wrong one that it
        // came back: the returned message itself tells which it was.
        for back in returned {
            let id = back.properties.message_id().as_ref().map_or("", |id| id.as_str());
            let same = |message: &Message| message.id == id && *message.queue == *back.routing_key.as_str();
            let mut answers = self.answers.lock();
            for (index, _) in self.messages.iter().enumerate().filter(|(_, message)| same(message)) {
                answers[index] = Published::Unroutable;
            }
        }
        broken.map_or(Ok(Idle { channel, age }), Err)
    }

    /// A channel that may still be used, or a new one.
    async fn channel(&self) -> lapin::Result<Idle> {
        let idle = {
            let mut idle = self.idle.lock();
            // Dropping one closes it.
            idle.retain(|idle| idle.age.serves(self.up.number, self.incarnation) && idle.channel.status().connected());
            idle.pop()
        };
        if let Some(idle) = idle {
            return Ok(idle);
        }
        let channel = self.up.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (connection, incarnation) = (self.up.number, self.incarnation);
        Ok(Idle { channel, age: Age { connection, incarnation, opened: Instant::now() } })
    }
}

async fn send(channel: &Channel, message: &Message) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let mut properties =
        BasicProperties::default().with_delivery_mode(PERSISTENT).with_message_id(message.id.as_str().into());
    if let Some(traceparent) = &message.traceparent {
        let mut headers = FieldTable::default();
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(traceparent.as_str().into()));
        properties = properties.with_headers(headers);
    }
    channel.basic_publish(JOBS.into(), (*message.queue).into(), options, &message.body, properties).await
}
