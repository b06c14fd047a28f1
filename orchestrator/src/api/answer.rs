//! Decisions about runs: answers to questions, and cancelling. Each is recorded once, for
//! ever, before anybody is told of it.

use baton_common::commit::Question;
use baton_common::job::Outcome;
use baton_common::records::{Interrupt, TaskKind};
use baton_common::transition::{Answer, AnswerVerdict, Cancel, CancelAnswer};
use baton_common::{Actor, Failure, RunId, canonical_json};
use baton_engine::answer::check_answer;
use baton_store::RunDetail;
use baton_telemetry::names;
use serde_json::Value;

use super::runs::schema_of;
use super::{Answered, ApiError, Caller, CancelView, ErrorKind, Which, address};
use crate::about;
use crate::driver::Cue;
use crate::fail::{self, Passed};
use crate::orchestrator::Orchestrator;
use crate::traces::{self, Cause};

/// The largest decision, in bytes of JSON.
const DECISION_BYTES_MAX: usize = 256 * 1024;

impl Orchestrator {
    /// Answers a question of a run.
    ///
    /// # Errors
    /// When there is no such question, the decision is not what it asks for, or another was
    /// recorded before.
    pub async fn answer(
        &self,
        caller: &Caller,
        run: RunId,
        which: Which,
        decision: Value,
    ) -> Result<Answered, ApiError> {
        let inner = &self.inner;
        let root = inner.owned_detail(caller, run).await?;
        let family = inner.family(&root).await?;
        let (detail, interrupt) = address::find(&root, &family, &which)?;
        let run = detail.run.info.id;
        let span = traces::call(names::SPAN_ANSWER, caller, &detail.run.info);
        let text = canonical_json(&decision);
        if text.len() > DECISION_BYTES_MAX {
            let cause = format!("the decision has {} bytes, more than {DECISION_BYTES_MAX}", text.len());
            return Err(ApiError::invalid("decision_too_large", cause, "shorten it"));
        }
        let outcome = outcome_of(detail, interrupt, &decision, &caller.actor)?;
        let answer = Answer {
            job: interrupt.job.clone(),
            interrupt: interrupt.id,
            decision: text,
            ok: matches!(outcome, Outcome::Ok(_)),
            outcome: serde_json::to_string(&outcome).map_err(ApiError::internal)?,
            actor: caller.actor.clone(),
        };
        let settled = inner.settle(|| inner.answer_op(answer.clone())).await?;
        if fail::point("after_answer_script").await == Passed::Error {
            return Err(fail::unknown().into());
        }
        match settled.answer {
            AnswerVerdict::Ok(tail) => {
                tail.released.iter().for_each(|task| inner.forget_opened(&task.job));
                let node = &interrupt.job.group.node;
                about::of_run(&detail.run.info, span.context())
                    .in_scope(|| tracing::debug!(%node, "question answered"));
                let cause = if is_about_job(detail, interrupt) { Cause::answer } else { Cause::new };
                inner.follow_cause(run, tail, span.context().map(cause));
                Ok(Answered { interrupt: interrupt.id, existed: false })
            }
            AnswerVerdict::Already => Ok(Answered { interrupt: interrupt.id, existed: !settled.repeated }),
            refused => Err(refusal(refused, run)),
        }
    }

    /// Asks a run to end. It ends once the jobs under way have stopped.
    ///
    /// # Errors
    /// When there is no such run for this caller, or nothing is known of what happened.
    pub async fn cancel(&self, caller: &Caller, run: RunId) -> Result<CancelView, ApiError> {
        self.cancel_as(caller, run, "").await
    }

    /// The same as part of an operation over many.
    pub(super) async fn cancel_as(&self, caller: &Caller, run: RunId, operation: &str) -> Result<CancelView, ApiError> {
        let inner = &self.inner;
        inner.owned(caller, run).await?;
        let cancel = Cancel { run, actor: caller.actor.clone(), operation: operation.to_owned() };
        let settled = inner.settle(|| inner.cancel_op(cancel.clone())).await?;
        if fail::point("after_cancel_script").await == Passed::Error {
            return Err(fail::unknown().into());
        }
        match settled.answer {
            CancelAnswer::Cancelling => {
                inner.inflight.cancelling(run);
                inner.watchers.changed(run);
                inner.advance_soon(run, Cue::Look);
                Ok(CancelView { existed: false })
            }
            CancelAnswer::Already => Ok(CancelView { existed: !settled.repeated }),
            CancelAnswer::Terminal => Ok(CancelView { existed: true }),
            CancelAnswer::Unknown => Err(ApiError::not_found("run", run)),
        }
    }
}

/// How the task ends by a decision.
fn outcome_of(detail: &RunDetail, interrupt: &Interrupt, decision: &Value, actor: &Actor) -> Result<Outcome, ApiError> {
    let question: Question = serde_json::from_str(&interrupt.question).map_err(ApiError::internal)?;
    let output = check_answer(&question.form, decision, actor.as_str()).map_err(|failure| {
        let cure = format!("answer with a value of the schema {}", schema_of(&question.form));
        ApiError::invalid(failure.code, failure.message, cure)
    })?;
    Ok(if is_about_job(detail, interrupt) { outcome_known(&output) } else { Outcome::value(output) })
}

/// Whether a question is what became of a job, rather than one of the graph's own.
fn is_about_job(detail: &RunDetail, interrupt: &Interrupt) -> bool {
    let group = detail.groups.iter().find(|(group, _)| group.info.id == interrupt.job.group);
    group.is_some_and(|(group, _)| group.info.kind == TaskKind::Job)
}

/// What a person says about a job whose outcome nobody knows.
fn outcome_known(decision: &Value) -> Outcome {
    if decision["outcome"] == "succeeded" {
        return Outcome::value(decision["value"].clone());
    }
    let message = decision["message"].as_str().unwrap_or("a person said that it failed").to_owned();
    Outcome::Error(Failure::permanent("outcome_failed", message))
}

fn refusal(verdict: AnswerVerdict, run: RunId) -> ApiError {
    let conflict = |code: &str, cause: String, cure: &str| ApiError::new(ErrorKind::Conflict, code, cause, cure);
    match verdict {
        AnswerVerdict::Conflict { recorded } => {
            let recorded: String = recorded.chars().take(500).collect();
            conflict("answered_otherwise", format!("the recorded answer is {recorded}"), "it stays")
        }
        AnswerVerdict::Expired => conflict("question_expired", "its time was over".to_owned(), "look at the run"),
        AnswerVerdict::Withdrawn => {
            conflict("question_withdrawn", "nobody waits for the answer any more".to_owned(), "look at the run")
        }
        AnswerVerdict::Terminal => {
            conflict("run_over", format!("run {run} is over or being cancelled"), "look at the run")
        }
        _ => ApiError::not_found("question", run),
    }
}
