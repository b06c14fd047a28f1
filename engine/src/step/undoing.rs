//! Taking back what a run did that failed or was cancelled: first all that is open ends and
//! what of it succeeded is noted, then compensations run one after the other, the latest
//! first, and then the run ends with its first failure.

use baton_common::commit::{NodeFailure, RunEnd};
use baton_common::job::Outcome;
use baton_common::records::RunStatus;
use baton_common::{ErrorClass, Failure};

use super::activate::owner;
use super::advance::Advance;
use super::delta::Delta;
use super::outcomes::{Ended, How};
use super::undo::{self, Compensation, owed_by};
use super::{ClosedGroup, Error, Step, checkpoint, facts};
use crate::state::Undo;

/// How many failed compensations a message names.
const NAMED_MAX: usize = 10;

impl Advance<'_> {
    /// Ends a run that failed, or was cancelled where there is no failure; or turns it to
    /// its compensations, where something may have to be taken back.
    pub(super) fn turn_back(mut self, failure: Option<NodeFailure>, late: Vec<Compensation>) -> Result<Step, Error> {
        let graph = self.around.graph;
        let consumed = self.effects.consumed.clone();
        let is_theirs = |id: &baton_common::GroupId| self.theirs.contains(id) && !consumed.contains(id);
        let may_owe =
            |id: &baton_common::GroupId| graph.nodes.get(&owner(&id.node)).is_some_and(|node| facts::owes(graph, node));
        let pending = self.state.control.open.keys().any(|id| is_theirs(id) && may_owe(id));
        if late.is_empty() && undo::count(&self.state) == 0 && !pending {
            return Ok(self.end(end_of(failure, &[])));
        }
        self.keep_detached();
        let from = self.state.head;
        let recorded = undo::count(&self.state);
        let control = &mut self.state.control;
        control.open.retain(|id, _| self.theirs.contains(id) && !consumed.contains(id));
        control.arrived.clear();
        control.late.clear();
        control.undo = Some(Box::new(Undo { from, failure, recorded, begun: 0, running: None, failed: Vec::new() }));
        self.go_back(late)
    }

    /// Groups closed while it undoes: late successes are noted, and the next compensation
    /// follows once nothing else is open.
    pub(super) fn fold_back(mut self, groups: Vec<ClosedGroup>) -> Result<Step, Error> {
        let before = self.state.clone();
        let mut late = Vec::new();
        for group in groups {
            let id = group.info.id.clone();
            self.effects.consumed.push(id.clone());
            if group.info.undo {
                self.compensated(&group);
                continue;
            }
            let node = self.around.node(&owner(&id.node))?;
            let open = self.state.control.open.remove(&id);
            let ended = Ended { id, how: How::Closed(Box::new(group)) };
            // What cannot be told cannot be taken back; the run has its failure already.
            let _ = owed_by(&self.around, &self.state, node, &ended, open.as_ref(), &mut late);
        }
        let Some(undo) = &self.state.control.undo else { return Ok(self.done()) };
        let left = late.len() as u64 + undo::count(&self.state) - undo.begun;
        if self.state.control.open.is_empty() && undo.running.is_none() && left == 0 {
            let end = end_of(undo.failure.clone(), &undo.failed);
            self.state = before;
            return Ok(self.end(end));
        }
        self.go_back(late)
    }

    /// Notes what became of the compensation under way.
    fn compensated(&mut self, group: &ClosedGroup) {
        let state = &self.state;
        let begun = state.control.undo.as_ref().map_or(0, |undo| undo.begun);
        let one = undo::nth(state, begun.saturating_sub(1));
        let name = one.as_ref().map_or("", Compensation::name);
        let failed = match group.outcomes.first() {
            Some(Some(Outcome::Ok(_))) => None,
            Some(Some(Outcome::Error(failure))) => Some(format!("undo of {name} failed: {failure}")),
            _ => Some(format!("undo of {name} was cancelled")),
        };
        if let Some(undo) = &mut self.state.control.undo {
            undo.running = None;
            undo.failed.extend(failed);
        }
    }

    /// Makes a checkpoint of it, and opens the next compensation where nothing is open.
    fn go_back(mut self, late: Vec<Compensation>) -> Result<Step, Error> {
        let mut delta = Delta::default();
        undo::record(&mut delta, late);
        let draft = checkpoint::write(self.around.graph, &mut self.state, delta);
        let is_free = self.state.control.undo.as_ref().is_some_and(|undo| undo.running.is_none());
        if is_free && self.state.control.open.is_empty() {
            let begun = self.state.control.undo.as_ref().map_or(0, |undo| undo.begun);
            if let Some(one) = undo::nth(&self.state, begun) {
                let base = self.state.head;
                let group = one.group(&mut self.state, base).map_err(|why| Error::Control(why.to_string()))?;
                if let Some(undo) = &mut self.state.control.undo {
                    (undo.begun, undo.running) = (begun + 1, Some(group.info.id.clone()));
                }
                self.effects.open.push(group);
            }
        }
        self.keep(draft)?;
        self.effects.undoing = true;
        Ok(self.done())
    }
}

/// The end of a run that failed, or was cancelled where there is no failure.
pub(super) fn end_of(failure: Option<NodeFailure>, failed: &[String]) -> RunEnd {
    let status = if failure.is_some() { RunStatus::Failed } else { RunStatus::Cancelled };
    let failure = match (failure, failed) {
        (failure, []) => failure,
        (failure, failed) => {
            let cancelled = || Failure::new(ErrorClass::Cancelled, "cancelled", "the run was cancelled");
            let NodeFailure { node, failure } =
                failure.unwrap_or_else(|| NodeFailure { node: String::new(), failure: cancelled() });
            let mut message = failure.message.clone();
            for one in failed.iter().take(NAMED_MAX) {
                message = format!("{message}; {one}");
            }
            if failed.len() > NAMED_MAX {
                message = format!("{message}; and {} more", failed.len() - NAMED_MAX);
            }
            Some(NodeFailure { node, failure: Failure { message, ..failure } })
        }
    };
    RunEnd { status, output: None, failure, owed: None }
}
