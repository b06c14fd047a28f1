//! What a job waits for, where that is a quota.

use baton_common::commit::Input;
use baton_common::records::{GroupInfo, RunInfo, TaskState};
use baton_common::{GroupId, JobId, Timestamp};
use baton_store::{Error, MeterAct, Metered, RunDetail};

use super::claims::{concerns, route_of, work_of};
use crate::orchestrator::Inner;

/// A job waits for a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuotaWait {
    /// The quota's name.
    pub(crate) quota: String,
    /// The job asks again then.
    pub(crate) until: Timestamp,
}

/// Tasks of a run that are looked at.
const LOOKED_AT: usize = 20;

impl Inner {
    /// The jobs of a run that wait for a quota, of those that wait for their time; some of
    /// them, where they are many.
    pub(crate) async fn quota_waits(&self, detail: &RunDetail) -> Result<Vec<(GroupId, u32, QuotaWait)>, Error> {
        let mut waits = Vec::new();
        if self.quotas.quotas().is_empty() {
            return Ok(waits);
        }
        for (place, index) in publishable(detail) {
            let Some((group, _)) = detail.groups.get(place) else { continue };
            let (info, group) = (&detail.run.info, &group.info);
            let job = JobId { run: info.id, r#gen: detail.run.state.r#gen, group: group.id.clone(), index };
            if let Some(wait) = self.quota_wait(info, group, &job).await? {
                waits.push((group.id.clone(), index, wait));
            }
        }
        Ok(waits)
    }

    /// The quota that a job waits for, if it waits for one: of a task that is publishable and
    /// not due yet, this is why.
    pub(crate) async fn quota_wait(
        &self,
        info: &RunInfo,
        group: &GroupInfo,
        job: &JobId,
    ) -> Result<Option<QuotaWait>, Error> {
        let quotas = self.quotas.quotas();
        if quotas.is_empty() {
            return Ok(None);
        }
        let mut args = serde_json::Value::Null;
        if group.tool == "chat" {
            let body = self.store.bodies(job).await?.input.unwrap_or_default();
            if let Ok(Input::Args(found)) = serde_json::from_str(&body) {
                args = found;
            }
        }
        let work = work_of(info, &group.tool, route_of(&group.tool, &args));
        for quota in quotas.iter() {
            let Some(meter) = concerns(quota, work) else { continue };
            let look = MeterAct::Look { waiter: Some(job.to_string()), holders: 0, beyond: 0 };
            if let Metered::Seen(seen) = self.store.meter(&meter, look, None).await?
                && let Some(until) = seen.waits_until
            {
                return Ok(Some(QuotaWait { quota: quota.name.clone(), until }));
            }
        }
        Ok(None)
    }
}

/// Tasks that are publishable, by the place of their group and their index; some of them.
fn publishable(detail: &RunDetail) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    for (place, (_, tasks)) in detail.groups.iter().enumerate() {
        let waiting = (0_u32..).zip(tasks).filter(|(_, task)| matches!(task.state, TaskState::Publishable { .. }));
        found.extend(waiting.map(|(index, _)| (place, index)).take(LOOKED_AT));
    }
    found.truncate(LOOKED_AT);
    found
}
