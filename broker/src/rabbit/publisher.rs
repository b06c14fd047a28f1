//! Publishing with confirms: a bounded number of batches at a time, each alone on its
//! channel, so that a returned message is never taken for another batch's.
//!
//! An answer comes within the confirm timeout, and at once where the connection is gone or
//! blocked; nothing is kept to be sent later, because the store keeps it.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

use super::link::{Link, Up};
use super::options::RabbitOptions;
use super::topology::{JOBS, fits};
use crate::{Message, Published};

/// Messages survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// Publishes over one link.
pub(super) struct Publisher {
    link: Arc<Link>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<(u64, Channel)>>>,
    confirm_timeout: Duration,
    window: usize,
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, options: &RabbitOptions) -> Self {
        Self {
            link,
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
        let batch = Batch { messages: batch, answers: answers.clone(), up, idle: self.idle.clone(), permit };
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
    up: Up,
    idle: Arc<Mutex<Vec<(u64, Channel)>>>,
    permit: OwnedSemaphorePermit,
}

impl Batch {
    async fn run(self) {
        match self.send_all().await {
            Ok(channel) => {
                let mut idle = self.idle.lock();
                idle.retain(|(number, _)| *number >= self.up.number);
                idle.push((self.up.number, channel));
            }
            Err(error) => {
                let text = error.to_string();
                warn!(error = text, count = self.messages.len(), "publishing interrupted");
                let answers = told(&self.answers.lock(), &text);
                *self.answers.lock() = answers;
            }
        }
        drop(self.permit);
    }

    /// Publishes and collects the confirms; returns the channel when it may be used again.
    async fn send_all(&self) -> lapin::Result<Channel> {
        let channel = self.channel().await?;
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
            let same = |message: &Message| message.id == id && message.queue == back.routing_key.as_str();
            let mut answers = self.answers.lock();
            for (index, _) in self.messages.iter().enumerate().filter(|(_, message)| same(message)) {
                answers[index] = Published::Unroutable;
            }
        }
        broken.map_or(Ok(channel), Err)
    }

    async fn channel(&self) -> lapin::Result<Channel> {
        let idle = {
            let mut idle = self.idle.lock();
            let place = idle.iter().rposition(|(number, _)| *number == self.up.number);
            place.map(|place| idle.swap_remove(place).1)
        };
        if let Some(channel) = idle.filter(|channel| channel.status().connected()) {
            return Ok(channel);
        }
        let channel = self.up.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }
}

async fn send(channel: &Channel, message: &Message) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties =
        BasicProperties::default().with_delivery_mode(PERSISTENT).with_message_id(message.id.as_str().into());
    channel.basic_publish(JOBS.into(), message.queue.as_str().into(), options, &message.body, properties).await
}
