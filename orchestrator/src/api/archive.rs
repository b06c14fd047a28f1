//! Runs whose records were removed, as they were written down before.

use std::collections::BTreeMap;
use std::pin::Pin;

use baton_common::{RunId, Timestamp};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::{ApiError, Caller, page};
use crate::archive;
use crate::orchestrator::Orchestrator;

/// What is known of an archived run without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveView {
    /// The run.
    pub run: RunId,
    /// Size of the object, compressed.
    pub bytes: u64,
    /// When it was written, by the blob store's clock.
    pub archived_at: Timestamp,
}

/// A page of archived runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchivePage {
    /// By the run's id.
    pub archives: Vec<ArchiveView>,
    /// Behind which run the next page begins; `None` at the end.
    pub next: Option<RunId>,
}

/// One of them, compressed with gzip, a line of JSON for each record.
pub struct ArchiveContent {
    /// What it is.
    pub archive: ArchiveView,
    /// Its bytes, piece by piece.
    pub content: Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>> + Send>>,
}

impl Orchestrator {
    /// The caller's archived runs by id, behind `after`.
    ///
    /// # Errors
    /// When the blob store does not answer.
    pub async fn archives(&self, caller: &Caller, after: Option<RunId>, limit: u32) -> Result<ArchivePage, ApiError> {
        let limit = page::page_size(limit) as usize;
        let folder = archive::folder()?;
        let mut entries = self.inner.blobs.each(&caller.tenant, Some(&folder));
        // The first of them by id, whatever order they come in.
        let mut first = BTreeMap::new();
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            let Some(run) = archive::run_of(&entry.key).filter(|run| after.is_none_or(|after| *run > after)) else {
                continue;
            };
            first.insert(run, ArchiveView { run, bytes: entry.bytes, archived_at: entry.modified });
            if first.len() > limit + 1 {
                first.pop_last();
            }
        }
        let more = first.len() > limit;
        let archives: Vec<ArchiveView> = first.into_values().take(limit).collect();
        let next = archives.last().map(|last| last.run).filter(|_| more);
        Ok(ArchivePage { archives, next })
    }

    /// The archive of a run.
    ///
    /// # Errors
    /// When there is none for this caller, or the blob store does not answer.
    pub async fn archive(&self, caller: &Caller, run: RunId) -> Result<ArchiveContent, ApiError> {
        let key = archive::key_of(run)?;
        let found = self.inner.blobs.entry(&caller.tenant, &key).await?;
        let found = found.ok_or_else(|| ApiError::not_found("archive", run))?;
        let content = self.inner.blobs.stream(&caller.tenant, &key).await?;
        let content = content.map(|piece| piece.map_err(ApiError::from));
        let archive = ArchiveView { run, bytes: found.bytes, archived_at: found.modified };
        Ok(ArchiveContent { archive, content: Box::pin(content) })
    }
}
