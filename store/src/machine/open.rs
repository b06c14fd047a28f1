//! Opening groups: their tasks come in within the window, the rest is held. STAGE brings
//! the tasks of wide groups in ahead of the advance that opens them.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::commit::{NewGroup, NewTask};
use baton_common::ids::DispatchSeq;
use baton_common::records::{
    DueKey, DueKind, Event, EventKind, Group, GroupInfo, GroupState, RunInfo, RunState, Task, TaskKind, TaskState,
    Terms,
};
use baton_common::transition::{Stage, Tail};
use baton_common::{Digest, Fence, JobId};

use super::{Machine, Outcome};

impl Machine<'_> {
    pub(super) fn stage(&mut self, op: &Stage) -> Outcome<bool> {
        match self.rows.run_state(op.run)? {
            Some(state) if !state.status.is_terminal() && state.last_op != Some(op.op) => {
                self.rows.put_staged(op.run, op.op, &op.group, op.first, &op.tasks)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Writes a group with its tasks, and what wakes each.
    pub(super) fn open_group(
        &mut self,
        info: &RunInfo,
        state: &mut RunState,
        new: &NewGroup,
        op: Digest,
        tail: &mut Tail,
    ) -> Outcome<()> {
        let run = info.id;
        self.make_room(info, state, &new.info.id)?;
        let staged;
        let tasks = if new.tasks.is_empty() {
            staged = self.rows.staged(run, op, &new.info.id)?;
            &staged
        } else {
            &new.tasks
        };
        let is_job = new.info.kind == TaskKind::Job;
        let linked = tasks.iter().any(|task| !task.needs.is_empty());
        let window = new.info.window.clamp(1, new.info.count);
        // Jobs that are let go at once cost nothing each: where they stand follows from the window.
        let room = if is_job && !linked { window } else { window.min(self.going) };
        let first = if linked { free_of_needs(tasks, room) } else { (0..room).collect() };
        let under_way = u32::try_from(first.len()).unwrap_or(u32::MAX);
        if !is_job || linked {
            self.going -= under_way;
        }
        let more = under_way == room && room < window;
        let publishable = if is_job { under_way } else { 0 };
        let fresh = GroupState { next_held: under_way, publishable, linked, ..GroupState::default() };
        let mut group = Group { info: new.info.clone(), state: fresh };
        self.rows.put_group_info(run, &group.info)?;
        self.opened_event(info, state, &group.info)?;
        let mut needed_by = needed_by(tasks);
        for (index, task) in (0_u32..).zip(tasks) {
            let released = first.contains(&index);
            let row = self.opened_task(task.digest, released, is_job);
            self.rows.put_task(run, &new.info.id, index, &row)?;
            self.rows.put_input(run, &new.info.id, index, &task.body)?;
            let terms = terms(task, needed_by.remove(&index).unwrap_or_default());
            if terms != Terms::default() {
                self.rows.put_terms(run, &new.info.id, index, &terms)?;
            }
            if linked && terms.needs == 0 && !released {
                self.rows.put_waiting(run, &new.info.id, index)?;
            }
            if released && !is_job {
                let job = JobId { index, ..self.first_job(info, state, &group) };
                self.begin(info, state, &mut group, &job, 0, tail)?;
            }
        }
        self.rows.put_group_state(run, &group.info.id, &group.state)?;
        if is_job {
            let entry = DueKey::group(DueKind::Publish, run, &new.info.id);
            self.rows.put_due(&entry, self.now.plus_ms(self.timings.publish_after_ms))?;
        }
        let timer = if more { Some(self.now) } else { new.info.deadline };
        if let Some(timer) = timer {
            self.rows.put_due(&DueKey::group(DueKind::Timer, run, &new.info.id), timer)?;
        }
        if new.info.detached {
            state.detached_open += 1;
        }
        Ok(())
    }

    /// A task as its group opens.
    fn opened_task(&self, digest: Digest, released: bool, is_job: bool) -> Task {
        Task {
            state: match (released, is_job) {
                (false, _) => TaskState::Held,
                (true, true) => TaskState::Publishable { not_before: self.now },
                (true, false) => TaskState::Parked,
            },
            digest,
            fence: Fence(0),
            app_attempts: 0,
            infra_attempts: 0,
            dispatch_seq: DispatchSeq(u32::from(released && is_job)),
            phase: 0,
            trouble: None,
        }
    }

    fn opened_event(&mut self, info: &RunInfo, state: &mut RunState, group: &GroupInfo) -> Outcome<()> {
        state.events += 1;
        self.rows.append_event(Event {
            run: info.id,
            seq: state.events,
            at: self.now,
            kind: EventKind::Opened,
            group: Some(group.id.clone()),
            index: None,
            number: u64::from(group.count),
            text: group.tool.clone().into(),
        })
    }
}

/// The indexes that need no other, as many as the window has room for.
fn free_of_needs(tasks: &[NewTask], window: u32) -> BTreeSet<u32> {
    let free = (0_u32..).zip(tasks).filter(|(_, task)| task.needs.is_empty());
    free.map(|(index, _)| index).take(usize::try_from(window).unwrap_or(usize::MAX)).collect()
}

/// For each index the ones that need it, in order.
fn needed_by(tasks: &[NewTask]) -> BTreeMap<u32, Vec<u32>> {
    let mut needed_by: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (index, task) in (0_u32..).zip(tasks) {
        for need in task.needs.iter().copied().collect::<BTreeSet<u32>>() {
            needed_by.entry(need).or_default().push(index);
        }
    }
    needed_by
}

fn terms(task: &NewTask, needed_by: Vec<u32>) -> Terms {
    let needs = task.needs.iter().collect::<BTreeSet<_>>().len();
    Terms {
        at: task.at,
        after_ms: task.after_ms,
        signal: task.signal.clone(),
        until: None,
        needs: u32::try_from(needs).unwrap_or(u32::MAX),
        needed_by,
    }
}
