//! What a drill strikes: private servers, orchestrators and workers, and a TCP proxy on every
//! way between them. It only does what it is told; when and why is up to the nemesis.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_testbed::{Proxy, Rabbit, RabbitOptions, Redis, RedisOptions, free_port};
use tempfile::TempDir;

use super::api::Api;
use super::guard::Guard;
use super::sabotage::Sabotage;
use crate::cluster::{Process, hurried, program};

/// How a bed is made.
#[derive(Debug, Clone)]
pub struct BedOptions {
    /// Orchestrators.
    pub orchestrators: usize,
    /// Workers of the io class.
    pub io_workers: usize,
    /// Workers of the cpu class.
    pub cpu_workers: usize,
    /// Protocol timings are divided by this.
    pub hurry: u64,
    /// `always` or `everysec`.
    pub fsync: String,
    /// Whether the store has a replica, and sentinels who promote it. Orchestrators then have no
    /// proxy on their way to it.
    pub guarded: bool,
    /// `classic` or `quorum`.
    pub queue_type: String,
    /// The check that orchestrators do without.
    pub sabotage: Option<Sabotage>,
    /// Further settings of orchestrators.
    pub orchestrator_env: Vec<(String, String)>,
    /// Further settings of workers.
    pub worker_env: Vec<(String, String)>,
    /// Lines of `rabbitmq.conf`, for a broker that is made here.
    pub rabbit_config: Vec<String>,
    /// Terms of its `advanced.config`.
    pub rabbit_advanced: Vec<String>,
}

impl Default for BedOptions {
    fn default() -> Self {
        Self {
            orchestrators: 2,
            io_workers: 1,
            cpu_workers: 0,
            hurry: 20,
            fsync: "everysec".to_owned(),
            guarded: false,
            queue_type: "classic".to_owned(),
            sabotage: None,
            orchestrator_env: Vec::new(),
            worker_env: Vec::new(),
            rabbit_config: Vec::new(),
            rabbit_advanced: Vec::new(),
        }
    }
}

/// A process and the ways it depends on.
pub struct Node {
    /// The process.
    pub process: Process,
    /// Its way to the store; orchestrators only, where sentinels do not show them the way.
    pub store: Option<Proxy>,
    /// Its way to the broker.
    pub broker: Proxy,
    /// The way of everybody else to its calls; orchestrators only.
    pub calls: Option<Proxy>,
}

/// The bed. Dropping it ends everything it started.
pub struct Bed {
    /// The store's server.
    pub redis: Redis,
    /// What takes the store's place.
    pub guard: Option<Guard>,
    /// The broker's server.
    pub rabbit: Rabbit,
    /// The virtual host of this bed.
    pub vhost: String,
    /// Orchestrators.
    pub orchestrators: Vec<Node>,
    /// Workers, io before cpu.
    pub workers: Vec<Node>,
    folder: TempDir,
}

impl Bed {
    /// Starts servers and processes, and waits until they serve. A broker that runs already may
    /// be given; it is had back with [`into_rabbit`](Self::into_rabbit).
    ///
    /// # Errors
    /// When a program is missing or does not come up.
    pub async fn start(options: &BedOptions, rabbit: Option<Rabbit>) -> anyhow::Result<Self> {
        let args = ["--auto-aof-rewrite-percentage", "0"].map(str::to_owned).to_vec();
        let appendfsync = options.fsync.clone();
        let redis_options = RedisOptions { appendfsync, args, ..RedisOptions::default() };
        let redis = Redis::start(redis_options.clone())?;
        let guard = options.guarded.then(|| Guard::start(&redis, &redis_options)).transpose()?;
        let rabbit = match rabbit {
            Some(rabbit) => rabbit,
            None => Rabbit::start(RabbitOptions {
                config: options.rabbit_config.clone(),
                advanced: options.rabbit_advanced.clone(),
                ..RabbitOptions::default()
            })?,
        };
        let folder = tempfile::Builder::new().prefix("baton-chaos-").tempdir()?;
        std::fs::create_dir_all(folder.path().join("ledger"))?;
        let vhost = rabbit.new_vhost()?;
        let mut bed = Self { redis, guard, rabbit, vhost, orchestrators: Vec::new(), workers: Vec::new(), folder };
        for number in 0..options.orchestrators {
            let node = bed.orchestrator(options, number)?;
            bed.orchestrators.push(node);
        }
        for (program, class, count) in
            [("baton-worker-io", "io", options.io_workers), ("baton-worker-cpu", "cpu", options.cpu_workers)]
        {
            for number in 0..count {
                let node = bed.worker(options, program, &format!("worker-{class}-{number}"))?;
                bed.workers.push(node);
            }
        }
        bed.run_all()?;
        bed.listed(options).await?;
        Ok(bed)
    }

    /// The programs lie here once more, so that a build meanwhile changes nothing.
    fn own_program(&self, name: &str) -> anyhow::Result<String> {
        let (built, own) = (program(name)?, self.folder.path().join(name));
        if !own.exists() && std::fs::hard_link(&built, &own).is_err() {
            std::fs::copy(&built, &own).with_context(|| format!("cannot copy {}", built.display()))?;
        }
        Ok(own.display().to_string())
    }

    fn broker_through(&self, proxy: &Proxy, options: &BedOptions) -> String {
        let port = proxy.port();
        format!("amqp://guest:guest@127.0.0.1:{port}/{}?queue_type={}&heartbeat=2", self.vhost, options.queue_type)
    }

