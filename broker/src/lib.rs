//! Moving hints that jobs are ready, with back-pressure and routing.
//!
//! The store is the truth: losing, doubling or reordering a message here costs time and
//! never correctness. Adapters: in one process (`memory`) and RabbitMQ (`rabbit`); both
//! pass `suite`. What a message says, and whether its job may still run, is left to others.

use std::sync::Arc;

use async_trait::async_trait;

mod body;
pub mod memory;
pub mod rabbit;
#[doc(hidden)]
pub mod suite;
mod turns;

pub use body::Body;

/// The queues every broker has. Workers add `cap.<capability>` by consuming from it.
pub const JOB_QUEUES: [&str; 6] = ["io.high", "io.normal", "io.low", "cpu.high", "cpu.normal", "cpu.low"];

/// Lanes beside each of them, for what a tenant has waiting beyond its share of the queue.
const LANES: u32 = 2;

/// The lanes beside a queue: none, where it is no [`JOB_QUEUES`] one.
#[must_use]
pub fn lanes_of(queue: &str) -> Vec<String> {
    let lanes = if JOB_QUEUES.contains(&queue) { LANES } else { 0 };
    (0..lanes).map(|lane| format!("{queue}.t{lane:02}")).collect()
}

/// The queue that a lane lies beside; a queue lies beside itself.
#[must_use]
pub fn beside(queue: &str) -> &str {
    JOB_QUEUES
        .into_iter()
        .find(|known| queue.strip_prefix(known).is_some_and(|rest| rest.starts_with(".t")))
        .unwrap_or(queue)
}

/// Every job queue and every lane.
pub(crate) fn queues_and_lanes() -> impl Iterator<Item = String> {
    JOB_QUEUES.into_iter().flat_map(|queue| std::iter::once(queue.to_owned()).chain(lanes_of(queue)))
}

/// The queue of dead letters.
pub const DEAD_QUEUE: &str = "baton.dead.q";

/// How often a message may come back before it is a dead letter.
pub const DELIVERY_LIMIT: u32 = 20;

/// The header that carries trace context.
const TRACEPARENT: &str = "traceparent";

/// Dead letters under way at a time.
const DEAD_PREFETCH: u16 = 16;

/// What became of one published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The broker has it.
    Confirmed,
    /// No queue took it.
    Unroutable,
    /// Nobody knows: the connection broke, the confirm did not come in time, or the
    /// broker refused it.
    Unknown(String),
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Routing key and queue: `io.normal`.
    pub queue: Arc<str>,
    /// The job's id.
    pub id: String,
    /// The envelope.
    pub body: Body,
    /// W3C trace context, which travels as a header.
    pub traceparent: Option<String>,
}

/// How many messages wait in a queue, and how many consumers it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be delivered.
    pub ready: u64,
    /// Consumers now.
    pub consumers: u64,
}

/// Why a broker call failed. All of them may pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection, or it broke during the call.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// This broker was closed by its owner.
    #[error("broker closed")]
    Closed,
}

/// A message in the hands of a consumer. Dropped without an answer it goes back, as with a
/// worker that dies: nothing stays in hands that nobody has.
#[async_trait]
pub trait Delivery: Send {
    /// The envelope.
    fn body(&self) -> &Body;
    /// The queue it came from.
    fn queue(&self) -> &str;
    /// The queue it was published to, where that is another: of a dead letter.
    fn origin(&self) -> &str {
        self.queue()
    }
    /// W3C trace context of the publication, as its header says.
    fn traceparent(&self) -> Option<&str>;
    /// Whether it was delivered before.
    fn redelivered(&self) -> bool;
    /// It is dealt with.
    async fn ack(self: Box<Self>) -> Result<(), Error>;
    /// Back into its queue.
    async fn give_back(self: Box<Self>) -> Result<(), Error>;
    /// To the dead letters: it cannot be read.
    async fn reject(self: Box<Self>) -> Result<(), Error>;
}

/// A consumer of some queues. It survives broken connections by subscribing again.
#[async_trait]
pub trait Consumer: Send {
    /// The next message. Call it only with a free slot; resumes a paused consumer. Dropping
    /// the future loses no message. Earlier queues come first more often, none starves.
    async fn next(&mut self) -> Result<Box<dyn Delivery>, Error>;
    /// Takes no further message and gives back, once, what was prefetched. Deliveries
    /// already handed out stay valid.
    async fn pause(&mut self) -> Result<(), Error>;
}

/// The broker as both planes see it.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Publishes; one answer for each message, in their order. Never blocks for longer
    /// than the confirm timeout.
    async fn publish(&self, messages: Vec<Message>) -> Vec<Published>;
    /// Consumes from the queues, with at most `prefetch` messages under way.
    async fn consume(&self, queues: &[String], prefetch: u16) -> Result<Box<dyn Consumer>, Error>;
    /// Consumes the dead letters.
    async fn consume_dead(&self) -> Result<Box<dyn Consumer>, Error>;
    /// A queue's depth; `None` where the queue does not exist. One that should exist is then
    /// declared anew.
    async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error>;
    /// Rises when messages may have been lost: the broker restarted or a queue had to be
    /// declared anew.
    fn incarnation(&self) -> u64;
    /// Whether the broker takes messages now.
    fn ready(&self) -> bool;
    /// What it is called in traces.
    fn system(&self) -> &'static str {
        "memory"
    }
    /// Ends connections and consumers.
    async fn close(&self);
}
