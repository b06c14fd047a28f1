//! The worker binaries: settings, signals, the probe. What a worker does is left to the
//! library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use baton_common::WorkerId;
use baton_common::failpoint;
use baton_common::tool::QueueClass;
use baton_telemetry::{cancel_at_signal, settings as told};
use baton_tools::{Catalogue, Tool};
use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::builtin::builtin_tools;
use crate::measure;
use crate::options::{Config, Options};
use crate::settings::cores;
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
    Health {
        /// Only whether it runs, even while no orchestrator has admitted it.
        #[arg(long)]
        live: bool,
    },
}

/// The whole of a worker binary; first thing in its `main`.
#[must_use]
pub fn main(class: QueueClass) -> ExitCode {
    main_with(class, [])
}

/// The whole of a team's own worker binary, first thing in its `main`: it offers the tools
/// of that class that ship with Baton, and of these. Settings, signals and the probe are
/// those of the workers that ship.
#[must_use]
pub fn main_with(class: QueueClass, tools: impl IntoIterator<Item = Tool>) -> ExitCode {
    baton_tools::child::run_if_asked();
    let cli = Cli::parse();
    match start(&cli, class, tools.into_iter().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baton-worker-{}: {error:#}", class.name());
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli, class: QueueClass, own: Vec<Tool>) -> anyhow::Result<()> {
    let sources = told::read(cli.options.config.as_deref(), told::environment())?;
    let config = cli.options.resolve(class, &sources)?;
    match cli.command {
        Some(Command::Health { live }) => health(&config.data_dir, class, live),
        None => serve(config, own),
    }
}

fn serve(config: Config, own: Vec<Tool>) -> anyhow::Result<()> {
    let class = config.settings.class;
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
        let mut options = baton_telemetry::Options::from_env(name);
        if let Some(filter) = &config.log {
            options.filter.clone_from(filter);
        }
        options.trace_ratio = config.trace_ratio.unwrap_or(options.trace_ratio);
        let telemetry = baton_telemetry::init(&options)?;
        let outcome = work(config, own).await;
        telemetry.shutdown().await;
        outcome
    });
    // Tools that were left behind must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

async fn work(config: Config, own: Vec<Tool>) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let (class, data_dir) = (config.settings.class, config.data_dir.clone());
    let metrics = measure::listen(config.metrics).await?;
    let parts = parts(config, own)?;
    let metrics = metrics.map(|listener| tokio::spawn(measure::serve(listener, &parts)));
    let probe = tokio::spawn(write_health(data_dir.clone(), class, parts.status.clone()));
    let stopper = tokio::spawn(cancel_at_signal(shutdown.clone()));
    let broker = parts.broker.clone();
    let outcome = Worker::run(parts, shutdown).await;
    broker.close().await;
    probe.abort();
    metrics.inspect(tokio::task::JoinHandle::abort);
    stopper.abort();
    let _ = std::fs::remove_file(health_file(&data_dir, class));
    Ok(outcome?)
}

fn parts(config: Config, own: Vec<Tool>) -> anyhow::Result<Parts> {
    let Config { settings, file, switches, .. } = config;
    let class = settings.class;
    let (control, renewal) = wiring::control(&config.orchestrator, config.api_key.as_deref(), &config.trust)?;
    let id = WorkerId::random();
    Ok(Parts {
        id,
        place: place(),
        broker: wiring::broker(&config.broker, &settings)?,
        control,
        blobs: wiring::blobs(config.blobs.as_deref())?,
        catalogue: Arc::new(Catalogue::new(builtin_tools(file.builtin(switches)?).into_iter().chain(own))?),
        spool: wiring::spool(&config.data_dir, class)?,
        cpu: match class {
            QueueClass::Io => CpuPool::Inline,
            QueueClass::Cpu => wiring::cpu_pool(settings.slots, settings.cpu_nice)?,
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

fn health(data_dir: &Path, class: QueueClass, live: bool) -> anyhow::Result<()> {
    let file = health_file(data_dir, class);
    let age = std::fs::metadata(&file)
        .and_then(|data| data.modified())
        .with_context(|| format!("no worker runs on {}", data_dir.display()))
        .map(|written| SystemTime::now().duration_since(written).unwrap_or_default())?;
    let counts: Counts = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    anyhow::ensure!(age <= HEALTH_AGE_MAX, "the worker was last seen {} s ago", age.as_secs());
    anyhow::ensure!(live || counts.ready, "the worker is not admitted yet");
    println!("{}", serde_json::to_string(&counts)?);
    Ok(())
}
