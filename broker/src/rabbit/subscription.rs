//! Keeps a consumer subscribed: over broken connections, closed channels and deleted
//! queues; pauses on request, and after a pause fetches message by message while the
//! consumer is nearly full, so that nothing is given back over and over.
//!
//! Handing messages out is left to `consumer`, the connection to `link`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::inbox::{Inbox, Standing};
use super::link::{Link, Up, pauses};
use super::topology::Topology;

/// How long the broker may take to end a subscription.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the broker may take to do what the consumer wishes: end all subscriptions, or begin
/// them.
const HEED_PATIENCE: Duration = Duration::from_secs(15);

/// How often a quiet subscription is compared with what the broker says.
const LOOK: Duration = Duration::from_secs(3);

/// A message of queue number `usize`, or the end of its subscription.
type Incoming = (usize, Option<lapin::Result<Delivery>>);

/// What a subscription is about.
pub(super) struct Subscription {
    pub(super) link: Arc<Link>,
    pub(super) topology: Arc<Topology>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) queues: Vec<String>,
    pub(super) prefetch: u16,
    pub(super) stop: CancellationToken,
}

impl Subscription {
    /// Runs until it is stopped.
    pub(super) async fn run(self) {
        let mut pauses = pauses();
        while let Some(Ok(up)) = self.stop.run_until_cancelled(self.link.up()).await {
            match self.serve(&up).await {
                Ok(()) => break,
                Err(Lost { error, served }) => {
                    debug!(error, queues = ?self.queues, "subscription lost");
                    if served {
                        pauses = self::pauses();
                    }
                }
            }
            self.inbox.stand(Standing::Away);
            let pause = pauses.next().unwrap_or(PATIENCE);
            let _ = self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        self.inbox.close();
    }

    /// One channel, from opening it to its end.
    async fn serve(&self, up: &Up) -> Result<(), Lost> {
        let opening = timeout(PATIENCE, self.open(up)).await;
        let late = |_| Lost { error: "no answer in time".to_owned(), served: false };
        let mut session = opening.map_err(late)?.map_err(|error| Lost { error: error.to_string(), served: false })?;
        let here = session.here.clone();
        let (mut served, mut suspicions) = (false, 0);
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let error = loop {
            let outcome = tokio::select! {
                () = self.stop.cancelled() => break None,
                () = self.link.over(up.number) => Err("connection lost".to_owned()),
                Some(incoming) = session.incoming.next() => {
                    suspicions = 0;
                    session.receive(incoming)
                }
                () = self.inbox.wish.notified() => match timeout(HEED_PATIENCE, session.heed()).await {
                    Ok(outcome) => outcome.map_err(|error| error.to_string()),
                    Err(_) => Err("no answer in time".to_owned()),
                },
                _ = looks.tick() => if self.is_more_here(&here, up).await {
                    Err("a queue is back".to_owned())
                } else {
                    suspicions = if self.is_forgotten(&here, up).await { suspicions + 1 } else { 0 };
                    if suspicions < 2 { Ok(()) } else { Err("the broker forgot the subscription".to_owned()) }
                }
            };
            if let Err(error) = outcome {
                break Some(error);
            }
            served = true;
        };
        // Gives back whatever is not answered, as the end of its connection does.
        if self.link.is_up(up.number) {
            let _ = timeout(PATIENCE, session.channel.close(200, "done".into())).await;
        }
        error.map_or(Ok(()), |error| Err(Lost { error, served }))
    }

    /// Whether this idle subscription gets nothing of a queue that holds something or knows
    /// no consumer: brokers lose subscriptions without telling. One look may meet a figure
    /// that is a moment old.
    async fn is_forgotten(&self, here: &[usize], up: &Up) -> bool {
        if !self.inbox.is_idle() {
            return false;
        }
        for index in here {
            match timeout(PATIENCE, self.topology.depth(&up.connection, &self.queues[*index])).await {
                Ok(Ok(Some(depth))) if depth.consumers > 0 && depth.ready == 0 => {}
                Ok(Ok(_)) => return self.inbox.is_idle(),
                // The connection's trouble, which its keeper sees.
                Ok(Err(_)) | Err(_) => {}
            }
        }
        false
    }

    /// Whether a queue can be read again that could not be.
    async fn is_more_here(&self, here: &[usize], up: &Up) -> bool {
        for index in (0..self.queues.len()).filter(|index| !here.contains(index)) {
            let depth = self.topology.depth(&up.connection, &self.queues[index]);
            if matches!(timeout(PATIENCE, depth).await, Ok(Ok(Some(_)))) {
                return true;
            }
        }
        false
    }

    async fn open(&self, up: &Up) -> lapin::Result<Session<'_>> {
        let away = self.topology.ensure(&up.connection, self.queues.iter().cloned()).await?;
        let channel = up.connection.create_channel().await?;
        // Shared out, because quorum queues know no bound over several consumers.
        let share = self.prefetch.div_ceil(u16::try_from(self.queues.len()).unwrap_or(u16::MAX).max(1));
        channel.basic_qos(share, BasicQosOptions::default()).await?;
        self.inbox.renew();
        let here = (0..self.queues.len()).filter(|index| !away.contains(&self.queues[*index])).collect();
        let (incoming, tags) = (SelectAll::new(), Vec::new());
        let mut session = Session { owner: self, channel, incoming, here, tags, named: 0, fetched: 0 };
        if self.inbox.wishes().0 {
            session.subscribe_all().await?;
        } else {
            self.inbox.stand(Standing::Paused);
        }
        Ok(session)
    }
}

