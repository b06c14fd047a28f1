//! A schedule's row: what transitions compare, and a body that they never look into.

use serde::{Deserialize, Serialize};

use super::{Body, DueKey, DueKind};
use crate::ids::{Partition, RunId, TenantId};
use crate::{Digest, Hasher};

/// A schedule: H(tenant, name), in a partition of its own hash. Its due entry and its audit
/// entries name it where others name a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleId(pub RunId);

impl ScheduleId {
    /// The schedule of that name.
    #[must_use]
    pub fn of(tenant: &TenantId, name: &str) -> Self {
        let hash = Hasher::new().field("schedule").field(tenant.as_str()).field(name).finish();
        Self(RunId { partition: Partition(hash.0[0]), uuid: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &hash.0) })
    }

    /// The partition that holds it.
    #[must_use]
    pub fn partition(self) -> Partition {
        self.0.partition
    }

    /// Its due entry.
    #[must_use]
    pub fn due(self) -> DueKey {
        DueKey::run(DueKind::Schedule, self.0)
    }
}

/// A schedule's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRow {
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Rises with each write.
    pub rev: u64,
    /// The operation that wrote it last.
    pub op: Digest,
    /// What is kept of it, as JSON.
    pub body: Body,
}
