//! What jobs take of quotas. A reservation belongs to one attempt, (job, fence), and ends with
//! it: settled with what it used, or by itself with the attempt's lease.

use baton_common::job::Outcome;
use baton_common::records::{Beyond, Quota, QuotaLimit, RunInfo, Work};
use baton_common::transition::Granted;
use baton_common::{Failure, Fence, JobId, Payload, Timestamp};
use baton_store::{Error, MeterAct, Metered};
use serde_json::Value;

use super::{Counts, Taken, meter_limit};
use crate::orchestrator::Inner;

/// What became of an attempt's reservations.
pub(crate) enum Reserved {
    /// All are taken.
    Taken(Vec<Taken>),
    /// One has no room: come again then.
    Later { at: Timestamp, quota: String },
    /// One has no room, and its operator wants a failure.
    Refused(Failure),
}

/// An attempt in the texts of meters.
fn holder(job: &JobId, fence: Fence) -> String {
    format!("{job}@{fence}")
}

/// The route that the arguments of a model call name.
pub(super) fn route_of<'a>(tool: &str, args: &'a Value) -> Option<&'a str> {
    (tool == "chat").then(|| args.get("route").and_then(Value::as_str)).flatten()
}

/// Whether a quota is about jobs of that kind: budgets are about model calls.
pub(super) fn concerns(quota: &Quota, work: Work<'_>) -> Option<String> {
    match quota.limit {
        QuotaLimit::Runs { .. } => None,
        QuotaLimit::Budget { .. } if work.route.is_none() => None,
        _ => quota.meter(work),
    }
}

impl Inner {
    /// Reserves what an attempt needs, or nothing of it.
    pub(crate) async fn reserve_quotas(&self, job: &JobId, granted: &Granted, args: &Value) -> Result<Reserved, Error> {
        let quotas = self.quotas.quotas();
        if quotas.is_empty() {
            return Ok(Reserved::Taken(Vec::new()));
        }
        let Some(info) = self.run_info(job.run).await? else { return Ok(Reserved::Taken(Vec::new())) };
        let tool = granted.group.tool.as_str();
        let work = work_of(&info, tool, route_of(tool, args));
        let mut taken: Vec<(Taken, QuotaLimit)> = Vec::new();
        for quota in quotas.iter() {
            let Some(meter) = concerns(quota, work) else { continue };
            match self.take(&meter, job, granted.fence, quota.limit).await? {
                None => taken.push((Taken { counts: Counts::of(&quota.limit), meter }, quota.limit)),
                Some(at) => {
                    self.undo(job, granted.fence, &taken).await;
                    return Ok(beyond(quota, at));
                }
            }
        }
        Ok(Reserved::Taken(taken.into_iter().map(|(taken, _)| taken).collect()))
    }

    async fn take(
        &self,
        meter: &str,
        job: &JobId,
        fence: Fence,
        limit: QuotaLimit,
    ) -> Result<Option<Timestamp>, Error> {
        let limit = match limit {
            QuotaLimit::Budget { .. } => meter_limit(&limit, self.store.now().await?),
            limit => meter_limit(&limit, Timestamp(0)),
        };
        let (holder, waiter, lease_ms) = (holder(job, fence), job.to_string(), self.settings.timings.lease_ms);
        let act = MeterAct::Take { holder, waiter, limit, lease_ms, jitter: job.digest().jitter() };
        match self.store.meter(meter, act, None).await? {
            Metered::Full(at) => Ok(Some(at)),
            _ => Ok(None),
        }
    }

    /// Gives back what an attempt took that is not begun. What is not given back ends by itself.
    async fn undo(&self, job: &JobId, fence: Fence, taken: &[(Taken, QuotaLimit)]) {
        for (taken, limit) in taken {
            let act = MeterAct::Undo { holder: holder(job, fence), limit: meter_limit(limit, Timestamp(0)) };
            if let Err(error) = self.store.meter(&taken.meter, act, None).await {
                tracing::debug!(%error, "reservation left to its lease");
            }
        }
    }

    /// Ends the reservations of an attempt whose outcome is known.
    pub(crate) async fn settle_quotas(&self, job: &JobId, fence: Fence, taken: &[Taken], used: Used) {
        for Taken { counts, meter } in taken {
            let used = match counts {
                Counts::Nothing => 0,
                Counts::Tokens => used.tokens,
                Counts::MicroUsd => used.micro_usd,
            };
            let act = MeterAct::Settle { holder: holder(job, fence), used };
            let settled = Box::pin(self.settle(|| self.store.meter(meter, act.clone(), None))).await;
            if let Err(error) = settled {
                tracing::warn!(%error, "reservation not settled, left to its lease");
            }
        }
    }

    /// Prolongs the reservations of an attempt with its lease.
    pub(crate) async fn prolong_quotas(&self, job: &JobId, fence: Fence, taken: &[Taken]) {
        let lease_ms = self.settings.timings.lease_ms;
        for Taken { meter, .. } in taken {
            let act = MeterAct::Prolong { holder: holder(job, fence), lease_ms };
            if let Err(error) = self.store.meter(meter, act, None).await {
                tracing::debug!(%error, "reservation not prolonged");
            }
        }
    }
}

pub(super) fn work_of<'a>(info: &'a RunInfo, tool: &'a str, route: Option<&'a str>) -> Work<'a> {
    Work { tenant: info.thread.tenant.as_str(), tool: Some(tool), route, key: info.actor.as_str() }
}

fn beyond(quota: &Quota, at: Timestamp) -> Reserved {
    match (quota.beyond, quota.limit) {
        (Beyond::Wait, _) => Reserved::Later { at, quota: quota.name.clone() },
        (Beyond::Refuse, limit) => {
            let (code, what) = match limit {
                QuotaLimit::Budget { .. } => ("budget_exhausted", "spent"),
                _ => ("quota_exceeded", "used up"),
            };
            let message = format!("quota {} is {what}: {limit}", quota.name);
            Reserved::Refused(Failure::new(baton_common::ErrorClass::Refused, code, message))
        }
    }
}

/// What a model call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    tokens: u64,
    micro_usd: u64,
}

impl Used {
    /// What an outcome says of it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "costs are no more than a u64 holds")]
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let Outcome::Ok(Payload::Inline(value)) = outcome else { return Self::default() };
        let Some(usage) = value.get("usage") else { return Self::default() };
        let count = |name: &str| usage.get(name).and_then(Value::as_u64);
        let sum = || count("input_tokens").unwrap_or(0).saturating_add(count("output_tokens").unwrap_or(0));
        let cost = usage.get("cost_usd").and_then(Value::as_f64).unwrap_or(0.0);
        let micro_usd = (cost.max(0.0) * 1e6).ceil().min(1e15) as u64;
        Self { tokens: count("total").unwrap_or_else(sum), micro_usd }
    }
}