/// The end of a channel, and whether it was of any use before.
struct Lost {
    error: String,
    served: bool,
}

/// A channel and the subscriptions on it.
struct Session<'a> {
    owner: &'a Subscription,
    channel: Channel,
    incoming: SelectAll<BoxStream<'static, Incoming>>,
    /// The queues that can be read now, by number: others lie on a node that is down.
    here: Vec<usize>,
    /// Names of the subscriptions.
    tags: Vec<ShortString>,
    named: u64,
    /// Messages fetched one by one since the last pause.
    fetched: u16,
}

impl Session<'_> {
    async fn subscribe_all(&mut self) -> lapin::Result<()> {
        self.tags.clear();
        for index in self.here.clone() {
            self.subscribe(index).await?;
        }
        self.owner.inbox.stand(Standing::Subscribed);
        Ok(())
    }

    async fn subscribe(&mut self, index: usize) -> lapin::Result<()> {
        let queue = self.owner.queues[index].as_str().into();
        // Each subscription has a name of its own: the driver forgets an ended one late.
        self.named += 1;
        let tag = ShortString::from(format!("q{index}.{}", self.named));
        self.tags.push(tag.clone());
        let consumer =
            self.channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await?;
        let end = futures_util::stream::once(async move { (index, None) });
        self.incoming.push(consumer.map(move |item| (index, Some(item))).chain(end).boxed());
        Ok(())
    }

    /// A message, or a queue that sends no more because it was deleted or moved. That ends
    /// the channel: subscribed again on the same one, a quorum queue of the same name may
    /// send messages that never come out of it (seen with 3.10).
    fn receive(&mut self, (index, item): Incoming) -> Result<(), String> {
        match item {
            Some(Ok(delivery)) => {
                self.owner.inbox.put(index, delivery);
                Ok(())
            }
            Some(Err(error)) => Err(error.to_string()),
            None => Err(format!("{} ended its subscription", self.owner.queues[index])),
        }
    }

    /// Does what the consumer wishes by now.
    async fn heed(&mut self) -> lapin::Result<()> {
        let inbox = &self.owner.inbox;
        for left in inbox.left() {
            left.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
        }
        match (inbox.standing(), inbox.wishes()) {
            (Standing::Subscribed, (false, _)) => self.pause().await,
            (Standing::Paused, (true, true)) => self.fetch().await,
            _ => Ok(()),
        }
    }

    /// Fetches one message; subscribes where none waits, or where fetching goes on so long
    /// that the consumer evidently has room.
    async fn fetch(&mut self) -> lapin::Result<()> {
        if self.fetched < self.owner.prefetch {
            for index in self.here.clone() {
                let queue = self.owner.queues[index].as_str().into();
                let found = self.channel.basic_get(queue, BasicGetOptions::default()).await?;
                if let Some(message) = found {
                    self.fetched += 1;
                    self.owner.inbox.put(index, message.delivery);
                    return Ok(());
                }
            }
        }
        self.fetched = 0;
        self.subscribe_all().await
    }

    /// Ends the subscriptions and gives back what they brought.
    async fn pause(&mut self) -> lapin::Result<()> {
        for tag in std::mem::take(&mut self.tags) {
            self.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
        }
        let ended = async {
            while let Some((index, item)) = self.incoming.next().await {
                if let Some(delivery) = item.transpose()? {
                    self.owner.inbox.put(index, delivery);
                }
            }
            Ok::<(), lapin::Error>(())
        };
        if let Ok(outcome) = timeout(PATIENCE, ended).await {
            outcome?;
        }
        self.incoming.clear();
        self.give_back().await?;
        self.fetched = 0;
        self.owner.inbox.stand(Standing::Paused);
        Ok(())
    }

    async fn give_back(&mut self) -> lapin::Result<()> {
        for delivery in self.owner.inbox.drain() {
            let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            delivery.nack(options).await?;
        }
        Ok(())
    }
}
