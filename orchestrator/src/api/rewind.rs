//! Going on from a run's past: editing its thread, forking it, and taking it up again.
//!
//! Each names what it saw, so that a repetition changes nothing and a race is a conflict.

use std::collections::BTreeMap;

use baton_common::records::{Origin, Run, RunInfo, SetBack};
use baton_common::transition::{Edit, EditAnswer, Fork, OnBusy, Retry, RetryAnswer, Submit, SubmitAnswer};
use baton_common::{Gen, Hasher, RequestId, RunId, Seq, ThreadId, ThreadKey, Timestamp, canonical_json};
use baton_engine::step;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ApiError, Caller, ErrorKind, Submitted};
use crate::driver::Cue;
use crate::load::beyond;
use crate::orchestrator::{Inner, Orchestrator};

/// The largest set of values an edit may bring, in bytes of JSON.
const SET_BYTES_MAX: usize = 256 * 1024;

/// Asks for a run that goes on from an earlier state of another.
#[derive(Debug, Clone, PartialEq)]
pub struct ForkRequest {
    /// The run to go on from.
    pub run: RunId,
    /// Its checkpoint; its last where none is named.
    pub from: Option<Seq>,
    /// Values to change first, by channel.
    pub set: Map<String, Value>,
    /// The name of the new thread within the partition of the old one.
    pub thread: Option<ThreadId>,
    /// The caller's name for this fork: repeating it changes nothing.
    pub request_id: Option<RequestId>,
}

/// An edit that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Edited {
    /// Its checkpoint.
    pub seq: Seq,
    /// Whether the same edit had been made before.
    pub existed: bool,
}

/// A run that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Its new generation.
    pub generation: Gen,
    /// Whether the same retry had been made before.
    pub existed: bool,
}

impl Orchestrator {
    /// Changes the state of a run's thread, as a checkpoint of its own behind `expected`.
    ///
    /// # Errors
    /// When there is no such run for this caller, a value is not of its channel's type, or
    /// the thread has moved on.
    pub async fn edit(
        &self,
        caller: &Caller,
        run: RunId,
        expected: Seq,
        set: Map<String, Value>,
    ) -> Result<Edited, ApiError> {
        let inner = &self.inner;
        let found = inner.owned(caller, run).await?;
        if found.state.status.is_terminal() {
            refuse_called(&found, "edit")?;
        }
        check_size(&set)?;
        let (_, checkpoint, segments) = inner.edited_at(&found, &found, expected, set).await?;
        let seq = checkpoint.seq;
        let (thread, checkpoint) = (found.info.thread.clone(), checkpoint.into());
        let edit = Edit { thread, checkpoint, segments, actor: caller.actor.clone() };
        let settled = inner.settle(|| inner.edit_op(edit.clone())).await?;
        match settled.answer {
            EditAnswer::Edited { .. } => {
                inner.states.forget(run);
                inner.watchers.changed(run);
                Ok(Edited { seq, existed: false })
            }
            EditAnswer::Already => Ok(Edited { seq, existed: !settled.repeated }),
            EditAnswer::Conflict { head } => {
                let cause = format!("the last checkpoint is {head}, not {expected}");
                Err(ApiError::new(ErrorKind::Conflict, "state_moved_on", cause, "look at it, and edit again"))
            }
            EditAnswer::Unknown => Err(ApiError::not_found("thread", found.info.thread.thread)),
        }
    }

