//! The ground of a measurement: servers of one setting, the store and the broker of the
//! floors on them, and a cluster of real processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_broker::Broker;
use baton_common::settings::Timings;
use baton_orchestrator::wiring;
use baton_store::Store;
use baton_testbed::{Rabbit, RabbitOptions, Redis, RedisOptions};

use super::machine::{Fsync, cpu_seconds};
use crate::cluster::{Cluster, ClusterOptions};

/// Jobs that a worker runs at once, and messages under way to the floors.
pub(super) const SLOTS: u16 = 256;

/// How servers keep what they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Classic queues; Redis syncs every second.
    Everysec,
    /// Quorum queues; Redis syncs before it answers.
    Always,
}

impl Setting {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Everysec, Self::Always];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Everysec => "classic, everysec",
            Self::Always => "quorum, always",
        }
    }

    fn queue_type(self) -> &'static str {
        match self {
            Self::Everysec => "classic",
            Self::Always => "quorum",
        }
    }

    fn appendfsync(self) -> &'static str {
        match self {
            Self::Everysec => "everysec",
            Self::Always => "always",
        }
    }

    /// A private Redis. Its log is not written anew meanwhile: that would slow one side alone.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) fn redis(self, further: &[&str]) -> anyhow::Result<Redis> {
        let mut args = ["--auto-aof-rewrite-percentage", "0"].map(str::to_owned).to_vec();
        args.extend(further.iter().map(|argument| (*argument).to_owned()));
        Redis::start(RedisOptions { appendfsync: self.appendfsync().to_owned(), args, ..RedisOptions::default() })
    }
}

/// One orchestrator and one worker as processes of their own, over servers of their own.
pub(super) struct Ground {
    pub(super) setting: Setting,
    pub(super) cluster: Cluster,
    /// Looks at the cluster's rows.
    pub(super) store: Arc<dyn Store>,
}

impl Ground {
    /// Starts everything; `further` are arguments of Redis.
    ///
    /// # Errors
    /// When something does not come up.
    pub(super) async fn start(setting: Setting, further: &[&str]) -> anyhow::Result<Self> {
        Self::told(setting, further, &[]).await
    }

    /// The same with further settings of the processes.
    ///
    /// # Errors
    /// When something does not come up.
    pub(super) async fn told(setting: Setting, further: &[&str], told: &[(&str, &str)]) -> anyhow::Result<Self> {
        let redis = setting.redis(further)?;
        let rabbit = Rabbit::start(RabbitOptions::default())?;
        let options = ClusterOptions {
            orchestrators: 1,
            io_workers: 1,
            cpu_workers: 0,
            hurry: 1,
            queue_type: setting.queue_type().to_owned(),
            ..ClusterOptions::default()
        };
        let mut cluster = Cluster::over(&options, redis, rabbit).await?;
        for process in cluster.orchestrators.iter_mut().chain(&mut cluster.workers) {
            told.iter().for_each(|(name, value)| process.env(name, value));
        }
        for worker in &mut cluster.workers {
            worker.env("BATON_SLOTS", &SLOTS.to_string());
            worker.env("BATON_CALL_TIMEOUT_MS", "5000");
        }
        cluster.run_all().await?;
        let store = wiring::store(&cluster.redis.url(), &Timings::default()).await?;
        Ok(Self { setting, cluster, store })
    }

    /// Seconds of a core: orchestrator, worker, Redis.
    pub(super) fn cpu(&self) -> [f64; 3] {
        let pid = |process: Option<&crate::cluster::Process>| process.and_then(crate::cluster::Process::pid);
        let Cluster { orchestrators, workers, redis, .. } = &self.cluster;
        [cpu_seconds(pid(orchestrators.first())), cpu_seconds(pid(workers.first())), cpu_seconds(redis.pid())]
    }

    /// The address of the orchestrator.
    pub(super) fn address(&self) -> String {
        self.cluster.orchestrators.first().and_then(|process| process.address.clone()).unwrap_or_default()
    }

    /// What its disk takes, where answers wait for it.
    pub(super) fn fsync(&self) -> anyhow::Result<Option<Fsync>> {
        let folder = self.cluster.redis.folder();
        (self.setting == Setting::Always).then(|| Fsync::measure(folder)).transpose()
    }
}

/// What a floor plays on: a Redis of its own, a virtual host on the cluster's broker.
pub(super) struct FloorGround {
    pub(super) redis: Redis,
    pub(super) store: Arc<dyn Store>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) broker_url: String,
}

impl FloorGround {
    /// # Errors
    /// When something does not come up.
    pub(super) async fn beside(ground: &Ground) -> anyhow::Result<Self> {
        let redis = ground.setting.redis(&[])?;
        let rabbit = &ground.cluster.rabbit;
        let vhost = rabbit.new_vhost()?;
        let broker_url = format!("{}?queue_type={}", rabbit.url(&vhost), ground.setting.queue_type());
        let store = wiring::store(&redis.url(), &Timings::default()).await?;
        let broker = wiring::broker(&broker_url)?;
        let began = Instant::now();
        while !broker.ready() {
            anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "the broker does not take messages");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { redis, store, broker, broker_url })
    }
}

/// Scripts that a server has run so far.
///
/// # Errors
/// When it does not answer.
pub(super) fn scripts_of(redis: &Redis) -> anyhow::Result<u64> {
    let stats = redis.cli(&["info", "commandstats"])?;
    let line = stats.lines().find_map(|line| line.trim().strip_prefix("cmdstat_evalsha:calls="));
    Ok(line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0))
}
