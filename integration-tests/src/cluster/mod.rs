//! A private cluster of real processes: Redis, RabbitMQ, orchestrators and workers, each on
//! free ports and in a folder of its own, ended by process id.

pub mod ledger;
mod process;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_testbed::{Rabbit, RabbitOptions, Redis, RedisOptions, free_port};
use tempfile::TempDir;

pub use process::{Process, hurried, program_path as program};

use crate::grpc::Client;

/// How a cluster is made.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Orchestrators.
    pub orchestrators: usize,
    /// Workers of the io class.
    pub io_workers: usize,
    /// Workers of the cpu class.
    pub cpu_workers: usize,
    /// Folders that file tools may read.
    pub file_roots: Vec<PathBuf>,
    /// Protocol timings are divided by this.
    pub hurry: u64,
    /// `quorum` or `classic`.
    pub queue_type: String,
    /// What runs as a worker of the io class.
    pub io_program: String,
    /// What runs as a worker of the cpu class.
    pub cpu_program: String,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            orchestrators: 2,
            io_workers: 1,
            cpu_workers: 1,
            file_roots: Vec::new(),
            hurry: 10,
            queue_type: "classic".to_owned(),
            io_program: "baton-worker-io".to_owned(),
            cpu_program: "baton-worker-cpu".to_owned(),
        }
    }
}

/// The cluster. Dropping it ends everything it started.
pub struct Cluster {
    /// The store's server.
    pub redis: Redis,
    /// The broker's server.
    pub rabbit: Rabbit,
    /// Orchestrators.
    pub orchestrators: Vec<Process>,
    /// Workers, io before cpu.
    pub workers: Vec<Process>,
    /// Calls the orchestrators.
    pub client: Client,
    vhost: String,
    folder: TempDir,
}

impl Cluster {
    /// Starts everything and waits until it serves.
    ///
    /// # Errors
    /// When a program is missing or does not come up.
    pub async fn start(options: &ClusterOptions) -> anyhow::Result<Self> {
        let redis = Redis::start(RedisOptions { appendfsync: "always".to_owned(), ..RedisOptions::default() })?;
        let rabbit = Rabbit::start(RabbitOptions::default())?;
        Self::over(options, redis, rabbit).await
    }

    /// Starts orchestrators and workers over servers that run.
    ///
    /// # Errors
    /// When a program is missing or does not come up.
    pub async fn over(options: &ClusterOptions, redis: Redis, rabbit: Rabbit) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-cluster-").tempdir()?;
        let vhost = rabbit.new_vhost()?;
        let broker = format!("{}?queue_type={}", rabbit.url(&vhost), options.queue_type);
        let mut shared = vec![
            ("BATON_STORE".to_owned(), redis.url()),
            ("BATON_BROKER".to_owned(), broker.clone()),
            ("BATON_BLOBS".to_owned(), format!("file:{}", folder.path().join("blobs").display())),
        ];
        shared.extend(hurried(options.hurry));
        let mut orchestrators = Vec::new();
        for number in 0..options.orchestrators {
            let port = free_port()?;
            let mut process = Process::new("baton-orchestrator", &format!("orchestrator-{number}"), folder.path())?;
            process.env_all(&shared);
            process.env("BATON_GRPC_ADDR", &format!("127.0.0.1:{port}"));
            process.env("BATON_HTTP_ADDR", "127.0.0.1:0");
            process.address = Some(format!("http://127.0.0.1:{port}"));
            orchestrators.push(process);
        }
        let addresses: Vec<String> = orchestrators.iter().filter_map(|process| process.address.clone()).collect();
        let roots: Vec<String> = options.file_roots.iter().map(|root| root.display().to_string()).collect();
        let mut workers = Vec::new();
        for (program, class, count) in
            [(&options.io_program, "io", options.io_workers), (&options.cpu_program, "cpu", options.cpu_workers)]
        {
            for number in 0..count {
                let name = format!("worker-{class}-{number}");
                let mut process = Process::new(program, &name, folder.path())?;
                process.env("BATON_BROKER", &broker);
                process.env("BATON_ORCHESTRATOR", &addresses.join(","));
                process.env("BATON_DATA_DIR", &folder.path().join(&name).display().to_string());
                process.env("BATON_METRICS_ADDR", "off");
                process.env("BATON_DEBUG_TOOLS", "1");
                process.env("BATON_DEBUG_DIR", &folder.path().join("ledger").display().to_string());
                if !roots.is_empty() {
                    process.env("BATON_FILE_ROOTS", &roots.join(":"));
                }
                process.env("BATON_CALL_TIMEOUT_MS", "2000");
                process.env("BATON_BACKOFF_MS_MAX", "500");
                workers.push(process);
            }
        }
        std::fs::create_dir_all(folder.path().join("ledger"))?;
        let client = Client::new(&addresses)?;
        Ok(Self { redis, rabbit, orchestrators, workers, client, vhost, folder })
    }

    /// Starts the processes that do not run, and waits until enough workers are listed.
    ///
    /// # Errors
    /// When one does not come up.
    pub async fn run_all(&mut self) -> anyhow::Result<()> {
        for process in self.orchestrators.iter_mut().chain(&mut self.workers) {
            process.start()?;
        }
        let io = self.workers.iter().filter(|worker| worker.name.contains("-io-")).count();
        let cpu = self.workers.len() - io;
        let started = Instant::now();
        loop {
            if self.client.workers("io").await? >= io && self.client.workers("cpu").await? >= cpu {
                return Ok(());
            }
            if started.elapsed() > Duration::from_secs(60) {
                bail!("the workers were not listed within a minute\n{}", self.logs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The folder of the ledger files that `debug.ledger` writes.
    #[must_use]
    pub fn ledger_folder(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// The folder of everything that programs write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The broker's address, as a client of its own takes it.
    #[must_use]
    pub fn broker_url(&self) -> String {
        self.rabbit.url(&self.vhost)
    }

    /// Messages that wait in these queues or are held by somebody.
    ///
    /// # Errors
    /// When the broker does not tell.
    pub fn messages(&self, queues: &[&str]) -> anyhow::Result<u64> {
        let all = self.rabbit.queues(&self.vhost)?;
        Ok(all.iter().filter(|(name, _)| queues.contains(&name.as_str())).map(|(_, count)| count).sum())
    }

    /// Takes every message out of a queue.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn take_messages(&self, queue: &str) -> anyhow::Result<()> {
        self.rabbit.purge(&self.vhost, queue)
    }

    /// The folder of blobs and artifacts.
    #[must_use]
    pub fn blobs_folder(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    /// The last lines of every process, for a failing test.
    #[must_use]
    pub fn logs(&self) -> String {
        let all = self.orchestrators.iter().chain(&self.workers);
        all.map(|process| format!("--- {}\n{}\n", process.name, process.last_words())).collect()
    }
}

/// A file of the examples.
///
/// # Errors
/// When it is not there.
pub fn example(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    path.canonicalize().with_context(|| format!("{} is not there", path.display()))
}
