//! The audit: who did what, and whether the log still says what it said.

use baton_common::Partition;
use baton_common::records::Audit;
use baton_store::audit::{Break, KeptHead, Walk, Walked};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::{ApiError, AuditFilter, Caller};
use crate::orchestrator::{Inner, Orchestrator};

/// Entries unless asked for otherwise.
const DEFAULT: u32 = 1_000;
/// Partitions read at once.
const READS_MAX: usize = 32;
/// Entries read in one go.
const PAGE: u32 = 500;

/// What a look at the whole log found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuditVerdict {
    /// Entries whose links hold.
    pub chained: u64,
    /// Entries of before the chain, which nothing protects.
    pub unchained: u64,
    /// The first break of each partition that has one.
    pub breaks: Vec<Break>,
    /// Heads that were kept and are older than what the log still keeps.
    pub unjudged: u32,
    /// Where each partition's log ends: to be kept elsewhere, for later.
    pub heads: Vec<KeptHead>,
}

impl Orchestrator {
    /// The newest entries of the tenant, old ones first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn audit(&self, caller: &Caller, filter: AuditFilter) -> Result<Vec<Audit>, ApiError> {
        let limit = if filter.limit == 0 { DEFAULT } else { filter.limit };
        let partitions: Vec<Partition> = match filter.run {
            Some(run) => vec![run.partition],
            None => Partition::all().collect(),
        };
        let reads = partitions.into_iter().map(|partition| self.inner.newest(caller, &filter, partition, limit));
        let found: Vec<Vec<Audit>> = futures_util::stream::iter(reads).buffered(READS_MAX).try_collect().await?;
        let mut entries: Vec<Audit> = found.into_iter().flatten().collect();
        entries.sort_by_key(|entry| (entry.at, entry.run.partition, entry.number));
        let cut = entries.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries.split_off(cut))
    }

    /// Walks along the log of every partition, and holds it against heads that were kept.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn verify_audit(&self, _caller: &Caller, kept: Vec<KeptHead>) -> Result<AuditVerdict, ApiError> {
        let kept = |partition| kept.iter().find(|head| head.partition == partition).cloned();
        let walks = Partition::all().map(|partition| self.inner.walk(partition, kept(partition)));
        let walked: Vec<(Partition, Walked)> =
            futures_util::stream::iter(walks).buffered(READS_MAX).try_collect().await?;
        let mut verdict = AuditVerdict::default();
        for (partition, found) in walked {
            verdict.chained += found.chained;
            verdict.unchained += found.unchained;
            verdict.unjudged += u32::from(found.unjudged);
            verdict.breaks.extend(found.broken);
            if found.last.number > 0 {
                verdict.heads.push(KeptHead { partition, number: found.last.number, link: found.last.link });
            }
        }
        Ok(verdict)
    }
}

impl Inner {
    /// The newest entries of a partition that the filter lets through, new ones first.
    async fn newest(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        partition: Partition,
        limit: u32,
    ) -> Result<Vec<Audit>, ApiError> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.store.audit_page(partition, after.as_deref(), PAGE, true).await?;
            for entry in page.entries {
                if filter.since.is_some_and(|since| entry.at < since) {
                    return Ok(found);
                }
                if entry.tenant == caller.tenant && filter.lets_through(&entry) {
                    found.push(entry);
                }
                if found.len() >= limit as usize {
                    return Ok(found);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn walk(&self, partition: Partition, kept: Option<KeptHead>) -> Result<(Partition, Walked), ApiError> {
        let head = self.store.audit_head(partition).await?;
        let (mut walk, mut after) = (Walk::new(partition, kept), None::<String>);
        loop {
            let page = self.store.audit_page(partition, after.as_deref(), PAGE, false).await?;
            page.entries.iter().for_each(|entry| walk.step(entry));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((partition, walk.end(head.as_ref()))),
            }
        }
    }
}

impl AuditFilter {
    fn lets_through(&self, entry: &Audit) -> bool {
        self.run.is_none_or(|run| entry.run == run)
            && self.actor.as_ref().is_none_or(|actor| *actor == entry.actor)
            && self
                .operation
                .as_ref()
                .is_none_or(|wanted| *wanted == entry.operation || entry.subject.contains(wanted.as_str()))
            && self.until.is_none_or(|until| entry.at <= until)
    }
}
