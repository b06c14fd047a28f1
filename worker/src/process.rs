//! The worker binaries: settings from flags and environment, signals, the probe. What a
//! worker does is left to the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use baton_common::WorkerId;
use baton_common::failpoint;
use baton_common::tool::QueueClass;
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::builtin::builtin_catalogue;
use crate::config::{FileConfig, ToolSwitches};
use crate::settings::{Settings, cores};
use crate::status::{Counts, Status};
use crate::wiring;
use crate::worker::{CpuPool, Parts, Worker};

/// The probe's file is written this often.
const HEALTH_EVERY: Duration = Duration::from_secs(2);

/// A probe's file older than this tells of a process that hangs or is gone.
const HEALTH_AGE_MAX: Duration = Duration::from_secs(15);

#[derive(Parser)]
#[command(version, about = "Takes jobs of one class from the queues, runs them and hands the results back")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Says whether the worker of this class on this data folder is well: 0 yes, 1 no.
    Health,
}

/// Settings: flags before environment before defaults.
#[derive(Args, Clone)]
struct Options {
    /// The broker: amqp:// or amqps://
    #[arg(
        long,
        env = "BATON_BROKER",
        default_value = "amqp://127.0.0.1:5672/%2f",
        global = true,
        hide_env_values = true
    )]
    broker: String,
    /// The orchestrators, separated by commas
    #[arg(long, env = "BATON_ORCHESTRATOR", default_value = "http://127.0.0.1:7420", global = true)]
    orchestrator: String,
    /// This worker's API key
    #[arg(long, env = "BATON_API_KEY", global = true, hide_env_values = true)]
    api_key: Option<String>,
    /// Jobs at once; 64 for io, one for each core for cpu
    #[arg(long, env = "BATON_SLOTS", global = true)]
    slots: Option<usize>,
    /// Where the spool and the probe's file lie
    #[arg(long, env = "BATON_DATA_DIR", default_value = ".baton", global = true)]
    data_dir: PathBuf,
    /// Offer the debug.* tools
    #[arg(
        long, env = "BATON_DEBUG_TOOLS", global = true, default_value = "false", num_args = 0..=1,
        default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new()
    )]
    debug_tools: bool,
    /// Where debug.ledger writes
    #[arg(long, env = "BATON_DEBUG_DIR", global = true)]
    debug_dir: Option<PathBuf>,
    /// Folders that file tools may read, separated by colons
    #[arg(long, env = "BATON_FILE_ROOTS", value_delimiter = ':', global = true)]
    file_roots: Vec<PathBuf>,
    /// Queues beyond those of the class, such as cap.gpu, separated by commas
    #[arg(long, env = "BATON_QUEUES", value_delimiter = ',', global = true)]
    queues: Vec<String>,
    /// Jobs may go on this long after a shutdown, in milliseconds
    #[arg(long, env = "BATON_DRAIN_MS", default_value_t = 20_000, global = true)]
    drain_ms: u64,
    /// A call without an answer is repeated after this long, in milliseconds
    #[arg(long, env = "BATON_CALL_TIMEOUT_MS", default_value_t = 5_000, global = true)]
    call_timeout_ms: u64,
    /// The longest pause before a call is repeated, in milliseconds
    #[arg(long, env = "BATON_BACKOFF_MS_MAX", default_value_t = 5_000, global = true)]
    backoff_ms_max: u64,
    /// baton.toml with routes, egress and the like
    #[arg(long, env = "BATON_CONFIG", global = true)]
    config: Option<PathBuf>,
}

/// The whole of a worker binary; call `baton_tools::child::run_if_asked` before it.
#[must_use]
pub fn main(class: QueueClass) -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Some(Command::Health) => health(&cli.options.data_dir, class),
        None => serve(&cli.options, class),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baton-worker-{}: {error:#}", class.name());
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options, class: QueueClass) -> anyhow::Result<()> {
    failpoint::from_env()?;
    // A pod with one core still needs a thread for spans beside that for work.
    let threads = match class {
        QueueClass::Io => cores().max(2),
        QueueClass::Cpu => 2,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(format!("baton-{}", class.name()))
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let name = format!("baton-worker-{}", class.name());
        let telemetry = baton_telemetry::init(&baton_telemetry::Options::from_env(name))?;
        let outcome = work(options, class).await;
        telemetry.shutdown().await;
        outcome
    });
    // Tools that were left behind must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

