//! A store in Redis 7 or Valkey, without modules: one script per transition.
//!
//! The scripts decide; they are held to the machine by the differential test. Everything of
//! a partition shares a hash tag. Rows that decide are packed and small; bodies are JSON
//! texts in hashes beside them; groups of more than 64 tasks keep theirs in keys that are
//! dropped whole. A call is made once: whoever makes it repeats it.

mod address;
mod advance;
mod boot;
mod checkpoints;
mod codes;
mod commands;
mod counts;
mod dump;
mod events;
mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
mod history;
mod incarnation;
mod info;
mod keys;
mod lineage;
mod link;
mod listing;
mod live;
mod pack;
mod quotas;
mod reader;
mod registry;
mod replies;
mod rows;
mod run_row;
mod sabotage;
mod scan;
mod schedules;
mod scripts;
mod sentinel;
mod tail;
mod waits;
mod wire;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use baton_common::records::Audit;
use baton_common::settings::Timings;
use baton_common::transition::{DuePage, Op, PopDue, Reply};
use baton_common::{Partition, Timestamp};
use redis::cmd;

use crate::machine::Guards;
use crate::suite::Subject;
use crate::{Counts, Error, Fill, Live, Store};
use commands::Guess;
use incarnation::Incarnation;
use link::Links;
use live::RedisLive;
use pack::Fields;
use scripts::{Script, Scripts};

/// How a Redis store is opened.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://`, `redis+sentinel://` or `redis+cluster://`, with an `s` behind `redis` for TLS:
    /// see `docs/operations/redis.md`.
    pub url: String,
    /// Protocol timings.
    pub timings: Timings,
    /// Multiplexed connections; 1 where the server syncs every second, 8 to 16 where it
    /// syncs always.
    pub connections: usize,
    /// Whether a server without an append-only file is accepted.
    pub allow_no_aof: bool,
    /// Entries in each partition's event stream; one holds the events of a transition.
    pub events_max: u32,
    /// How long audit entries are kept, in milliseconds.
    pub audit_retention_ms: u64,
    /// How long a command may take before nothing is known of it, in milliseconds.
    pub response_timeout_ms: u64,
    /// Which checks of the scripts hold: all of them, but in drills.
    pub guards: Guards,
}

impl RedisOptions {
    /// The usual ones for that address: 64 MB of events over the whole store, a quarter of
    /// a year of audit.
    #[must_use]
    pub fn new(url: impl Into<String>, timings: Timings) -> Self {
        Self {
            url: url.into(),
            timings,
            connections: 1,
            allow_no_aof: false,
            events_max: 1_500,
            audit_retention_ms: 90 * 24 * 3_600_000,
            response_timeout_ms: 5_000,
            guards: Guards::default(),
        }
    }

    /// Reads the address and the files it names; nobody is asked.
    ///
    /// # Errors
    /// When the address does not read, or a file.
    pub fn check(&self) -> Result<(), Error> {
        address::Address::read(&self.url).map(drop)
    }
}

/// A store in Redis; clones share its connections.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: String,
    timings: Timings,
    links: Arc<Links>,
    incarnation: Incarnation,
    scripts: Scripts,
    live: OnceLock<Arc<RedisLive>>,
}

impl RedisStore {
    /// Connects, checks the server and loads the scripts.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached, `Broken` when it may lose or evict
    /// what it was given or holds a store of another layout.
    pub async fn connect(options: RedisOptions) -> Result<Self, Error> {
        let links = Arc::new(Links::connect(&options).await?);
        boot::check_server(&links, options.allow_no_aof).await?;
        let cluster = boot::identity(&links).await?;
        let scripts = Scripts::load(&links, &options).await?;
        let incarnation = Incarnation::watch(links.clone(), cluster.clone()).await?;
        let (timings, live) = (options.timings, OnceLock::new());
        Ok(Self { shared: Arc::new(Shared { cluster, timings, links, incarnation, scripts, live }) })
    }

