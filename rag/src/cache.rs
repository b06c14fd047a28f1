//! The last few indexes of this process, decoded. They are named by their content, so an
//! entry is never out of date, and by tenant, so that no tenant is answered from another's.

use std::sync::Arc;

use baton_common::{Digest, TenantId};
use parking_lot::Mutex;

use crate::bm25::Index;

/// How many indexes are kept.
const ENTRIES_MAX: usize = 8;
/// How many bytes they may have been, encoded.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Decoded indexes, the latest used last.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    tenant: TenantId,
    digest: Digest,
    bytes: u64,
    index: Arc<Index>,
}

impl Cache {
    /// The index of that digest, if it is here.
    pub(crate) fn get(&self, tenant: &TenantId, digest: Digest) -> Option<Arc<Index>> {
        let mut entries = self.entries.lock();
        let at = entries.iter().position(|entry| entry.digest == digest && entry.tenant == *tenant)?;
        let entry = entries.remove(at);
        let index = entry.index.clone();
        entries.push(entry);
        Some(index)
    }

    /// Keeps an index and lets go of the oldest that no longer fit.
    pub(crate) fn put(&self, tenant: &TenantId, digest: Digest, bytes: u64, index: Arc<Index>) {
        let mut entries = self.entries.lock();
        entries.retain(|entry| entry.digest != digest || entry.tenant != *tenant);
        entries.push(Entry { tenant: tenant.clone(), digest, bytes, index });
        while entries.len() > ENTRIES_MAX || entries.iter().map(|entry| entry.bytes).sum::<u64>() > BYTES_MAX {
            entries.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_used_are_kept_within_bounds_and_per_tenant() {
        let (cache, index) = (Cache::default(), Arc::new(Index::new(Vec::new())));
        let (tenant, other) = (TenantId::local(), TenantId::parse("other").unwrap());
        let put = |n: u8, bytes| cache.put(&tenant, Digest([n; 16]), bytes, index.clone());
        let has = |n: u8| cache.get(&tenant, Digest([n; 16])).is_some();
        for n in 0..9 {
            put(n, 1);
            assert!(has(1) || n == 0);
        }
        assert!(!has(0) && has(1));
        assert!(cache.get(&other, Digest([1; 16])).is_none());
        put(20, BYTES_MAX);
        assert!(has(20) && !has(1));
        put(21, BYTES_MAX + 1);
        assert!(!has(21));
    }
}