    /// Starts a run that goes on from an earlier checkpoint of another, on a thread of its
    /// own. What was under way at that checkpoint begins anew.
    ///
    /// # Errors
    /// When there is no such run or checkpoint for this caller, a value is not of its
    /// channel's type, or the request id was used for something else.
    pub async fn fork(&self, caller: &Caller, request: ForkRequest) -> Result<Submitted, ApiError> {
        let inner = &self.inner;
        let found = inner.owned(caller, request.run).await?;
        refuse_called(&found, "fork")?;
        check_size(&request.set)?;
        let from = match request.from {
            Some(seq) => seq,
            None => inner.head_of(&found).await?,
        };
        let head = inner.set_back_to(&found, from).await?;
        let info = inner.fork_info(caller, &found.info, from, &request)?;
        let edit = if request.set.is_empty() {
            None
        } else {
            let renamed = Run { info: info.clone(), ..found.clone() };
            let (_, checkpoint, segments) = inner.edited_at(&found, &renamed, from, request.set.clone()).await?;
            Some((checkpoint.into(), segments))
        };
        let origin = Origin { thread: found.info.thread.clone(), seq: from };
        let fork = Some(Box::new(Fork { origin, head, edit }));
        let compiled = inner.graph(&caller.tenant, info.graph).await?;
        let lasting = request.thread.is_some() || compiled.is_some_and(|compiled| compiled.keeps());
        let submit = Submit { fork, lasting, ..Submit::new(info.clone(), OnBusy::Reject) };
        let settled = inner.settle(|| inner.submit_op(submit.clone())).await?;
        let existed = match settled.answer {
            SubmitAnswer::Accepted | SubmitAnswer::Queued => false,
            SubmitAnswer::Exists => !settled.repeated,
            refused => return Err(super::submit::refusal(refused, &info)),
        };
        inner.advance_soon(info.id, Cue::Look);
        Ok(Submitted { run: info.id, thread: info.thread.thread, graph: info.graph, existed, queued: false })
    }

    /// Takes a run that failed, was cancelled or is stuck up again, in a new generation: from
    /// an earlier checkpoint, or from the failure itself; what succeeded beside that stays.
    ///
    /// # Errors
    /// When there is no such run or checkpoint for this caller, it succeeded or is under way,
    /// or another run is active on its thread.
    pub async fn retry(&self, caller: &Caller, run: RunId, from: Option<Seq>) -> Result<Retried, ApiError> {
        self.retry_as(caller, run, from, None, "").await
    }

    /// The same as part of an operation over many, of the generation that was seen.
    pub(super) async fn retry_as(
        &self,
        caller: &Caller,
        run: RunId,
        from: Option<Seq>,
        seen: Option<Gen>,
        operation: &str,
    ) -> Result<Retried, ApiError> {
        let inner = &self.inner;
        let found = inner.owned(caller, run).await?;
        if found.state.status.is_terminal() {
            refuse_called(&found, "retry")?;
        }
        let from = match from {
            Some(seq) => Some(inner.set_back_to(&found, seq).await?),
            None => None,
        };
        let deadline = inner.time_again(&found).await?;
        let seen = seen.unwrap_or(found.state.r#gen);
        let retry = Retry { run, seen, from, deadline, actor: caller.actor.clone(), operation: operation.to_owned() };
        let settled = inner.settle(|| inner.retry_op(retry.clone())).await?;
        let conflict = |code: &str, cause: String, cure: &str| ApiError::new(ErrorKind::Conflict, code, cause, cure);
        match settled.answer {
            RetryAnswer::Retried(tail) => {
                inner.states.forget_run(run);
                inner.inflight.ended(run);
                inner.follow(run, tail, None);
                inner.advance_soon(run, Cue::Look);
                Ok(Retried { generation: seen.next(), existed: false })
            }
            RetryAnswer::Already => Ok(Retried { generation: seen.next(), existed: !settled.repeated }),
            RetryAnswer::Refused => {
                let cause = format!("run {run} is {}", found.state.status.name());
                Err(conflict("not_retryable", cause, "only runs that failed, were cancelled or are stuck go on again"))
            }
            RetryAnswer::Gone => Err(ApiError::not_found("checkpoint", format!("what run {run} is to go on from"))),
            RetryAnswer::Busy => {
                let cause = format!("another run is active on thread {}", found.info.thread.thread);
                Err(conflict("thread_busy", cause, "wait for it, or fork this run"))
            }
            RetryAnswer::Unknown => Err(ApiError::not_found("run", run)),
        }
    }
}

impl Inner {
    /// When the time of a run that is taken up again is over: one whose time has passed has
    /// as long as it had before. `None`: nothing changes.
    async fn time_again(&self, run: &Run) -> Result<Option<Timestamp>, ApiError> {
        let Some(deadline) = run.info.deadline else { return Ok(None) };
        let now = self.store.now().await?;
        if deadline > now {
            return Ok(None);
        }
        let compiled = self.graph(&run.info.thread.tenant, run.info.graph).await?;
        let limit = compiled.and_then(|compiled| compiled.graph.limits.duration_ms);
        let had = || u64::try_from(deadline.0 - run.state.created_at.0).unwrap_or(0);
        Ok(Some(now.plus_ms(limit.unwrap_or_else(had))))
    }