    /// How often each script was called by this store.
    #[must_use]
    pub fn script_counts(&self) -> BTreeMap<&'static str, u64> {
        self.shared.scripts.counts()
    }

    async fn make(&self, op: &Op, at: Option<Timestamp>) -> Result<Reply, Error> {
        let mut guess = Guess::default();
        if let Op::Advance(commit) = op {
            guess.generation = advance::generation(commit);
        }
        let mut answer = self.call(op, &guess, at).await?;
        while let Some(better) = replies::better_guess(op, &answer, &guess)? {
            guess = better;
            answer = self.call(op, &guess, at).await?;
        }
        replies::reply(op, &answer)
    }

    async fn call(&self, op: &Op, guess: &Guess, at: Option<Timestamp>) -> Result<Vec<u8>, Error> {
        let Shared { timings, links, scripts, incarnation, .. } = &*self.shared;
        incarnation.check()?;
        let (script, command) = commands::command(op, timings, guess)?;
        scripts.call(links, script, op.partition(), &command, at).await
    }

    /// When the first entry of each partition is due.
    async fn nearest_due(&self, partitions: &[Partition]) -> Result<(Timestamp, Vec<Option<Timestamp>>), Error> {
        let mut pipeline = redis::Pipeline::with_capacity(partitions.len() + 1);
        for &partition in partitions {
            pipeline.cmd("ZRANGE").arg(keys::due(partition)).arg(0).arg(0).arg("WITHSCORES");
        }
        pipeline.cmd("TIME");
        let link = partitions.first().copied().unwrap_or(Partition(0));
        let mut replies: Vec<redis::Value> = self.shared.links.pipeline(link, &pipeline).await?;
        let now = clock_of(redis::from_redis_value(replies.pop().unwrap_or_default()))?;
        let mut nearest = Vec::with_capacity(replies.len());
        for reply in replies {
            let first: Vec<(String, f64)> = redis::from_redis_value(reply).map_err(|_| pack::broken("a due entry"))?;
            #[allow(clippy::cast_possible_truncation, reason = "scores are whole milliseconds below 2^53")]
            nearest.push(first.first().map(|(_, at)| Timestamp(*at as i64)));
        }
        Ok((now, nearest))
    }

    async fn server_clock(&self) -> Result<Timestamp, Error> {
        clock_of(Ok(self.shared.links.command(Partition(0), &cmd("TIME")).await?))
    }
}

/// The answer to TIME: seconds and microseconds.
fn clock_of(answer: Result<(i64, i64), redis::ParsingError>) -> Result<Timestamp, Error> {
    let (seconds, micros) = answer.map_err(|_| pack::broken("the server's clock"))?;
    Ok(Timestamp(seconds * 1_000 + micros / 1_000))
}

#[async_trait]
impl Store for RedisStore {
    async fn apply(&self, op: Op) -> Result<Reply, Error> {
        self.make(&op, None).await
    }

    /// Asks all partitions at once when their first entry is due, and takes only from those
    /// where something is.
    async fn pop_due(&self, partitions: &[Partition], limit: u32, hide_ms: u64) -> Result<Vec<DuePage>, Error> {
        let (now, nearest) = self.nearest_due(partitions).await?;
        let mut pages: Vec<DuePage> =
            nearest.iter().map(|next| DuePage { due: Vec::new(), next: *next, now }).collect();
        let mut calls = Vec::new();
        let mut places = Vec::new();
        for (place, (&partition, next)) in partitions.iter().zip(&nearest).enumerate() {
            if next.is_some_and(|next| next <= now) {
                calls.push((partition, commands::pop_due(&PopDue { partition, limit, hide_ms })));
                places.push(place);
            }
        }
        let Shared { links, scripts, .. } = &*self.shared;
        let answers = scripts.call_each(links, Script::PopDue, &calls).await?;
        for ((place, (partition, _)), answer) in places.into_iter().zip(calls).zip(answers) {
            if let Some(page) = pages.get_mut(place) {
                *page = replies::pop_due(partition, &mut Fields::of(&answer)?)?;
            }
        }
        Ok(pages)
    }

    async fn lease_partition(&self, partition: Partition, owner: &str, ms: u64) -> Result<bool, Error> {
        let Shared { links, scripts, .. } = &*self.shared;
        let command = pack::Packer::default().bytes(owner).number(ms.max(1)).finish();
        let answer = scripts.call(links, Script::Lease, partition, &command, None).await?;
        Fields::of(&answer)?.flag()
    }

    async fn fill(&self) -> Result<Option<Fill>, Error> {
        quotas::fill(&self.shared.links).await
    }

    async fn counts(&self) -> Result<Counts, Error> {
        counts::counts(&self.shared.links).await
    }

    fn live(&self) -> Option<Arc<dyn Live>> {
        let Shared { live, links, cluster, .. } = &*self.shared;
        let live = match live.get() {
            Some(live) => live,
            None => live.get_or_init(|| Arc::new(RedisLive::start(links, cluster))),
        };
        Some(live.clone())
    }

    fn incarnation(&self) -> u64 {
        self.shared.incarnation.number()
    }

    async fn note_setback(&self, entry: Audit) -> Result<(), Error> {
        let Shared { links, scripts, .. } = &*self.shared;
        let command = events::setback(&entry);
        scripts.call(links, Script::Setback, entry.run.partition, &command, None).await.map(drop)
    }

    /// Connections end with the last clone.
    async fn close(&self) {
        self.shared.incarnation.stop();
        if let Some(live) = self.shared.live.get() {
            live.stop();
        }
    }
}

#[async_trait]
impl Subject for RedisStore {
    async fn apply_when(&self, op: &Op, now: Timestamp) -> Result<Reply, Error> {
        self.make(op, Some(now)).await
    }

    async fn rows(&self, partition: Partition) -> Result<BTreeMap<String, String>, Error> {
        dump::dump(&self.shared.links, partition).await
    }

    fn shows_all(&self) -> bool {
        !self.shared.links.clustered()
    }
}
