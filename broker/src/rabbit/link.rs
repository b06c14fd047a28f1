//! One connection to the broker that comes back: connects, notices the end, tries again
//! with growing, jittered pauses, and tells everybody where it stands.
//!
//! What runs over the connection is left to `publisher` and `consumer`.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use baton_telemetry::metrics;
use futures_util::StreamExt;
use lapin::{Connection, ConnectionProperties, DefaultConnectionBuilder, Event};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::options::RabbitOptions;
use super::topology::Topology;
use crate::Error;

/// How often a quiet connection is looked at, should its end have gone unnoticed.
const LOOK: Duration = Duration::from_secs(1);
/// Between two repairs of the topology.
const REPAIR_PAUSE: Duration = Duration::from_secs(1);

/// A usable connection. Each new one has a higher number.
#[derive(Clone)]
pub(super) struct Up {
    pub(super) connection: Arc<Connection>,
    pub(super) number: u64,
    pub(super) blocked: bool,
}

/// What the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Publish,
    Consume,
}

/// A connection that is kept alive until it is told to stop.
pub(super) struct Link {
    state: watch::Receiver<Option<Up>>,
    repair: Arc<Notify>,
    stop: CancellationToken,
}

impl Link {
    /// Starts connecting; must be called inside a runtime.
    pub(super) fn start(
        options: Arc<RabbitOptions>,
        topology: Arc<Topology>,
        purpose: Purpose,
        stop: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, state) = watch::channel(None);
        let repair = Arc::new(Notify::new());
        // Somewhere, so that processes spread over the nodes of a cluster.
        let node = usize::from(Uuid::new_v4().as_bytes()[0]);
        let (told, stopped) = (repair.clone(), stop.clone());
        // Told from the start on, and not from the first error.
        let _ = metrics::broker();
        let keeper = Keeper { options, topology, purpose, sender, repair: told, stop: stopped, number: 0, node };
        (Self { state, repair, stop }, tokio::spawn(keeper.run()))
    }

    pub(super) fn now(&self) -> Option<Up> {
        self.state.borrow().clone()
    }

    /// Waits for a connection.
    pub(super) async fn up(&self) -> Result<Up, Error> {
        let mut state = self.state.clone();
        loop {
            if self.stop.is_cancelled() {
                return Err(Error::Closed);
            }
            if let Some(up) = state.borrow_and_update().clone() {
                return Ok(up);
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(Error::Closed),
                changed = state.changed() => changed.map_err(|_| Error::Closed)?,
            }
        }
    }

    /// Waits until connection `number` is over, or (for publishing) blocked.
    pub(super) async fn unusable(&self, number: u64) -> &'static str {
        let mut state = self.state.clone();
        loop {
            match state.borrow_and_update().as_ref() {
                Some(up) if up.number != number => return "connection lost",
                Some(up) if up.blocked => return "broker blocked",
                Some(_) => {}
                None => return "connection lost",
            }
            if state.changed().await.is_err() {
                return "broker closed";
            }
        }
    }

    /// Whether connection `number` is there.
    pub(super) fn is_up(&self, number: u64) -> bool {
        self.state.borrow().as_ref().is_some_and(|up| up.number == number)
    }

    /// Waits until connection `number` is over.
    pub(super) async fn over(&self, number: u64) {
        let mut state = self.state.clone();
        let _ = state.wait_for(|state| state.as_ref().is_none_or(|up| up.number != number)).await;
    }

    /// Asks for a look at the topology, soon.
    pub(super) fn repair(&self) {
        self.repair.notify_one();
    }
}

struct Keeper {
    options: Arc<RabbitOptions>,
    topology: Arc<Topology>,
    purpose: Purpose,
    sender: watch::Sender<Option<Up>>,
    repair: Arc<Notify>,
    stop: CancellationToken,
    number: u64,
    /// Which node is asked, or was last.
    node: usize,
}

impl Keeper {
    async fn run(mut self) {
        let stop = self.stop.clone();
        let mut pauses = pauses();
        while !stop.is_cancelled() {
            match stop.run_until_cancelled(self.connect()).await {
                None => return,
                Some(Ok(connection)) => {
                    pauses = self::pauses();
                    self.keep(Arc::new(connection)).await;
                }
                Some(Err(error)) => {
                    metrics::broker().errors.inc();
                    warn!(purpose = ?self.purpose, %error, "broker not reached");
                }
            }
            // The next one, which may be the same.
            self.node = self.node.wrapping_add(1);
            let pause = pauses.next().unwrap_or(Duration::from_secs(5));
            let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        let patience = Duration::from_millis(self.options.connection_timeout_ms()) * 2;
        let node = &self.options.nodes[self.node % self.options.nodes.len()];
        let purpose = format!("{} {:?}", self.options.name, self.purpose).to_lowercase();
        let properties = ConnectionProperties::default().with_connection_name(purpose.into());
        let connect = async {
            let way = DefaultConnectionBuilder::new()?.with_uri(node.clone()).with_properties(properties);
            let connection = way.with_tls_config(self.options.certificates.config()).connect().await?;
            self.topology.ensure_all(&connection).await?;
            if self.purpose == Purpose::Publish {
                self.topology.check_boot(&connection).await?;
            }
            Ok(connection)
        };
        match timeout(patience, connect).await {
            Ok(outcome) => outcome.map_err(|error: lapin::Error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Tells that the connection is there, and returns when it is not any more.
    async fn keep(&mut self, connection: Arc<Connection>) {
        let mut events = std::pin::pin!(connection.events_listener());
        self.number += 1;
        let blocked = connection.status().blocked();
        self.sender.send_replace(Some(Up { connection: connection.clone(), number: self.number, blocked }));
        info!(purpose = ?self.purpose, "broker connected");
        let mut repaired = tokio::time::Instant::now();
        let stop = self.stop.clone();
        while connection.status().connected() {
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        warn!(purpose = ?self.purpose, reason, "broker blocks publishing");
                        self.set_blocked(true);
                    }
                    Some(Event::ConnectionUnblocked) => {
                        info!(purpose = ?self.purpose, "broker takes messages again");
                        self.set_blocked(false);
                    }
                    Some(_) => {}
                    None => break,
                },
                () = self.repair.notified(), if repaired.elapsed() >= REPAIR_PAUSE => {
                    repaired = tokio::time::Instant::now();
                    if let Ok(Err(error)) = timeout(LOOK * 5, self.topology.ensure_all(&connection)).await {
                        warn!(%error, "queues not repaired");
                    }
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        self.sender.send_replace(None);
        self.farewell(&connection).await;
    }

    async fn farewell(&self, connection: &Connection) {
        if !connection.status().connected() {
            metrics::broker().errors.inc();
            warn!(purpose = ?self.purpose, "broker connection lost");
            return;
        }
        let close = async {
            if self.purpose == Purpose::Publish && !connection.status().blocked() {
                self.topology.forget_boot(connection).await;
            }
            let _ = connection.close(200, "done".into()).await;
        };
        let _ = timeout(LOOK, close).await;
    }

    fn set_blocked(&self, blocked: bool) {
        self.sender.send_modify(|state| {
            if let Some(up) = state {
                up.blocked = blocked;
            }
        });
    }
}

/// Growing pauses with jitter: at most five seconds and a bit, for ever.
pub(super) fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_millis(2_500))
        .without_max_times()
        .build()
}
