//! RETRY: a run that ended or is stuck goes on in a new generation, from an earlier state or
//! from its failure: groups that were kept at its end are opened again.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::records::{
    Audit, DueKey, DueKind, EventKind, Group, GroupState, RunInfo, RunState, RunStatus, SetBack, Task, TaskKind,
    TaskState, Terms, Thread,
};
use baton_common::transition::{Retry, RetryAnswer, Tail};
use baton_common::{JobId, RunId, Seq, ThreadId};

use super::retention::Shares;
use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn retry(&mut self, op: &Retry) -> Outcome<RetryAnswer> {
        let run = op.run;
        let (Some(mut info), Some(mut state)) = (self.rows.run_info(run)?, self.rows.run_state(run)?) else {
            return Ok(RetryAnswer::Unknown);
        };
        if state.r#gen == op.seen.next() {
            return Ok(RetryAnswer::Already);
        }
        let ended = matches!(state.status, RunStatus::Failed | RunStatus::Cancelled);
        let may = state.status == RunStatus::Stuck || ended && info.parent.is_none();
        if !may || state.r#gen != op.seen {
            return Ok(RetryAnswer::Refused);
        }
        let mut thread = self.rows.thread(&info.thread)?.unwrap_or_else(|| Thread::new(info.thread.clone()));
        if thread.active.is_some_and(|active| active != run) {
            return Ok(RetryAnswer::Busy);
        }
        let back = op.from.as_ref().map_or(Seq(0), |back| back.seq);
        let shares = if back == Seq(0) { Some(Shares::new()) } else { self.shares(&thread, back)? };
        let Some(shares) = shares else { return Ok(RetryAnswer::Gone) };
        let before = state.ver;
        thread.active = Some(run);
        self.hold_shares(&shares, back)?;
        if let Some(back) = &op.from {
            self.hold_back(&thread.key, run, back)?;
            thread.go_back(back);
            state.head = back.seq;
        }
        self.rows.put_thread(thread)?;
        if op.deadline.is_some() {
            Arc::make_mut(&mut info).deadline = op.deadline;
            self.rows.put_run_info(&info)?;
        }
        self.stop_all_left(&info, &mut state)?;
        self.revive(&info, &mut state)?;
        self.stop_all_left(&info, &mut state)?;
        let tail = self.take_up(&info, &mut state, op.from.as_ref())?;
        self.rows.put_run_state(run, &state)?;
        self.note(Audit {
            at: self.now,
            tenant: info.thread.tenant.clone(),
            actor: op.actor.clone(),
            operation: "retry".to_owned(),
            run,
            subject: op.subject(),
            before,
            after: state.ver,
            verdict: "retried".to_owned(),
            number: 0,
            prior: String::new(),
        })?;
        Ok(RetryAnswer::Retried(tail))
    }

    /// Stops what a stuck run has under way, and makes the run one that may advance.
    fn revive(&mut self, info: &RunInfo, state: &mut RunState) -> Outcome<()> {
        let run = info.id;
        if state.status == RunStatus::Stuck {
            self.rows.delete_parked(run)?;
            for group in self.groups(run)? {
                if !group.info.detached {
                    self.freeze_group(info, state, group)?;
                }
            }
        }
        self.rows.delete_run_end(run)?;
        for kind in [DueKind::Gc, DueKind::Cancel] {
            self.rows.delete_due(&DueKey::run(kind, run))?;
        }
        if let Some(deadline) = info.deadline.filter(|deadline| *deadline > self.now) {
            self.rows.put_due(&DueKey::run(DueKind::Timer, run), deadline)?;
        }
        state.status = RunStatus::Running;
        state.undoing = false;
        state.r#gen = state.r#gen.next();
        state.ver = state.ver.next();
        state.ended_at = None;
        state.advance_attempts = 0;
        state.closed = 0;
        state.ready_at = self.now;
        self.run_event(run, state, EventKind::Retried, u64::from(state.r#gen.0), "")
    }

    /// Opens what was kept again, or goes on from the head where there is nothing or an
    /// earlier state was asked for.
    fn take_up(&mut self, info: &RunInfo, state: &mut RunState, from: Option<&SetBack>) -> Outcome<Tail> {
        let mut tail = Tail::default();
        let mut reopened = false;
        for group in self.groups(info.id)? {
            if group.info.detached {
                continue;
            }
            if from.is_some() || group.info.undo {
                self.rows.delete_group(info.id, &group.info.id)?;
                continue;
            }
            self.reopen(info, state, group, &mut tail)?;
            reopened = true;
        }
        state.resumed = !reopened && state.superstep > 0;
        let ready = DueKey::run(DueKind::Ready, info.id);
        if !reopened || state.closed > 0 {
            self.rows.put_due(&ready, self.now)?;
            tail.ready.push(info.id);
        } else {
            self.rows.delete_due(&ready)?;
        }
        Ok(tail)
    }

    /// Opens a group again: what had succeeded stays, the rest is held and let go within the
    /// window.
    fn reopen(&mut self, info: &RunInfo, state: &mut RunState, mut group: Group, tail: &mut Tail) -> Outcome<()> {
        let tasks = self.rows.tasks(info.id, &group.info.id)?;
        for (index, _) in self.rows.unsettled(info.id, &group.info.id, u32::MAX)? {
            self.rows.delete_unsettled(info.id, &group.info.id, index)?;
        }
        let done = tasks.iter().filter(|task| task.state == TaskState::Done).count();
        let ok = u32::try_from(done).unwrap_or(u32::MAX);
        group.state = GroupState { ok, next_held: ok, linked: true, ..GroupState::default() };
        let needs = self.open_needs(info.id, &group, &tasks)?;
        for (index, mut task) in (0_u32..).zip(tasks) {
            if task.state == TaskState::Done {
                continue;
            }
            let job = JobId { index, ..self.first_job(info, state, &group) };
            task.state = TaskState::Held;
            (task.app_attempts, task.infra_attempts, task.trouble) = (0, 0, None);
            self.rows.put_task(job.run, &job.group, index, &task)?;
            self.rows.delete_result(job.run, &job.group, index)?;
            if group.info.kind == TaskKind::Child {
                self.rename_child(&job)?;
            }
            let needs = needs.get(&index).copied().unwrap_or(0);
            self.renew_terms(&job, needs)?;
            if needs == 0 {
                self.rows.put_waiting(job.run, &job.group, index)?;
            }
        }
        let job = self.first_job(info, state, &group);
        if group.is_decided() {
            return self.close_group(info, state, &mut group, &job);
        }
        if let Some(deadline) = group.info.deadline.filter(|deadline| *deadline > self.now) {
            self.rows.put_due(&DueKey::group(DueKind::Timer, info.id, &group.info.id), deadline)?;
        }
        if self.release_next(info, state, &mut group, tail)? {
            self.rows.put_due(&DueKey::group(DueKind::Timer, info.id, &group.info.id), self.now)?;
        }
        self.rows.put_group_state(info.id, &group.info.id, &group.state)
    }

    /// For each index how many of those it needs have not succeeded.
    fn open_needs(&mut self, run: RunId, group: &Group, tasks: &[Task]) -> Outcome<BTreeMap<u32, u32>> {
        let mut needs = BTreeMap::new();
        for (index, task) in (0_u32..).zip(tasks) {
            if task.state == TaskState::Done {
                continue;
            }
            let terms = self.rows.terms(run, &group.info.id, index)?.unwrap_or_default();
            for dependent in terms.needed_by {
                *needs.entry(dependent).or_insert(0) += 1;
            }
        }
        Ok(needs)
    }

    fn renew_terms(&mut self, job: &JobId, needs: u32) -> Outcome<()> {
        let Some(terms) = self.rows.terms(job.run, &job.group, job.index)? else { return Ok(()) };
        self.rows.put_terms(job.run, &job.group, job.index, &Terms { needs, until: None, ..terms })
    }

    /// Gives a child another name: its task is of another generation.
    fn rename_child(&mut self, job: &JobId) -> Outcome<()> {
        let mut child = self.child_info(job)?;
        child.id = RunId::for_child(job);
        child.thread.thread = ThreadId::beside(child.id);
        if let Some(parent) = &mut child.parent {
            parent.job = job.clone();
        }
        let body = serde_json::to_string(&child).unwrap_or_default();
        self.rows.put_input(job.run, &job.group, job.index, &body)
    }
}
