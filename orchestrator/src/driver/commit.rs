//! Commits a step: stages wide groups, makes the one atomic write, and publishes only
//! what is durable by then.

use std::sync::Arc;

use baton_common::commit::{Commit, NewGroup};
use baton_common::records::RunStatus;
use baton_common::transition::{AdvanceAnswer, Op, STAGE_TASKS_MAX, Stage};
use baton_common::{Digest, RunId};
use baton_engine::state::RunState;
use baton_engine::step::Step;
use baton_telemetry::metrics;

use super::{Begun, Trouble};
use crate::fail::{self, Passed};
use crate::orchestrator::Inner;
use crate::remembered::Known;
use crate::traces::Superstep;

/// Times staged tasks are brought in again.
const STAGINGS_MAX: u32 = 5;

/// What became of a commit.
pub(super) enum Committed {
    /// It is there; whether closed groups are left to fold.
    Moved { again: bool },
    /// The run had moved on.
    Conflict,
}

impl Inner {
    pub(super) async fn commit(
        self: &Arc<Self>,
        work: &Begun,
        step: Step,
        trace: &Superstep,
    ) -> Result<Committed, Trouble> {
        let (state, mut effects) = (Arc::new(step.state), step.effects);
        effects.segments.extend(work.journal.clone());
        let tenant = &work.info.thread.tenant;
        let put = self.put_large(tenant, &mut effects.checkpoints, &mut effects.segments).await;
        put.map_err(super::prepare::of_blobs)?;
        let run = work.info.id;
        let reason = format!("{}:{}", work.reason, state.hash);
        let op = Commit::op(run, work.record.ver, &effects.consumed, &reason);
        let ended = effects.end.as_ref().map(|end| end.status);
        let ends = ended.is_some();
        if !work.info.before.is_empty() {
            // Whoever makes their inputs may remember the run's first version.
            effects.open.iter_mut().for_each(|group| group.info_mut().graph = Some(work.info.graph));
        }
        trace.mark(&mut effects.open);
        let batches = self.batches_of(&work.info, work.record.r#gen, &effects.open, trace.context());
        let (open, staged) = split_wide(effects.open);
        let commit = Commit {
            run,
            seen: work.record.ver,
            op,
            after: work.record.last_op,
            closed_at: work.closed_at(&effects.consumed),
            consumed: effects.consumed,
            cancelled: effects.cancelled,
            checkpoints: effects.checkpoints.into_iter().map(Arc::new).collect(),
            segments: effects.segments,
            open,
            staged: staged.iter().map(|stage| stage.tasks.len() as u32).sum(),
            undoing: effects.undoing,
            end: effects.end,
        };
        let settled = self.write_traced(run, op, commit.into(), &staged, trace).await?;
        match settled.answer {
            AdvanceAnswer::Advanced { again, next, children, parent, .. } => {
                count_end(work, ended);
                self.committed(work, state, op, ends);
                self.publish_soon(work.info.clone(), batches);
                self.advance_ready(next.into_iter().chain(children).collect());
                if let Some(parent) = parent {
                    let (caller, tail) = *parent;
                    self.follow(caller, tail, trace.context());
                }
                Ok(Committed::Moved { again })
            }
            AdvanceAnswer::Already { .. } => {
                self.committed(work, state, op, ends);
                if settled.repeated {
                    count_end(work, ended);
                    self.publish_soon(work.info.clone(), batches);
                }
                Ok(Committed::Moved { again: !ends })
            }
            AdvanceAnswer::Terminal => {
                self.states.forget(run);
                self.inflight.ended(run);
                Ok(Committed::Moved { again: false })
            }
            AdvanceAnswer::Conflict => Ok(Committed::Conflict),
            AdvanceAnswer::Incomplete => {
                Err(Trouble::Store(baton_store::Error::Unavailable("staged tasks went missing".to_owned())))
            }
        }
    }

    /// Remembers the new state, and tells who watches.
    fn committed(self: &Arc<Self>, work: &Begun, state: Arc<RunState>, op: Digest, ends: bool) {
        let run = work.info.id;
        let (thread, ver) = (work.info.thread.clone(), work.record.ver.next());
        self.remembered.put(run, Known { thread, ver, head: Some((state.head, state.hash)) });
        if ends {
            self.states.forget(run);
            if work.info.parent.is_none() {
                self.states.put_last(&work.info.thread, state);
            }
            self.inflight.ended(run);
            self.release_run_soon(&work.info);
        } else {
            self.states.put(state, Some(op));
        }
        self.watchers.changed(run);
    }

    async fn write_traced(
        &self,
        run: RunId,
        op: Digest,
        commit: Arc<Commit>,
        staged: &[Staged],
        trace: &Superstep,
    ) -> Result<crate::ops::Settled<AdvanceAnswer>, Trouble> {
        let mut span = trace.commit(commit.open.len(), commit.checkpoints.len());
        let settled = self.write(run, op, commit, staged).await;
        if settled.is_err() {
            span.say(|span| {
                span.fail("store_unavailable");
            });
        }
        settled
    }

    async fn write(
        &self,
        run: RunId,
        op: Digest,
        commit: Arc<Commit>,
        staged: &[Staged],
    ) -> Result<crate::ops::Settled<AdvanceAnswer>, Trouble> {
        let mut repeated = false;
        for staging in 1.. {
            for stage in staged {
                Box::pin(self.stage(run, op, stage)).await?;
            }
            let mut settled = self.settle(|| self.advance_op(commit.clone())).await?;
            settled.repeated |= repeated;
            repeated = settled.repeated;
            if settled.answer == AdvanceAnswer::Incomplete && staging < STAGINGS_MAX {
                continue;
            }
            if fail::point("after_advance").await == Passed::Error {
                return Err(Trouble::Store(fail::unknown()));
            }
            return Ok(settled);
        }
        Err(Trouble::Contended)
    }

    async fn stage(&self, run: RunId, op: Digest, stage: &Staged) -> Result<(), Trouble> {
        let mut first = 0;
        for tasks in stage.tasks.chunks(STAGE_TASKS_MAX) {
            let group = stage.group.clone();
            let chunk = Op::Stage(Stage { run, op, group, first, tasks: tasks.to_vec() });
            self.settle(|| self.change_op(chunk.clone())).await?;
            first += tasks.len() as u32;
        }
        Ok(())
    }
}

/// Tells of the end of a run, and counts it where nobody's task waits for it.
fn count_end(work: &Begun, ended: Option<RunStatus>) {
    match ended {
        Some(RunStatus::Failed) => tracing::info!(graph = work.info.graph_name, "run failed"),
        Some(status) => tracing::debug!(graph = work.info.graph_name, status = status.name(), "run ended"),
        None => {}
    }
    if let Some(status) = ended.filter(|_| work.info.parent.is_none()) {
        metrics::orchestrator().ended.of(&[status.name()]).inc();
    }
}

/// The tasks of a group that are brought in ahead.
struct Staged {
    group: baton_common::GroupId,
    tasks: Vec<baton_common::commit::NewTask>,
}

/// Takes the tasks of the widest groups out until the rest fits into one advance.
fn split_wide(mut open: Vec<NewGroup>) -> (Vec<NewGroup>, Vec<Staged>) {
    let mut total: usize = open.iter().map(|group| group.tasks.len()).sum();
    let mut staged = Vec::new();
    while total > STAGE_TASKS_MAX {
        let Some(widest) = open.iter_mut().max_by_key(|group| group.tasks.len()) else { break };
        let tasks = std::mem::take(&mut widest.tasks);
        total -= tasks.len();
        staged.push(Staged { group: widest.info.id.clone(), tasks });
    }
    (open, staged)
}