async fn work(options: &Options, class: QueueClass) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let parts = parts(options, class)?;
    let probe = tokio::spawn(write_health(options.data_dir.clone(), class, parts.status.clone()));
    let stopper = tokio::spawn(stop_at_signal(shutdown.clone()));
    let broker = parts.broker.clone();
    let outcome = Worker::run(parts, shutdown).await;
    broker.close().await;
    probe.abort();
    stopper.abort();
    let _ = std::fs::remove_file(health_file(&options.data_dir, class));
    Ok(outcome?)
}

fn parts(options: &Options, class: QueueClass) -> anyhow::Result<Parts> {
    let mut settings = Settings::new(class);
    settings.slots = options.slots.unwrap_or(settings.slots).max(1);
    settings.extra_queues.clone_from(&options.queues);
    settings.drain_grace_ms = options.drain_ms;
    settings.call_timeout_ms = options.call_timeout_ms.max(1);
    settings.backoff_ms_max = options.backoff_ms_max.max(1);
    let file = options.config.as_deref().map(FileConfig::read).transpose()?.unwrap_or_default();
    let switches = ToolSwitches {
        file_roots: options.file_roots.clone(),
        debug_tools: options.debug_tools,
        debug_dir: options.debug_dir.clone(),
    };
    let (control, renewal) = wiring::control(&options.orchestrator, options.api_key.as_deref())?;
    let id = WorkerId::random();
    Ok(Parts {
        id,
        place: place(),
        broker: wiring::broker(&options.broker, &settings)?,
        control,
        catalogue: Arc::new(builtin_catalogue(file.builtin(switches)?)?),
        spool: wiring::spool(&options.data_dir, class)?,
        cpu: match class {
            QueueClass::Io => CpuPool::Inline,
            QueueClass::Cpu => wiring::cpu_pool(settings.slots)?,
        },
        renewal,
        seed: id.0,
        settings,
        status: Arc::default(),
    })
}

/// Host and process, for people.
fn place() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or(host);
    format!("{}:{}", if host.trim().is_empty() { "localhost" } else { host.trim() }, std::process::id())
}

/// The first signal drains, the second ends at once.
async fn stop_at_signal(shutdown: CancellationToken) {
    for round in 0..2 {
        if let Err(error) = signal().await {
            tracing::error!(%error, "signals cannot be received");
            return;
        }
        if round == 1 {
            std::process::exit(130);
        }
        tracing::info!("draining");
        shutdown.cancel();
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        outcome = tokio::signal::ctrl_c() => outcome,
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn health_file(data_dir: &Path, class: QueueClass) -> PathBuf {
    data_dir.join(format!("worker-{}.health", class.name()))
}

/// Writes the counters for the probe. A runtime that hangs stops writing.
async fn write_health(data_dir: PathBuf, class: QueueClass, status: Arc<Status>) {
    let (file, unfinished) = (health_file(&data_dir, class), data_dir.join(format!("worker-{}.new", class.name())));
    let mut ticks = tokio::time::interval(HEALTH_EVERY);
    loop {
        ticks.tick().await;
        let text = serde_json::to_string(&status.counts()).unwrap_or_default();
        let written = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, &file));
        if let Err(error) = written {
            tracing::warn!(%error, "health file not written");
        }
    }
}

fn health(data_dir: &Path, class: QueueClass) -> anyhow::Result<()> {
    let file = health_file(data_dir, class);
    let age = std::fs::metadata(&file)
        .and_then(|data| data.modified())
        .with_context(|| format!("no worker runs on {}", data_dir.display()))
        .map(|written| SystemTime::now().duration_since(written).unwrap_or_default())?;
    let counts: Counts = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    anyhow::ensure!(age <= HEALTH_AGE_MAX, "the worker was last seen {} s ago", age.as_secs());
    anyhow::ensure!(counts.ready, "the worker is not admitted yet");
    println!("{}", serde_json::to_string(&counts)?);
    Ok(())
}
