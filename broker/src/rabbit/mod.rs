//! The broker over RabbitMQ: one connection for publishing and one for consuming, so that a
//! broker that blocks publishers still hears acknowledgements; each rebuilt by ourselves,
//! with exchanges, queues and consumers, whenever it breaks.
//!
//! The driver's own recovery stays off: it gives up, and never recovers a closed channel.
//! Sending again what was not confirmed is left to whoever published.
//!
//! The driver logs returned messages with their bodies: a process that logs must turn its
//! target `lapin::returned_messages` off.

mod certificates;
mod consumer;
mod inbox;
mod link;
mod options;
mod publisher;
mod subscription;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::consumer::RabbitConsumer;
use self::inbox::Inbox;
use self::link::{Link, Purpose};
pub use self::options::{OptionsError, QueueType, RabbitOptions};
use self::publisher::Publisher;
use self::subscription::Subscription;
use self::topology::{Topology, fits};
use crate::{Broker, Consumer, DEAD_PREFETCH, DEAD_QUEUE, Depth, Error, Message, Published};

/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// The broker over RabbitMQ.
pub struct Rabbit {
    options: Arc<RabbitOptions>,
    topology: Arc<Topology>,
    consume: Arc<Link>,
    publish: Option<(Arc<Link>, Publisher)>,
    stop: CancellationToken,
    keepers: Mutex<Vec<JoinHandle<()>>>,
}

impl Rabbit {
    /// Starts connecting and returns at once; the broker may come later. Must be called
    /// inside the runtime that outlives the connections.
    pub fn start(options: RabbitOptions) -> Self {
        if options.tls() {
            // An error says that another part of the process has chosen already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let options = Arc::new(options);
        let topology = Arc::new(Topology::new(&options));
        let stop = CancellationToken::new();
        let link = |purpose| {
            let (link, keeper) = Link::start(options.clone(), topology.clone(), purpose, stop.clone());
            (Arc::new(link), keeper)
        };
        let (consume, keeper) = link(Purpose::Consume);
        let mut keepers = vec![keeper];
        let publish = options.publishes.then(|| {
            let (publish, keeper) = link(Purpose::Publish);
            keepers.push(keeper);
            (publish.clone(), Publisher::new(publish, topology.clone(), &options))
        });
        Self { options, topology, consume, publish, stop, keepers: Mutex::new(keepers) }
    }

    /// Starts, and waits for the connections.
    ///
    /// # Errors
    /// When there is none within `patience`; everything it started is ended then.
    pub async fn connect(options: RabbitOptions, patience: Duration) -> Result<Self, Error> {
        let rabbit = Self::start(options);
        let up = async {
            rabbit.consume.up().await?;
            match &rabbit.publish {
                Some((publish, _)) => publish.up().await.map(drop),
                None => Ok(()),
            }
        };
        timeout(patience, up).await.map_err(|_| Error::Unavailable(format!("no connection within {patience:?}")))??;
        Ok(rabbit)
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.options.confirm_timeout_ms)
    }
}

#[async_trait]
impl Broker for Rabbit {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Published> {
        match &self.publish {
            Some((_, publisher)) => publisher.publish(messages).await,
            None => vec![Published::Unknown("this process does not publish".to_owned()); messages.len()],
        }
    }

    async fn consume(&self, queues: &[String], prefetch: u16) -> Result<Box<dyn Consumer>, Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Closed);
        }
        if let Some(name) = queues.iter().find(|name| !fits(name)) {
            return Err(Error::Unavailable(format!("a queue cannot be called {name}: too long")));
        }
        self.topology.add(queues);
        let prefetch = prefetch.max(1);
        let inbox = Arc::new(Inbox::new(queues, usize::from(prefetch)));
        let stop = self.stop.child_token();
        let subscription = Subscription {
            link: self.consume.clone(),
            topology: self.topology.clone(),
            inbox: inbox.clone(),
            queues: queues.to_vec(),
            prefetch,
            stop: stop.clone(),
        };
        // It ends with the consumer or the broker, whichever ends first.
        drop(tokio::spawn(subscription.run()));
        let consumer = RabbitConsumer { inbox, queues: queues.into(), _stop: stop.drop_guard() };
        consumer.subscribed(self.patience()).await;
        Ok(Box::new(consumer))
    }

    fn system(&self) -> &'static str {
        "rabbitmq"
    }

    async fn consume_dead(&self) -> Result<Box<dyn Consumer>, Error> {
        self.consume(&[DEAD_QUEUE.to_owned()], DEAD_PREFETCH).await
    }

    async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error> {
        if self.stop.is_cancelled() {
            return Err(Error::Closed);
        }
        if !fits(queue) {
            return Ok(None);
        }
        let ask = async {
            let up = self.consume.now().ok_or_else(|| Error::Unavailable("not connected".to_owned()))?;
            let unavailable = |error: lapin::Error| Error::Unavailable(error.to_string());
            let depth = self.topology.depth(&up.connection, queue).await.map_err(unavailable)?;
            if depth.is_none() && self.topology.knows(queue) {
                self.topology.ensure(&up.connection, [queue.to_owned()]).await.map_err(unavailable)?;
            }
            Ok(depth)
        };
        timeout(self.patience(), ask).await.map_err(|_| Error::Unavailable("no answer in time".to_owned()))?
    }

    fn incarnation(&self) -> u64 {
        self.topology.incarnation()
    }

    fn ready(&self) -> bool {
        let link = self.publish.as_ref().map_or(&self.consume, |(link, _)| link);
        !self.stop.is_cancelled() && link.now().is_some_and(|up| !up.blocked)
    }

    async fn close(&self) {
        self.stop.cancel();
        let keepers = std::mem::take(&mut *self.keepers.lock());
        let _ = timeout(FAREWELL, futures_util::future::join_all(keepers)).await;
    }
}

/// Ends the connections, without waiting for it.
impl Drop for Rabbit {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
