//! The only file that names concrete adapters: RabbitMQ for messages, gRPC for the
//! control plane, disk for the spool, rayon for computing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use baton_blobs::BlobStore;
use baton_broker::Broker;
use baton_broker::rabbit::{Rabbit, RabbitOptions};
use baton_common::tool::QueueClass;
use baton_control::ControlPlane;
use baton_control::grpc::{GrpcControlPlane, Trust};

use crate::lease::Renewal;
use crate::settings::Settings;
use crate::spool::{self, DiskSpool};
use crate::worker::CpuPool;

/// The broker at that address. Must be called within the runtime that outlives it.
///
/// # Errors
/// When the address is no RabbitMQ's.
pub fn broker(url: &str, settings: &Settings) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(Arc::new(Rabbit::start(broker_options(url, settings)?)))
}

/// How the broker at that address is spoken to; nobody is asked.
///
/// # Errors
/// When the address is no RabbitMQ's.
pub(crate) fn broker_options(url: &str, settings: &Settings) -> anyhow::Result<RabbitOptions> {
    if url.starts_with("memory:") {
        bail!("a broker in memory lives in one process: use `baton run` or `baton dev`, or name an amqp:// address");
    }
    let mut options = RabbitOptions::parse(url)?;
    options.publishes = false;
    options.extra_queues.clone_from(&settings.extra_queues);
    Ok(options)
}

/// The blob store at that address, where the worker is to reach it itself.
///
/// # Errors
/// When the address names nothing that other processes reach as well, or it does not open.
pub fn blobs(url: Option<&str>) -> anyhow::Result<Option<Arc<dyn BlobStore>>> {
    match url {
        None => Ok(None),
        Some(url) if url.starts_with("memory:") => {
            bail!("a blob store in memory lives in one process: name none, or file:FOLDER or s3://BUCKET")
        }
        Some(url) => Ok(Some(Arc::new(baton_blobs::open(url)?))),
    }
}

/// Whether a worker can reach blobs at that address; nobody is asked, and no folder made.
///
/// # Errors
/// When it cannot.
pub(crate) fn check_blobs(url: Option<&str>) -> anyhow::Result<()> {
    match url.and_then(|url| url.strip_prefix("file:")) {
        Some(folder) if !folder.is_empty() => Ok(()),
        _ => blobs(url).map(drop),
    }
}

/// The control plane at those addresses, and the way to it for the lease thread.
///
/// # Errors
/// When an address, the key or a certificate is malformed.
pub fn control(addresses: &str, key: Option<&str>, trust: &Trust) -> anyhow::Result<(Arc<dyn ControlPlane>, Renewal)> {
    let control: Arc<dyn ControlPlane> = Arc::new(GrpcControlPlane::trusting(addresses, key, trust)?);
    let (addresses, key, trust) = (addresses.to_owned(), key.map(str::to_owned), trust.clone());
    let shared = control.clone();
    let connect = move || -> Arc<dyn ControlPlane> {
        match GrpcControlPlane::trusting(&addresses, key.as_deref(), &trust) {
            Ok(own) => Arc::new(own),
            // Cannot be: the same words were good a moment ago.
            Err(_) => shared.clone(),
        }
    };
    Ok((control, Renewal::Thread(Arc::new(connect))))
}

/// The spool of a class beneath the data folder.
///
/// # Errors
/// When the folder cannot be made.
pub fn spool(data_dir: &Path, class: QueueClass) -> anyhow::Result<Arc<DiskSpool>> {
    let folder = data_dir.join(format!("spool-{}", class.name()));
    let spool = DiskSpool::open(&folder, spool::BYTES_MAX);
    Ok(Arc::new(spool.with_context(|| format!("the spool {} cannot be opened", folder.display()))?))
}

/// As many threads as there are slots. On Linux they are `nice`: where cores are short they
/// get what is left, so that claims, renewals, io jobs and servers of the same machine are
/// not late. That costs nothing where nobody else wants the cores, and no guarantee lies in
/// it: between containers with shares of their own, only the shares count.
///
/// # Errors
/// When they cannot be started.
pub fn cpu_pool(slots: usize, nice: u8) -> anyhow::Result<CpuPool> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(slots)
        .thread_name(|index| format!("baton-cpu-{index}"))
        .start_handler(move |_| yield_to_others(nice))
        .build()
        .context("the cpu threads did not start")?;
    Ok(CpuPool::Rayon(Arc::new(pool)))
}

/// Lowers the calling thread alone, which only Linux can.
#[cfg(target_os = "linux")]
fn yield_to_others(nice: u8) {
    if let Err(error) = rustix::process::nice(nice.into()) {
        tracing::debug!(%error, "cpu thread keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_others(_nice: u8) {}
