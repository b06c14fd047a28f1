//! One sweep: mark, look through the areas of the tenants, delete.

use std::sync::Arc;

use baton_blobs::{Entry, Key};
use baton_common::{RunId, TenantId, Timestamp};
use futures_util::StreamExt as _;

use super::BlobSweep;
use super::marks::Marks;
use crate::api::ApiError;
use crate::archive;
use crate::orchestrator::Inner;

/// Between the end of what is read of a piece and the beginning of the next, so that no place is
/// cut in two: more than the longest that is looked for.
const OVERLAP: usize = 128;

/// What becomes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Removed,
}

impl Fate {
    fn count(self, entry: &Entry, sum: &mut BlobSweep) {
        let (blobs, bytes) = match self {
            Self::Kept => (&mut sum.kept, &mut sum.kept_bytes),
            Self::Removed => (&mut sum.removed, &mut sum.removed_bytes),
        };
        *blobs += 1;
        *bytes += entry.bytes;
    }
}

impl Inner {
    /// Deletes what nothing refers to and what was written before the grace, seen from `now`: of
    /// one tenant or of all. A dry one only tells.
    pub(crate) async fn sweep_blobs(
        &self,
        of: Option<&TenantId>,
        dry: bool,
        now: Timestamp,
    ) -> Result<BlobSweep, ApiError> {
        let before = Timestamp(now.0.saturating_sub(i64::try_from(self.settings.blob_grace_ms).unwrap_or(i64::MAX)));
        let tenants = match of {
            Some(tenant) => vec![tenant.clone()],
            None => self.blobs.tenants().await?,
        };
        let mut sum = BlobSweep::default();
        // No record refers to an archive.
        for tenant in &tenants {
            self.sweep_archives(tenant, dry, now, &mut sum).await?;
        }
        let marks = Arc::new(Marks::new());
        for _ in 0..2 {
            let marked = marks.clone();
            let show = Arc::new(move |text: &[u8]| {
                marked.add_text(text);
            });
            self.store.scan(show).await?;
        }
        // Content of one tenant is never referred to by another's, so each is looked at alone.
        for tenant in &tenants {
            if self.has_unmarked(tenant, &marks, before).await? {
                self.mark_within(tenant, &marks, before).await?;
            }
            self.sweep_tenant(tenant, &marks, before, dry, &mut sum).await?;
        }
        Ok(sum)
    }

    async fn has_unmarked(&self, tenant: &TenantId, marks: &Marks, before: Timestamp) -> Result<bool, ApiError> {
        let mut entries = self.blobs.each(tenant, None);
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if entry.modified < before && !is_marked(&entry, marks) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Marks what marked content refers to, until nothing new is found. What is too young to be
    /// deleted may be referred to at any moment, and counts as marked.
    async fn mark_within(&self, tenant: &TenantId, marks: &Marks, before: Timestamp) -> Result<(), ApiError> {
        let values = Key::parse("values").map_err(baton_blobs::Error::from)?;
        loop {
            let mut new = false;
            let mut entries = self.blobs.each(tenant, Some(&values));
            while let Some(entry) = entries.next().await {
                let entry = entry?;
                if entry.modified >= before || is_marked(&entry, marks) {
                    new |= self.mark_content(tenant, &entry, marks).await?;
                }
            }
            if !new {
                return Ok(());
            }
        }
    }

    async fn mark_content(&self, tenant: &TenantId, entry: &Entry, marks: &Marks) -> Result<bool, ApiError> {
        let mut pieces = match self.blobs.stream(tenant, &entry.key).await {
            Ok(pieces) => pieces,
            Err(baton_blobs::Error::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let (mut new, mut held) = (false, Vec::new());
        while let Some(piece) = pieces.next().await {
            held.extend_from_slice(&piece?);
            new |= marks.add_text(&held);
            held.drain(..held.len().saturating_sub(OVERLAP));
        }
        Ok(new)
    }

    async fn sweep_tenant(
        &self,
        tenant: &TenantId,
        marks: &Marks,
        before: Timestamp,
        dry: bool,
        sum: &mut BlobSweep,
    ) -> Result<(), ApiError> {
        let mut entries = self.blobs.each(tenant, None);
        let mut last: Option<(RunId, bool)> = None;
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            let mut fate = Fate::Kept;
            if archive::run_of(&entry.key).is_some() {
                continue;
            }
            if entry.modified < before && !is_marked(&entry, marks) && !self.belongs(tenant, &entry, &mut last).await? {
                fate = self.remove(tenant, &entry, before, dry).await?;
            }
            fate.count(&entry, sum);
        }
        Ok(())
    }

    /// Deletes the archives whose time is over.
    async fn sweep_archives(
        &self,
        tenant: &TenantId,
        dry: bool,
        now: Timestamp,
        sum: &mut BlobSweep,
    ) -> Result<(), ApiError> {
        let kept_ms = i64::try_from(self.settings.archive_ms).unwrap_or(i64::MAX);
        let before = Timestamp(now.0.saturating_sub(kept_ms));
        let folder = archive::folder()?;
        let mut entries = self.blobs.each(tenant, Some(&folder));
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            let over = kept_ms > 0 && entry.modified < before && archive::run_of(&entry.key).is_some();
            let fate = if over { self.remove(tenant, &entry, before, dry).await? } else { Fate::Kept };
            fate.count(&entry, sum);
        }
        Ok(())
    }

    /// Whether it is a file of a run that has records or an archive. What this program did not
    /// write stays.
    async fn belongs(
        &self,
        tenant: &TenantId,
        entry: &Entry,
        last: &mut Option<(RunId, bool)>,
    ) -> Result<bool, ApiError> {
        let Some(run) = run_of(&entry.key) else { return Ok(!entry.key.as_str().starts_with("values/")) };
        if let Some((known, there)) = last
            && *known == run
        {
            return Ok(*there);
        }
        let there =
            self.store.run(run).await?.is_some() || self.blobs.entry(tenant, &archive::key_of(run)?).await?.is_some();
        *last = Some((run, there));
        Ok(there)
    }

    /// Deletes it, unless it was written anew meanwhile.
    async fn remove(&self, tenant: &TenantId, entry: &Entry, before: Timestamp, dry: bool) -> Result<Fate, ApiError> {
        if dry {
            return Ok(Fate::Removed);
        }
        match self.blobs.entry(tenant, &entry.key).await? {
            Some(found) if found.modified < before => {
                self.blobs.delete(tenant, &entry.key).await?;
                Ok(Fate::Removed)
            }
            Some(_) => Ok(Fate::Kept),
            None => Ok(Fate::Removed),
        }
    }
}

/// A value is marked by its place, a file by its run's.
fn is_marked(entry: &Entry, marks: &Marks) -> bool {
    match run_of(&entry.key) {
        Some(run) => marks.has(&format!("runs/{run}")),
        None => marks.has(entry.key.as_str()),
    }
}

fn run_of(key: &Key) -> Option<RunId> {
    key.as_str().strip_prefix("runs/")?.split('/').next()?.parse().ok()
}
