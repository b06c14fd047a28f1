//! A cluster in this process, asked over gRPC like any other, so that `run` and `dev` use
//! what users of a server use.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_control::grpc::Trust;
use baton_embedded::{Embedded, Options};
use baton_orchestrator::auth::{self, Auth};
use baton_orchestrator::listener::{self, Certificates, Listener, TlsFiles};
use baton_orchestrator::process::listen;
use baton_orchestrator::{Services, grpc, http};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::exit::{Exit, Failed};
use crate::setup::Setup;

const GRACE: Duration = Duration::from_secs(2);

/// Where the servers listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: Option<SocketAddr>,
}

/// Both planes, and the servers in front of them.
pub(crate) struct Local {
    embedded: Embedded,
    pub(crate) address: SocketAddr,
    /// Where HTTP is served, if it is.
    pub(crate) http: Option<SocketAddr>,
    shutdown: CancellationToken,
    /// Ends HTTP, whose probes tell of the drain meanwhile.
    drained: CancellationToken,
    serving: JoinHandle<Result<(), grpc::Error>>,
    web: Option<JoinHandle<()>>,
}

impl Local {
    /// Starts both planes on the folder and serves them. Without an address only this
    /// process, which knows the key, gets in, and only gRPC is served.
    pub(crate) async fn start(
        setup: &Setup,
        data_dir: PathBuf,
        file_roots: Vec<PathBuf>,
        at: Option<Addresses>,
        key: Option<&str>,
    ) -> Result<Self, Failed> {
        let mut options = options(setup, data_dir.clone())?;
        options.switches.file_roots.extend(file_roots);
        // What serves nobody but this program needs no certificate.
        let tls = if at.is_some() { certificates(setup)? } else { (None, None) };
        // Before anything is opened: a taken address is the likelier mistake.
        let own = Addresses { grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), http: None };
        let Addresses { grpc: address, http: web } = at.unwrap_or(own);
        let listener = bound("BATON_GRPC_ADDR", address).await?;
        let web_listener = match web {
            Some(web) => Some(bound("BATON_HTTP_ADDR", web).await?),
            None => None,
        };
        let embedded = Embedded::start(options).await.map_err(|error| {
            let cause = format!("the cluster on {} did not start: {error:#}", data_dir.display());
            Failed::new(
                Exit::Failed,
                "start_failed",
                cause,
                "if another baton uses this folder, end it or choose another --data-dir",
            )
        })?;
        let orchestrator = embedded.api().clone();
        let asked = [Some(address), web];
        let required = at.is_none() || asked.into_iter().flatten().any(|address| !address.ip().is_loopback());
        let keys = key.is_some() || !orchestrator.store().api_keys().await.map_err(anyhow::Error::from)?.is_empty();
        if let Some(address) = asked.into_iter().flatten().find(|address| !auth::may_listen(*address, keys)) {
            let cause = format!("{address} is reachable from other machines and there are no API keys");
            return Err(Failed::usage("api_key_missing", cause, "set BATON_API_KEY, or listen on 127.0.0.1"));
        }
        let shutdown = CancellationToken::new();
        let services = Services {
            plane: Arc::new(orchestrator.clone()),
            auth: Arc::new(Auth::new(orchestrator.store().clone(), key, required)),
            orchestrator,
            shutdown: shutdown.clone(),
        };
        let address = listener.local_addr().map_err(anyhow::Error::from)?;
        let http = web_listener.as_ref().map(TcpListener::local_addr).transpose().map_err(anyhow::Error::from)?;
        let drained = CancellationToken::new();
        let web = web_listener.map(|web| Listener::from(web).over(tls.1));
        let web = web.map(|web| tokio::spawn(http::serve(web, services.clone(), drained.clone())));
        let serving = tokio::spawn(grpc::serve(Listener::from(listener).over(tls.0), services, GRACE));
        Ok(Self { embedded, address, http, shutdown, drained, serving, web })
    }

    /// The way in.
    pub(crate) fn client(&self, key: Option<&str>) -> Result<Client, Failed> {
        Client::new(&format!("http://{}", self.address), key, &Trust::default())
    }

    /// Ends when the server does.
    pub(crate) async fn ended(&mut self) {
        let _ = (&mut self.serving).await;
    }

    /// Lets jobs finish within the grace and ends everything. What is left goes on at the
    /// next start.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.embedded.stop().await;
        self.serving.abort();
        self.drained.cancel();
        if let Some(web) = self.web {
            let _ = web.await;
        }
    }
}

/// What the settings say of a cluster in this process.
pub(crate) fn options(setup: &Setup, data_dir: PathBuf) -> Result<Options, Failed> {
    let sources = &setup.sources;
    Ok(Options {
        data_dir: Some(data_dir),
        config: setup.worker_config()?,
        switches: setup.switches()?,
        secrets: sources.table("secrets")?,
        cluster_secret: sources.get("BATON_CLUSTER_SECRET"),
        timings: sources.timings_over(&Options::default().timings)?,
        grace_ms: sources.parse("BATON_GRACE_MS")?.unwrap_or(Options::default().grace_ms),
        blob_sweep_ms: sources.parse("BATON_BLOB_SWEEP_MS")?.unwrap_or(0),
        archive_ms: sources.parse("BATON_ARCHIVE_MS")?.unwrap_or(0),
        ..Options::default()
    })
}

/// The files of what a listener shows; none where the settings name none.
pub(crate) fn tls_files(setup: &Setup) -> Result<Option<TlsFiles>, listener::Error> {
    TlsFiles::of(|name| setup.sources.get(name).map(PathBuf::from))
}

/// What a listener shows; nothing where the settings name no certificates.
type Shown = Option<Arc<Certificates>>;

/// What gRPC and HTTP show.
fn certificates(setup: &Setup) -> Result<(Shown, Shown), Failed> {
    let read = |read: fn(TlsFiles) -> Result<Certificates, listener::Error>| {
        Ok(tls_files(setup)?.map(read).transpose()?.map(Arc::new))
    };
    let both = || Ok((read(Certificates::http2)?, read(Certificates::http1)?));
    both().map_err(|error: listener::Error| Failed::usage("invalid_setting", error, "name files that hold PEM"))
}

async fn bound(setting: &str, address: SocketAddr) -> Result<TcpListener, Failed> {
    listen(setting, address).await.map_err(|error| {
        let cause = format!("cannot listen on {address}: {:#}", error.root_cause());
        Failed::new(Exit::Failed, "address_taken", cause, format!("choose another {setting}"))
    })
}
