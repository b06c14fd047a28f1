//! The orchestrator as a program: settings, telemetry, serving, signals, the probe. What
//! it serves is left to the library.

mod addresses;
mod check;
mod health;
mod options;
mod sabotage;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_common::failpoint;
use baton_telemetry::{cancel_at_signal, settings};
use clap::{Parser, Subcommand};
use futures_util::future::OptionFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use addresses::{GRPC_ADDR, HTTP_ADDR, address, http_address, listen, tell};
pub use check::{check, check_secrets, flags};
pub use options::{Config, Options};

use crate::auth::{self, Auth};
use crate::listener::{self, Certificates, Listener, TlsFiles};
use crate::{Compute, Orchestrator, Parts, Services, grpc, http, wiring};

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
    Health {
        /// Only whether it answers, even if it says that it does not serve
        #[arg(long)]
        live: bool,
    },
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
    let config = cli.options.resolve(settings::environment())?;
    if let Some(Command::Health { live }) = cli.command {
        let (tls, key) = (config.tls.is_some(), config.api_key.as_deref());
        return health::probe(config.grpc_addr, tls, &config.trust, key, live).await;
    }
    failpoint::from_env()?;
    let mut telemetry = baton_telemetry::Options::from_env("baton-orchestrator");
    if let Some(filter) = &config.log {
        telemetry.filter.clone_from(filter);
    }
    telemetry.trace_ratio = config.trace_ratio.unwrap_or(telemetry.trace_ratio);
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
    let store = wiring::guarded_store(&config.store, &config.settings.timings, config.guards).await?;
    let asked = [Some(config.grpc_addr), config.http_addr];
    let beyond = || asked.into_iter().flatten().find(|address| !address.ip().is_loopback());
    let auth = Auth::new(store.clone(), config.api_key.as_deref(), beyond().is_some());
    let auth = auth.with_worker_key(config.worker_key.as_deref());
    let keys = config.api_key.is_some() || config.worker_key.is_some() || !store.api_keys().await?.is_empty();
    if let Some(address) = asked.into_iter().flatten().find(|address| !auth::may_listen(*address, keys)) {
        bail!(
            "{address} is reachable from other machines and there are no API keys: set BATON_API_KEY, or make one with \
             `baton keys create` on a loopback address"
        );
    }
    if let Some(address) = beyond()
        && config.tls.is_none()
    {
        tracing::warn!(%address, "served in the clear beyond this machine: keys and contents can be read on the way");
    }
    let certificates = |read: fn(TlsFiles) -> Result<Certificates, listener::Error>| {
        config.tls.clone().map(|files| read(files).map(Arc::new)).transpose()
    };
    let (tls, web_tls) = (certificates(Certificates::http2)?, certificates(Certificates::http1)?);
    let parts = Parts {
        broker: wiring::broker(&config.broker)?,
        blobs: wiring::blobs(&config.blobs)?,
        compute: Compute::threads(threads)?,
        settings: config.settings,
        store,
    };
    let listener = listen("BATON_GRPC_ADDR", config.grpc_addr).await?;
    let web = match config.http_addr {
        Some(address) => Some(listen("BATON_HTTP_ADDR", address).await?),
        None => None,
    };
    let orchestrator = Orchestrator::start(parts, shutdown.clone()).await?;
    let (address, http) = (listener.local_addr()?, web.as_ref().map(TcpListener::local_addr).transpose()?);
    tracing::info!(%address, http = http.map(|http| http.to_string()), tls = tls.is_some(), "serving grpc");
    if let Some(file) = &config.addr_file {
        tell(file, address, http)?;
    }
    let services = Services {
        plane: Arc::new(orchestrator.clone()),
        orchestrator: orchestrator.clone(),
        auth: Arc::new(auth),
        shutdown: shutdown.clone(),
    };
    // The probes tell of the drain until it is over.
    let drained = CancellationToken::new();
    let web = web.map(|web| http::serve(Listener::from(web).over(web_tls), services.clone(), drained.clone()));
    let serving = async {
        let served = grpc::serve(Listener::from(listener).over(tls), services, grace).await;
        shutdown.cancel();
        served
    };
    let working = async {
        let outcome = tokio::join!(serving, orchestrator.stopped());
        drained.cancel();
        outcome
    };
    let ((served, drained), _) = tokio::join!(working, OptionFuture::from(web));
    orchestrator.store().close().await;
    tracing::info!(drained, "stopped");
    Ok(served?)
}
