//! Doing what was previewed, item by item. Each is a transition of its own, named by what was
//! seen: what went on since refuses it.

use baton_common::ids::DispatchSeq;
use baton_common::job::Outcome;
use baton_common::transition::{Dead, DeadAnswer};
use baton_common::{Failure, InterruptId, JobId, TenantId};
use futures_util::StreamExt as _;
use serde_json::json;

use super::super::{ApiError, Caller, ErrorKind, Which};
use super::{Action, Applied, ITEMS_MAX, Item, Sealed};
use crate::driver::Cue;
use crate::orchestrator::{Inner, Orchestrator};

/// Items under way at a time.
const AT_ONCE: usize = 16;

impl Orchestrator {
    /// Does what was previewed to some of its items, in their order.
    ///
    /// # Errors
    /// When an item was not previewed under this operation, or there are too many.
    pub async fn apply_operation(
        &self,
        caller: &Caller,
        operation: &str,
        action: Action,
        items: Vec<Sealed>,
    ) -> Result<Vec<Applied>, ApiError> {
        let most = usize::try_from(ITEMS_MAX).unwrap_or(usize::MAX);
        if items.len() > most {
            let cause = format!("{} items are more than {most}", items.len());
            return Err(ApiError::invalid("too_many_items", cause, "apply them in several calls"));
        }
        for item in &items {
            if !self.inner.is_sealed(&caller.tenant, operation, action, item) {
                let cause = format!("run {} was not previewed for {} under {operation}", item.run, action.name());
                return Err(ApiError::invalid("not_previewed", cause, "preview again, and apply what that lists"));
            }
        }
        let each = items.into_iter().map(|item| self.apply_one(caller, operation, action, item));
        Ok(futures_util::stream::iter(each).buffered(AT_ONCE).collect().await)
    }

    async fn apply_one(&self, caller: &Caller, operation: &str, action: Action, item: Sealed) -> Applied {
        let (run, job) = (item.run, item.job.clone());
        let told =
            |result: &str, code: String, text: String| Applied { run, job, result: result.to_owned(), code, text };
        match self.apply_item(caller, operation, action, &item).await {
            Ok(true) => told("done", String::new(), String::new()),
            Ok(false) => told("already", String::new(), String::new()),
            Err(error) => told("refused", error.code, format!("{}; {}", error.cause, error.cure)),
        }
    }

    /// Whether something was done.
    async fn apply_item(
        &self,
        caller: &Caller,
        operation: &str,
        action: Action,
        item: &Sealed,
    ) -> Result<bool, ApiError> {
        let run = item.run;
        match (action, item.kind.as_str(), &item.job) {
            (Action::Cancel, ..) | (Action::Drop, "stuck", _) => {
                Ok(!self.cancel_as(caller, run, operation).await?.existed)
            }
            (Action::Redrive, "stuck", _) => self.unpark_as(caller, run, operation).await,
            (Action::Retry, ..) | (Action::Redrive, "failed", _) => {
                Ok(!self.retry_as(caller, run, None, Some(item.generation), operation).await?.existed)
            }
            (Action::Redrive, "outcome_unknown", Some(_)) => Err(ApiError::new(
                ErrorKind::Conflict,
                "outcome_unknown",
                "it may have happened, and may not happen twice",
                "look outside, answer its question, and retry the run if it failed",
            )),
            (Action::Drop, "outcome_unknown", Some(job)) => {
                let question = Which::Interrupt(InterruptId::of(job, item.seen));
                let decision = json!({ "outcome": "failed", "message": format!("dropped by operation {operation}") });
                Ok(!self.answer(caller, run, question, decision).await?.existed)
            }
            (Action::Redrive | Action::Drop, _, Some(job)) => self.decide(caller, operation, action, job, item).await,
            (Action::Redrive | Action::Drop, ..) => {
                Err(ApiError::invalid("not_previewed", "it names no job", "preview again, and apply what that lists"))
            }
        }
    }

    async fn decide(
        &self,
        caller: &Caller,
        operation: &str,
        action: Action,
        job: &JobId,
        item: &Sealed,
    ) -> Result<bool, ApiError> {
        let inner = &self.inner;
        let moved_on = || {
            let cause = "the job went on since it was previewed";
            ApiError::new(ErrorKind::Conflict, "state_moved_on", cause, "preview again")
        };
        let found = inner.owned(caller, job.run).await?;
        // A job that was waiting is no failed one that is to be forgotten.
        if found.state.status.is_terminal() != (item.kind == "failed") {
            return Err(moved_on());
        }
        let seen = DispatchSeq(item.seen);
        let drop = match action {
            Action::Drop => {
                let failure = Failure::permanent("dropped", format!("{} gave it up", caller.actor));
                Some(serde_json::to_string(&Outcome::Error(failure)).map_err(ApiError::internal)?)
            }
            _ => None,
        };
        let (actor, operation) = (caller.actor.clone(), operation.to_owned());
        let dead = Dead { job: job.clone(), seen, drop, actor, operation };
        let settled = inner.settle(|| inner.dead_op(dead.clone())).await?;
        match settled.answer {
            DeadAnswer::Done(tail) => {
                inner.follow(job.run, tail, None);
                inner.watchers.changed(job.run);
                inner.nudge_now(job.run.partition);
                inner.advance_soon(job.run, Cue::Look);
                Ok(true)
            }
            // The first of several tries may have done it.
            DeadAnswer::Refused if settled.repeated => Ok(true),
            DeadAnswer::Refused => Err(moved_on()),
            DeadAnswer::Unknown => Err(ApiError::not_found("job", job)),
        }
    }
}

impl Inner {
    /// What shows that an item was previewed.
    pub(super) fn seal_of(&self, tenant: &TenantId, operation: &str, action: Action, item: &Item) -> String {
        let Item { run, generation, job, seen, kind, .. } = item;
        let seal = String::new();
        let sealed =
            Sealed { run: *run, generation: *generation, job: job.clone(), seen: *seen, kind: kind.clone(), seal };
        self.keys.item(&says(tenant, operation, action, &sealed))
    }

    fn is_sealed(&self, tenant: &TenantId, operation: &str, action: Action, item: &Sealed) -> bool {
        self.keys.is_item(&item.seal, &says(tenant, operation, action, item))
    }
}

/// What a seal is over.
fn says(tenant: &TenantId, operation: &str, action: Action, item: &Sealed) -> [String; 8] {
    let Sealed { run, generation, job, seen, kind, .. } = item;
    let job = job.as_ref().map(ToString::to_string).unwrap_or_default();
    let (tenant, operation, action) = (tenant.to_string(), operation.to_owned(), action.name().to_owned());
    [tenant, operation, action, run.to_string(), generation.0.to_string(), job, seen.to_string(), kind.clone()]
}
