//! The only file that names adapters: one folder, or memory.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use baton_blobs::BlobStore;
use baton_broker::Broker;
use baton_orchestrator::wiring;
use baton_store::Store;
use baton_worker::{DiskSpool, MemorySpool, Spool};

use crate::Options;

/// What both planes share.
pub(crate) struct Wired {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) blobs_folder: Option<PathBuf>,
}

/// Opens the folder, or memory.
pub(crate) async fn open(options: &Options) -> anyhow::Result<Wired> {
    let broker = wiring::broker("memory:")?;
    let blobs_folder = options.data_dir.as_ref().map(|folder| folder.join("blobs"));
    let blobs = match &blobs_folder {
        Some(folder) => wiring::blobs(&format!("file:{}", folder.display()))?,
        None => wiring::blobs("memory:")?,
    };
    let store = match (&options.store, &options.data_dir) {
        (Some(store), _) => store.clone(),
        (None, Some(folder)) => wiring::store(&format!("sqlite:{}", folder.join("store").display()), &options.timings)
            .await
            .with_context(|| format!("the data folder {}", folder.display()))?,
        (None, None) => wiring::store("memory:", &options.timings).await?,
    };
    Ok(Wired { store, broker, blobs, blobs_folder })
}

/// Where results wait that the orchestrator did not take.
pub(crate) fn spool(options: &Options, class: &str) -> anyhow::Result<Arc<dyn Spool>> {
    let Some(folder) = &options.data_dir else { return Ok(Arc::new(MemorySpool::default())) };
    let folder = folder.join(format!("spool-{class}"));
    let spool = DiskSpool::open(&folder, baton_worker::spool::BYTES_MAX);
    Ok(Arc::new(spool.with_context(|| format!("the spool {}", folder.display()))?))
}
