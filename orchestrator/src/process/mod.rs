//! The orchestrator as a program: settings, telemetry, serving, signals, the probe. What
//! it serves is left to the library.

mod health;
mod options;
mod signals;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_common::failpoint;
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use options::{Config, Options};
pub use signals::cancel_at_signal;

use crate::auth::{self, Auth};
use crate::grpc::{self, Services};
use crate::{Compute, Orchestrator, Parts, wiring};

/// Stacks of the threads that compute steps are large; so many threads are enough.
const COMPUTE_THREADS_MAX: usize = 8;

#[derive(Parser)]
#[command(
    name = "baton-orchestrator",
    version,
    about = "Runs graphs, keeps their state and hands jobs over to workers"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Says whether the orchestrator at this address serves: 0 yes, 1 no
    Health,
}

/// The whole of the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).max(2))
        .thread_name("baton-orchestrator")
        .enable_all()
        .build();
    let outcome = runtime.context("the runtime did not start").and_then(|runtime| {
        let outcome = runtime.block_on(run(&cli));
        runtime.shutdown_timeout(Duration::from_millis(100));
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baton-orchestrator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<()> {
    let config = cli.options.resolve(std::env::vars())?;
    if let Some(Command::Health) = cli.command {
        return health::probe(config.grpc_addr, config.api_key.as_deref()).await;
    }
    failpoint::from_env()?;
    let mut telemetry = baton_telemetry::Options::from_env("baton-orchestrator");
    if let Some(filter) = &config.log {
        telemetry.filter.clone_from(filter);
    }
    let telemetry = baton_telemetry::init(&telemetry)?;
    let shutdown = CancellationToken::new();
    let signals = tokio::spawn(cancel_at_signal(shutdown.clone()));
    let outcome = serve(config, shutdown).await;
    signals.abort();
    telemetry.shutdown().await;
    outcome
}

/// Serves until `shutdown` is cancelled, and then drains within the grace period.
///
/// # Errors
/// When a part does not open, the address is taken, or keys are missing where they must be.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let grace = Duration::from_millis(config.settings.grace_ms);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(COMPUTE_THREADS_MAX);
    let store = wiring::store(&config.store, &config.settings.timings).await?;
    let auth = Auth::new(store.clone(), config.api_key.as_deref(), !config.grpc_addr.ip().is_loopback());
    let keys = config.api_key.is_some() || !store.api_keys().await?.is_empty();
    if !auth::may_listen(config.grpc_addr, keys) {
        bail!(
            "{} is reachable from other machines and there are no API keys: set BATON_API_KEY, or make one with \
             `baton keys create` on a loopback address",
            config.grpc_addr
        );
    }
    let parts = Parts {
        broker: wiring::broker(&config.broker)?,
        blobs: wiring::blobs(&config.blobs)?,
        compute: Compute::threads(threads)?,
        settings: config.settings,
        store,
    };
    let listener = listen(config.grpc_addr).await?;
    let address = listener.local_addr()?;
    let orchestrator = Orchestrator::start(parts, shutdown.clone()).await?;
    announce(address, config.addr_file.as_deref())?;
    let services = Services {
        plane: Arc::new(orchestrator.clone()),
        orchestrator: orchestrator.clone(),
        auth: Arc::new(auth),
        shutdown: shutdown.clone(),
    };
    let serving = async {
        let served = grpc::serve(listener, services, grace).await;
        shutdown.cancel();
        served
    };
    let (served, drained) = tokio::join!(serving, orchestrator.stopped());
    orchestrator.store().close().await;
    tracing::info!(drained, "stopped");
    Ok(served?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another BATON_GRPC_ADDR"))
}

/// Tells the bound address: port 0 lets the system choose one.
fn announce(address: SocketAddr, file: Option<&std::path::Path>) -> anyhow::Result<()> {
    tracing::info!(%address, "serving grpc");
    let Some(file) = file else { return Ok(()) };
    let unfinished = file.with_extension("new");
    std::fs::write(&unfinished, address.to_string())
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("the address cannot be written to {}", file.display()))
}