    fn orchestrator(&self, options: &BedOptions, number: usize) -> anyhow::Result<Node> {
        let (store, url) = match &self.guard {
            Some(guard) => (None, guard.url()),
            None => {
                let proxy = Proxy::start(self.redis.port())?;
                let url = format!("redis://127.0.0.1:{}/", proxy.port());
                (Some(proxy), url)
            }
        };
        let broker = Proxy::start(self.rabbit.port())?;
        let port = free_port()?;
        let calls = Proxy::start(port)?;
        let name = format!("orchestrator-{number}");
        let mut process = Process::new(&self.own_program("baton-orchestrator")?, &name, self.folder.path())?;
        process.env_all(&hurried(options.hurry));
        if options.hurry > 1 {
            process.env("BATON_TIMING_TICK_MS", "50");
            process.env("BATON_TIMING_IDLE_TICK_MS", "200");
        }
        process.env("BATON_TIMING_INFRA_ATTEMPTS_MAX", "1000");
        process.env("BATON_TIMING_ADVANCE_ATTEMPTS_MAX", "1000");
        process.env("BATON_STORE", &url);
        process.env("BATON_BROKER", &self.broker_through(&broker, options));
        process.env("BATON_BLOBS", &format!("file:{}", self.folder.path().join("blobs").display()));
        process.env("BATON_GRPC_ADDR", &format!("127.0.0.1:{port}"));
        process.env("BATON_HTTP_ADDR", "127.0.0.1:0");
        if let Some(sabotage) = options.sabotage {
            process.env("BATON_SABOTAGE", sabotage.name());
        }
        process.env_all(&options.orchestrator_env);
        process.address = Some(format!("http://127.0.0.1:{port}"));
        Ok(Node { process, store, broker, calls: Some(calls) })
    }

    fn worker(&self, options: &BedOptions, program: &str, name: &str) -> anyhow::Result<Node> {
        let broker = Proxy::start(self.rabbit.port())?;
        let mut process = Process::new(&self.own_program(program)?, name, self.folder.path())?;
        process.env("BATON_BROKER", &self.broker_through(&broker, options));
        process.env("BATON_ORCHESTRATOR", &self.addresses().join(","));
        process.env("BATON_DATA_DIR", &self.folder.path().join(name).display().to_string());
        process.env("BATON_METRICS_ADDR", "off");
        process.env("BATON_DEBUG_TOOLS", "1");
        process.env("BATON_DEBUG_DIR", &self.ledger_folder().display().to_string());
        process.env("BATON_CALL_TIMEOUT_MS", "2000");
        process.env("BATON_BACKOFF_MS_MAX", "500");
        process.env_all(&options.worker_env);
        Ok(Node { process, store: None, broker, calls: None })
    }

    /// Addresses of the orchestrators as everybody reaches them: through their proxies.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let calls = self.orchestrators.iter().filter_map(|node| node.calls.as_ref());
        calls.map(|proxy| format!("http://127.0.0.1:{}", proxy.port())).collect()
    }

    /// A caller that meets whatever happens on the way.
    ///
    /// # Errors
    /// When an address is none.
    pub fn api(&self) -> anyhow::Result<Api> {
        Api::new(&self.addresses())
    }

    /// A caller whose way nobody disturbs.
    ///
    /// # Errors
    /// When an address is none.
    pub fn direct_api(&self) -> anyhow::Result<Api> {
        let direct: Vec<String> = self.orchestrators.iter().filter_map(|node| node.process.address.clone()).collect();
        Api::new(&direct)
    }

    /// All processes.
    pub fn nodes(&mut self) -> impl Iterator<Item = &mut Node> {
        self.orchestrators.iter_mut().chain(&mut self.workers)
    }

    /// Every way there is.
    pub fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        let nodes = self.orchestrators.iter().chain(&self.workers);
        nodes.flat_map(|node| node.store.iter().chain([&node.broker]).chain(&node.calls))
    }

    /// Starts whatever does not run.
    ///
    /// # Errors
    /// When something does not start.
    pub fn run_all(&mut self) -> anyhow::Result<()> {
        self.nodes().try_for_each(|node| node.process.start())
    }

    /// Waits until every worker is known and the queues are there.
    async fn listed(&self, options: &BedOptions) -> anyhow::Result<()> {
        let (api, began) = (self.direct_api()?, Instant::now());
        loop {
            let workers = api.workers().await.unwrap_or_default();
            if workers >= options.io_workers + options.cpu_workers {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(60) {
                bail!("{workers} workers were listed within a minute\n{}", self.logs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The folder of everything the processes write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the ledgers.
    #[must_use]
    pub fn ledger_folder(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// The last lines of every process.
    #[must_use]
    pub fn logs(&self) -> String {
        let all = self.orchestrators.iter().chain(&self.workers);
        all.map(|node| format!("--- {}\n{}\n", node.process.name, node.process.last_words())).collect()
    }

    /// Panics that any process told of, each with its line.
    #[must_use]
    pub fn panics(&self) -> Vec<String> {
        let all = self.orchestrators.iter().chain(&self.workers);
        all.flat_map(|node| {
            let text = node.process.log();
            let lines = text.lines().filter(|line| line.contains("panicked at"));
            lines.map(|line| format!("{}: {line}", node.process.name)).collect::<Vec<_>>()
        })
        .collect()
    }

    /// Ends the processes and keeps everything they wrote; where that is.
    #[must_use]
    pub fn keep(mut self) -> (Rabbit, PathBuf) {
        self.nodes().for_each(|node| node.process.kill());
        self.redis.kill();
        let kept = self.folder.path().join("store");
        // The log of the store tells more than anything else, where it can be had.
        let _ = std::fs::rename(self.redis.folder(), kept);
        (self.rabbit, self.folder.keep())
    }

    /// Ends it but for the broker.
    #[must_use]
    pub fn into_rabbit(self) -> Rabbit {
        self.rabbit
    }
}
