//! Floor A: the least that a durable step could be. Two scripts, each of which compares a
//! version and writes the payload of a step, and between them one message with its confirm and
//! its acknowledgement. It keeps no index, no lease, no event and no audit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use baton_broker::{Broker, Delivery, Message, Published};
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ground::SLOTS;

/// Connections, as many as the store's adapter has.
const CONNECTIONS: usize = 8;
/// Steps of a run, then the next begins.
const STEPS: u64 = 200;

/// KEYS: the run, its pieces. ARGV: the version seen, the piece.
const WRITE: &str = "
if tonumber(redis.call('HGET', KEYS[1], 'v') or '0') ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1] + 1)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
";

/// The floor.
pub(super) struct FloorA {
    links: Vec<MultiplexedConnection>,
    broker: Arc<dyn Broker>,
    sha: String,
    /// What the first script writes: as much as an advance.
    advance: String,
    /// What the second writes: as much as an outcome.
    outcome: String,
    /// A message of the size of a real one.
    message: Message,
    /// Steps so far.
    pub(super) steps: AtomicU64,
}

/// What a step of floor A carries.
pub(super) struct Payload {
    pub(super) advance_bytes: usize,
    pub(super) outcome_bytes: usize,
    pub(super) message: Message,
}

impl FloorA {
    /// # Errors
    /// When Redis does not answer.
    pub(super) async fn new(url: &str, broker: Arc<dyn Broker>, payload: Payload) -> anyhow::Result<Arc<Self>> {
        let client = redis::Client::open(url)?;
        let mut links = Vec::new();
        for _ in 0..CONNECTIONS {
            links.push(client.get_multiplexed_async_connection().await?);
        }
        let mut first = links.first().context("a connection")?.clone();
        let sha: String = redis::cmd("SCRIPT").arg("LOAD").arg(WRITE).query_async(&mut first).await?;
        let Payload { advance_bytes, outcome_bytes, message } = payload;
        let (advance, outcome) = ("a".repeat(advance_bytes), "r".repeat(outcome_bytes));
        Ok(Arc::new(Self { links, broker, sha, advance, outcome, message, steps: AtomicU64::new(0) }))
    }

    /// Plays so many runs at once until `stop`.
    ///
    /// # Errors
    /// When something is not answered as it should.
    pub(super) async fn play(self: Arc<Self>, runs: usize, stop: CancellationToken) -> anyhow::Result<()> {
        let (dones, hears): (Vec<Sender<()>>, Vec<Receiver<()>>) = (0..runs).map(|_| channel(1)).unzip();
        let mut consumer = self.broker.consume(&[self.message.queue.to_string()], SLOTS).await?;
        let mut players = JoinSet::new();
        for (slot, hears) in hears.into_iter().enumerate() {
            players.spawn(self.clone().run(slot, hears, stop.clone()));
        }
        let dones = Arc::new(dones);
        let work = async {
            let mut jobs = JoinSet::new();
            loop {
                tokio::select! {
                    biased;
                    Some(job) = jobs.join_next() => job??,
                    delivery = consumer.next() => drop(jobs.spawn(self.clone().job(delivery?, dones.clone()))),
                }
            }
        };
        let played = async {
            while let Some(player) = players.join_next().await {
                player??;
            }
            Ok(())
        };
        tokio::select! {
            worked = work => worked,
            played = played => played,
        }
    }

    async fn run(self: Arc<Self>, slot: usize, mut done: Receiver<()>, stop: CancellationToken) -> anyhow::Result<()> {
        let name = uuid_like();
        let mut turn = 0;
        while !stop.is_cancelled() {
            let run = format!("{name}:{}", turn / STEPS);
            self.write(slot, &run, 2 * (turn % STEPS), &self.advance).await?;
            let mut message = self.message.clone();
            let mut body = format!("{slot} {} {run} ", 2 * (turn % STEPS) + 1).into_bytes();
            body.resize(message.body.len().max(body.len()), b'.');
            message.body = body.into();
            let sent = self.broker.publish(vec![message]).await;
            anyhow::ensure!(sent == [Published::Confirmed], "publish answered {sent:?}");
            done.recv().await.context("nobody works")?;
            turn += 1;
        }
        Ok(())
    }

    async fn job(self: Arc<Self>, delivery: Box<dyn Delivery>, dones: Arc<Vec<Sender<()>>>) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(delivery.body()).into_owned();
        let mut words = text.split(' ');
        let slot: usize = words.next().context("a slot")?.parse()?;
        let ver: u64 = words.next().context("a version")?.parse()?;
        let run = words.next().context("a run")?.to_owned();
        self.write(slot, &run, ver, &self.outcome).await?;
        delivery.ack().await?;
        self.steps.fetch_add(1, Ordering::Relaxed);
        dones.get(slot).context("a slot")?.send(()).await.context("the run ended")
    }

    async fn write(&self, slot: usize, run: &str, ver: u64, piece: &str) -> anyhow::Result<()> {
        let mut link = self.links[slot % self.links.len()].clone();
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.sha).arg(2).arg(format!("{{{run}}}v")).arg(format!("{{{run}}}x")).arg(ver).arg(piece);
        match call.query_async::<i64>(&mut link).await? {
            1 => Ok(()),
            other => bail!("a script of floor A answered {other}"),
        }
    }
}

fn uuid_like() -> String {
    format!("{:032x}", rand::random::<u128>())
}
