//! Quotas and their meters, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use baton_common::records::Quota;
use baton_common::{TenantId, Timestamp};

use super::MemoryStore;
use crate::meter::{MeterAct, MeterRow, Metered};
use crate::{Error, Quotas};

#[derive(Default)]
pub(super) struct QuotaRows {
    quotas: BTreeMap<(TenantId, String), Quota>,
    meters: BTreeMap<String, MeterRow>,
}

#[async_trait]
impl Quotas for MemoryStore {
    async fn put_quota(&self, quota: Quota) -> Result<(), Error> {
        let name = (quota.owner.clone(), quota.name.clone());
        self.shared.data.lock().quotas.quotas.insert(name, quota);
        Ok(())
    }

    async fn quotas(&self) -> Result<Vec<Quota>, Error> {
        Ok(self.shared.data.lock().quotas.quotas.values().cloned().collect())
    }

    async fn remove_quota(&self, owner: &TenantId, name: &str) -> Result<bool, Error> {
        Ok(self.shared.data.lock().quotas.quotas.remove(&(owner.clone(), name.to_owned())).is_some())
    }

    async fn meter(&self, name: &str, act: MeterAct, at: Option<Timestamp>) -> Result<Metered, Error> {
        let now = at.unwrap_or_else(|| self.clock());
        Ok(self.shared.data.lock().quotas.meters.entry(name.to_owned()).or_default().act(&act, now))
    }
}
