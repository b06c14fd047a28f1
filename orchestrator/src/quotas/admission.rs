//! Whether one more run is taken. Those that are taken go on whatever comes.

use std::sync::Arc;

use baton_broker::JOB_QUEUES;
use baton_common::records::{QuotaLimit, RunInfo, Work};
use baton_common::{RunId, Timestamp};
use baton_store::{MeterAct, MeterLimit, Metered};

use super::meter_limit;
use crate::about;
use crate::api::{ApiError, ErrorKind};
use crate::orchestrator::Inner;

/// A run counts until it has ended, however long that takes: milliseconds of thirty years.
const RUN_LEASE_MS: u64 = 1_000_000_000_000;
/// Runs that are looked at when there is no room, whether they have ended.
const LOOKED_AT: u32 = 32;
/// When to come again, in milliseconds.
const COME_AGAIN_MS: u64 = 2_000;

impl Inner {
    /// Looks how full store and queues are.
    pub(super) async fn look_for_room(&self) {
        let found = match self.no_room().await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "room not looked at");
                return;
            }
        };
        let mut pressure = self.quotas.pressure.lock();
        if pressure.is_none() != found.is_none() {
            tracing::warn!(why = found.as_deref().unwrap_or("there is room again"), "admission changed");
        }
        *pressure = found;
    }

    async fn no_room(&self) -> Result<Option<String>, baton_store::Error> {
        let percent = u64::from(self.settings.admission_fill_percent);
        if percent > 0
            && let Some(fill) = self.store.fill().await?
            && fill.used >= fill.most / 100 * percent
        {
            return Ok(Some(format!("the store uses {} of {} bytes", fill.used, fill.most)));
        }
        if self.settings.backlog_max == 0 {
            return Ok(None);
        }
        let mut backlog = 0;
        for queue in JOB_QUEUES {
            backlog += self.depth_of(queue).await.ok().flatten().map_or(0, |depth| depth.ready);
        }
        let full = backlog > self.settings.backlog_max;
        Ok(full.then(|| format!("{backlog} jobs wait for workers, more than {}", self.settings.backlog_max)))
    }

    /// Lets a run in, or says why not. What it takes of quotas belongs to the run: repeating
    /// this changes nothing.
    pub(crate) async fn admit(&self, info: &RunInfo) -> Result<(), ApiError> {
        let mut refused = self.quotas.pressure();
        let limited = refused.is_some() || !self.run_meters(info).is_empty();
        // What was accepted before is answered again, and takes nothing a second time.
        if limited && info.request.is_some() && self.store.run(info.id).await?.is_some() {
            return Ok(());
        }
        if refused.is_none() {
            refused = self.beyond_runs(info).await?;
        }
        let Some(cause) = refused else { return Ok(()) };
        let cure = "submit it again later: nothing was begun";
        Err(ApiError::new(ErrorKind::Exhausted, "overloaded", cause, cure).retry_after_ms(COME_AGAIN_MS))
    }

    async fn beyond_runs(&self, info: &RunInfo) -> Result<Option<String>, ApiError> {
        for (meter, name, limit) in self.run_meters(info) {
            let holder = info.id.to_string();
            let limit = meter_limit(&limit, Timestamp(0));
            let take = MeterAct::Take { waiter: holder.clone(), holder, limit, lease_ms: RUN_LEASE_MS, jitter: 0 };
            let mut answer = self.store.meter(&meter, take.clone(), None).await?;
            if matches!(answer, Metered::Full(_)) && self.forget_ended(&meter, limit).await? {
                answer = self.store.meter(&meter, take, None).await?;
            }
            if matches!(answer, Metered::Full(_)) {
                self.release_run(info).await;
                return Ok(Some(format!("too many runs are open for quota {name}")));
            }
        }
        Ok(None)
    }

    /// Takes runs that have ended out of a meter: whoever ended them may not have done so. Any
    /// of them are looked at, so that all are in time.
    async fn forget_ended(&self, meter: &str, limit: MeterLimit) -> Result<bool, ApiError> {
        let MeterLimit::Held { most } = limit else { return Ok(false) };
        let places = u32::try_from(most).unwrap_or(u32::MAX).saturating_sub(LOOKED_AT).saturating_add(1);
        let [a, b, c, d, ..] = self.seeded_bytes();
        let beyond = u32::from_be_bytes([a, b, c, d]) % places;
        let look = MeterAct::Look { waiter: None, holders: LOOKED_AT, beyond };
        let Metered::Seen(seen) = self.store.meter(meter, look, None).await? else { return Ok(false) };
        let mut forgotten = false;
        for holder in seen.holders {
            let Ok(run) = holder.parse::<RunId>() else { continue };
            if self.store.run(run).await?.is_none_or(|run| run.state.status.is_terminal()) {
                self.store.meter(meter, MeterAct::Settle { holder, used: 0 }, None).await?;
                forgotten = true;
            }
        }
        Ok(forgotten)
    }

    fn run_meters(&self, info: &RunInfo) -> Vec<(String, String, QuotaLimit)> {
        let quotas = self.quotas.quotas();
        let work = Work { tenant: info.thread.tenant.as_str(), tool: None, route: None, key: info.actor.as_str() };
        let own = quotas.iter().filter(|quota| matches!(quota.limit, QuotaLimit::Runs { .. }));
        own.filter_map(|quota| Some((quota.meter(work)?, quota.name.clone(), quota.limit))).collect()
    }

    /// A run counts no more: it has ended, or was not accepted.
    pub(crate) async fn release_run(&self, info: &RunInfo) {
        for (meter, _, _) in self.run_meters(info) {
            let act = MeterAct::Settle { holder: info.id.to_string(), used: 0 };
            if let Err(error) = self.store.meter(&meter, act, None).await {
                about::of_run(info, None).in_scope(|| tracing::debug!(%error, "run still counted"));
            }
        }
    }

    /// The same, without waiting.
    pub(crate) fn release_run_soon(self: &Arc<Self>, info: &Arc<RunInfo>) {
        if info.parent.is_none() && !self.run_meters(info).is_empty() {
            let (inner, info) = (self.clone(), info.clone());
            self.spawn(async move { inner.release_run(&info).await });
        }
    }
}