    /// The checkpoint that an edit of a run's thread would be; as part of another run, for a
    /// fork.
    async fn edited_at(&self, of: &Run, into: &Run, at: Seq, set: Map<String, Value>) -> Result<Edit3, ApiError> {
        let checkpoint = self.checkpoint_of(of, at).await?;
        let mut state = self.state_from(of, (&into.info, into.state.r#gen), checkpoint, false).await?;
        if let Some(thread) = self.store.thread(&into.info.thread).await? {
            state.used = beyond(thread.used, state.head);
        }
        let version = into.info.graph;
        let compiled = self.graph(&of.info.thread.tenant, version).await?;
        let compiled = compiled.ok_or_else(|| ApiError::not_found("graph", version))?;
        let now = self.store.now().await?;
        let writes: BTreeMap<String, Value> = set.into_iter().collect();
        let edited = self.compute.run(move || step::edit(&compiled.graph, state, &writes, now)).await;
        let edited = edited.map_err(ApiError::internal)?;
        let (state, mut checkpoint, mut segments) = edited.map_err(|failure| {
            ApiError::invalid(failure.code, failure.message, "give each channel a value of its declared type")
        })?;
        self.put_large(&of.info.thread.tenant, std::slice::from_mut(&mut checkpoint), &mut segments).await?;
        Ok((state, checkpoint, segments))
    }

    /// Where a thread stood at a checkpoint: what a loader needs to take it for its head.
    pub(super) async fn set_back_to(&self, run: &Run, seq: Seq) -> Result<SetBack, ApiError> {
        let mut channels = BTreeMap::new();
        let mut at = seq;
        while at != Seq(0) {
            let checkpoint = self.checkpoint_of(run, at).await?;
            for channel in checkpoint.writes.keys() {
                channels.entry(channel.clone()).or_insert(checkpoint.seq);
            }
            at = if checkpoint.full { Seq(0) } else { checkpoint.parent };
        }
        Ok(SetBack { seq, channels })
    }

    fn fork_info(&self, caller: &Caller, of: &RunInfo, from: Seq, request: &ForkRequest) -> Result<RunInfo, ApiError> {
        let set = Value::Object(request.set.clone());
        let body_digest =
            Hasher::new().field("fork").field(of.id.to_string()).number(from.0).field(canonical_json(&set)).finish();
        let partition = of.id.partition;
        let name = match (&request.thread, &request.request_id) {
            (Some(thread), _) => thread.to_string(),
            (None, Some(request)) => ThreadId::for_request(&caller.tenant, request).to_string(),
            (None, None) => self.new_thread().to_string(),
        };
        let thread = ThreadId::within(partition, &name)
            .map_err(|error| ApiError::invalid("invalid_thread", error.to_string(), "use a shorter name"))?;
        let thread = ThreadKey { tenant: caller.tenant.clone(), thread };
        Ok(RunInfo {
            id: RunId::for_submit(&thread, request.request_id.as_ref()),
            thread,
            actor: caller.actor.clone(),
            request: request.request_id.clone(),
            body_digest,
            parent: None,
            deadline: None,
            // The version that the checkpoint was made with knows all that is open there.
            ..of.as_of(from)
        })
    }
}

type Edit3 = (baton_engine::state::RunState, baton_common::records::Checkpoint, Vec<baton_common::commit::Segment>);

/// A run that was called is part of its caller: its thread goes with it, and nobody would take
/// what a second life of it gave.
fn refuse_called(run: &Run, what: &str) -> Result<(), ApiError> {
    let Some(parent) = &run.info.parent else { return Ok(()) };
    let cause = format!("run {} was called by run {}, and is part of it", run.info.id, parent.job.run);
    Err(ApiError::new(ErrorKind::Conflict, "called_run", cause, format!("{what} run {}", parent.root)))
}

fn check_size(set: &Map<String, Value>) -> Result<(), ApiError> {
    let bytes = Value::Object(set.clone()).to_string().len();
    if bytes <= SET_BYTES_MAX {
        return Ok(());
    }
    let cause = format!("the values have {bytes} bytes, more than {SET_BYTES_MAX}");
    Err(ApiError::invalid("set_too_large", cause, "change less at once"))
}
