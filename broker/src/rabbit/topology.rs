//! Exchanges and queues: what there must be, and making it so without asking twice.
//!
//! A queue is looked up before it is declared: one that exists stays as its operator made
//! it, and one that was there before and is not any more means that messages were lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use parking_lot::Mutex;
use tracing::warn;
use uuid::Uuid;

use super::options::{QueueType, RabbitOptions};
use crate::{DEAD_QUEUE, Depth};

pub(super) const JOBS: &str = "baton.jobs";
const DEAD: &str = "baton.dead";

/// Whether AMQP can carry this name; the driver panics at longer ones.
pub(super) fn fits(name: &str) -> bool {
    name.len() <= 255
}

/// What this process declares, and what it saw.
pub(super) struct Topology {
    queue_type: QueueType,
    delivery_limit: u32,
    queue_length_max: u32,
    /// Queues that must exist, and whether this process saw them exist.
    queues: Mutex<BTreeMap<String, bool>>,
    incarnation: AtomicU64,
    /// Names something that no restart of the broker survives.
    marker: String,
    marked: Mutex<bool>,
}

impl Topology {
    pub(super) fn new(options: &RabbitOptions) -> Self {
        let names = options.queues().chain([DEAD_QUEUE.to_owned()]);
        Self {
            queue_type: options.queue_type,
            delivery_limit: options.delivery_limit,
            queue_length_max: options.queue_length_max,
            queues: Mutex::new(names.map(|name| (name, false)).collect()),
            incarnation: AtomicU64::new(1),
            marker: format!("baton.boot.{}", Uuid::new_v4()),
            marked: Mutex::new(false),
        }
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// Adds queues that must exist from now on.
    pub(super) fn add(&self, names: &[String]) {
        let mut queues = self.queues.lock();
        for name in names {
            queues.entry(name.clone()).or_insert(false);
        }
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.queues.lock().contains_key(name)
    }

    /// Declares what is missing of exchanges, queues and bindings.
    pub(super) async fn ensure_all(&self, connection: &Connection) -> lapin::Result<BTreeSet<String>> {
        // Dead letters last: a single node killed within seconds of it may never again choose
        // a leader for the quorum queue it declared last (seen with 3.10).
        let names: BTreeSet<String> = self.queues.lock().keys().cloned().collect();
        let (dead, jobs): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name == DEAD_QUEUE);
        self.ensure(connection, jobs.into_iter().chain(dead)).await
    }

    /// Declares what is missing of these queues. Those that it answers cannot be had: they lie
    /// on a node of the cluster that is down, and come back with it, messages and all.
    pub(super) async fn ensure(
        &self,
        connection: &Connection,
        names: impl IntoIterator<Item = String>,
    ) -> lapin::Result<BTreeSet<String>> {
        let mut away = BTreeSet::new();
        let mut channel = connection.create_channel().await?;
        exchanges(&channel).await?;
        for name in names {
            let seen = self.queues.lock().get(&name) == Some(&true);
            if passive(&channel, &name).await?.is_none() {
                // The look-up that found nothing closed its channel.
                channel = connection.create_channel().await?;
                match self.declare(&channel, &name, seen).await {
                    Ok(()) => {}
                    Err(error) if is_missing(&error) => {
                        warn!(queue = name, "queue lies on a node that is down");
                        channel = connection.create_channel().await?;
                        away.insert(name);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            bind(&channel, &name).await?;
            self.queues.lock().insert(name, true);
        }
        let _ = channel.close(200, "done".into()).await;
        Ok(away)
    }

    /// A queue's depth, or nothing where it does not exist.
    pub(super) async fn depth(&self, connection: &Connection, name: &str) -> lapin::Result<Option<Depth>> {
        let channel = connection.create_channel().await?;
        let depth = passive(&channel, name).await?;
        if depth.is_some() {
            let _ = channel.close(200, "done".into()).await;
        }
        Ok(depth)
    }

    /// Declares a queue that was not found; `seen` says whether it was there before.
    async fn declare(&self, channel: &Channel, name: &str, seen: bool) -> lapin::Result<()> {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.into(), options, self.arguments(name)).await?;
        // Of several that miss it at a time, one tells.
        let before = self.queues.lock().insert(name.to_owned(), false);
        if seen && before == Some(true) {
            let incarnation = self.incarnation.fetch_add(1, Ordering::AcqRel) + 1;
            warn!(queue = name, incarnation, "queue was gone and is declared anew");
        }
        Ok(())
    }

    fn arguments(&self, name: &str) -> FieldTable {
        let mut table = FieldTable::default();
        table.insert("x-queue-type".into(), AMQPValue::LongString(self.queue_type.name().into()));
        if name == DEAD_QUEUE {
            return table;
        }
        table.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(DEAD.into()));
        if self.queue_type == QueueType::Quorum {
            table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(self.delivery_limit.into()));
        }
        if self.queue_length_max > 0 {
            table.insert("x-max-length".into(), AMQPValue::LongLongInt(self.queue_length_max.into()));
            table.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        }
        table
    }

    /// Learns whether the broker restarted since the last call: an exchange that is not
    /// durable, and this process's own, is gone then.
    pub(super) async fn check_boot(&self, connection: &Connection) -> lapin::Result<()> {
        let channel = connection.create_channel().await?;
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let found = self.declare_marker(&channel, passive).await;
        match found {
            Ok(()) => {}
            Err(error) if is_missing(&error) => {
                let channel = connection.create_channel().await?;
                self.declare_marker(&channel, ExchangeDeclareOptions::default()).await?;
                let _ = channel.close(200, "done".into()).await;
                if std::mem::replace(&mut *self.marked.lock(), true) {
                    let incarnation = self.incarnation.fetch_add(1, Ordering::AcqRel) + 1;
                    warn!(incarnation, "broker restarted");
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let _ = channel.close(200, "done".into()).await;
        Ok(())
    }

    /// Removes what `check_boot` left at the broker.
    pub(super) async fn forget_boot(&self, connection: &Connection) {
        if let Ok(channel) = connection.create_channel().await {
            let _ = channel.exchange_delete(self.marker.as_str().into(), Default::default()).await;
        }
    }

    async fn declare_marker(&self, channel: &Channel, options: ExchangeDeclareOptions) -> lapin::Result<()> {
        let name = ShortString::from(self.marker.as_str());
        channel.exchange_declare(name, ExchangeKind::Direct, options, FieldTable::default()).await
    }
}

async fn exchanges(channel: &Channel) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(JOBS.into(), ExchangeKind::Direct, options, FieldTable::default()).await?;
    channel.exchange_declare(DEAD.into(), ExchangeKind::Fanout, options, FieldTable::default()).await
}

async fn bind(channel: &Channel, name: &str) -> lapin::Result<()> {
    let exchange = if name == DEAD_QUEUE { DEAD } else { JOBS };
    channel
        .queue_bind(name.into(), exchange.into(), name.into(), QueueBindOptions::default(), FieldTable::default())
        .await
}

/// Looks a queue up. Finding none closes the channel.
async fn passive(channel: &Channel, name: &str) -> lapin::Result<Option<Depth>> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.into(), options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(Depth { ready: queue.message_count().into(), consumers: queue.consumer_count().into() })),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404)
}
