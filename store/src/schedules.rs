//! Reading schedules. Writing one is a transition.

use async_trait::async_trait;
use baton_common::TenantId;
use baton_common::records::{ScheduleId, ScheduleRow};

use crate::Error;

/// The schedules as they stand.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// One schedule.
    async fn schedule(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, Error>;
    /// The schedules of a tenant, by name.
    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduleRow>, Error>;
}
