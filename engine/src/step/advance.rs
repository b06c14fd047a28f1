//! Repeats supersteps while activations end within the call, and ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use baton_common::commit::{NodeFailure, RunEnd};
use baton_common::records::RunStatus;
use baton_common::{ErrorClass, Failure, Gen, GroupId, NodePath, Seq, Timestamp};
use serde_json::{Map, Value};

use super::activate::{Activated, Place, owner};
use super::checkpoint::Draft;
use super::delta::Delta;
use super::outcomes::{Ended, How};
use super::scope::{Base, at_head};
use super::superstep::{Stop, Turn, enter, superstep};
use super::undo::owed_by;
use super::undoing::end_of;
use super::{ClosedGroup, Effects, Error, Step, Tools, branch, checkpoint, limits, types, undo, via};
use crate::graph::{Graph, Node};
use crate::state::{Control, Open, RunState};

/// Supersteps of one call; local nodes have a task from then on, so that neither the call
/// nor what it commits grows without end.
const SUPERSTEPS_MAX: u64 = 1_024;

/// What stays the same during a step.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) graph: &'a Graph,
    pub(super) tools: &'a Tools,
    pub(super) base: Base,
    pub(super) now: Timestamp,
    /// Whether nobody will see its checkpoints, and it must run to its end.
    pub(super) is_private: bool,
    /// Whether no superstep is made as a common one.
    #[cfg(test)]
    pub(super) none_is_plain: bool,
}

impl<'a> Surroundings<'a> {
    /// A node of the graph.
    pub(super) fn node(&self, path: &NodePath) -> Result<&'a Node, Error> {
        let unknown = || Error::UnknownNode { graph: self.graph.name.clone(), node: path.to_string() };
        self.graph.nodes.get(path).ok_or_else(unknown)
    }
}

/// A step under way.
#[derive(Debug)]
pub(super) struct Advance<'a> {
    pub(super) around: Surroundings<'a>,
    /// The groups that were open before it.
    pub(super) theirs: BTreeSet<GroupId>,
    /// Supersteps of the run before it.
    began: u64,
    /// The control before it, where a retry changed it ahead of the first superstep.
    before: Option<Control>,
    pub(super) state: RunState,
    pub(super) effects: Effects,
}

impl<'a> Advance<'a> {
    /// Nothing done yet.
    pub(super) fn new(graph: &'a Graph, tools: &'a Tools, state: RunState, now: Timestamp) -> Self {
        let base = Base::new(graph, &state);
        Self {
            around: Surroundings {
                graph,
                tools,
                base,
                now,
                is_private: false,
                #[cfg(test)]
                none_is_plain: false,
            },
            theirs: state.control.open.iter().filter(|(_, open)| !open.at_once).map(|(id, _)| id.clone()).collect(),
            began: state.superstep,
            before: None,
            state,
            effects: Effects::default(),
        }
    }

    /// A run that is computed within the step of its caller.
    pub(super) fn private(graph: &'a Graph, tools: &'a Tools, state: RunState, now: Timestamp) -> Self {
        let mut private = Self::new(graph, tools, state, now);
        private.around.is_private = true;
        private
    }

    /// The run begins: what is not kept goes, and the start nodes are arrived at.
    pub(super) fn start(self) -> Result<Step, Error> {
        if self.state.superstep > 0 {
            return Err(Error::AlreadyStarted { run: self.state.run, superstep: self.state.superstep });
        }
        let arrivals = self.around.graph.start.clone();
        let delta = checkpoint::resets(self.around.graph, &self.state);
        self.run(Turn { arrivals, delta, ..Turn::default() })
    }

    /// The run goes on from a checkpoint: what is open there is opened again, from the
    /// states it was made from.
    pub(super) fn resume(mut self, bases: &BTreeMap<Seq, Arc<RunState>>) -> Result<Step, Error> {
        if self.state.superstep == 0 {
            return self.start();
        }
        if let Some(undo) = &self.state.control.undo {
            let why = format!("the run was taking back what it did: go on from checkpoint {} at most", undo.from);
            let failure = Failure::new(ErrorClass::Refused, "undone", why);
            return Ok(self.end(end_of(Some(NodeFailure { node: String::new(), failure }), &[])));
        }
        self.theirs.clear();
        let before = self.state.control.clone();
        let open = std::mem::take(&mut self.state.control.open);
        let nothing_open = open.is_empty();
        let mut turn = Turn::default();
        for (id, open) in open {
            let base = match bases.get(&open.base) {
                // Only edits lie between: whoever was to run next sees them.
                Some(base) if base.superstep == self.state.superstep => None,
                Some(base) => Some(base.clone()),
                None if open.base == self.state.head || open.at_once => None,
                None => return Err(Error::NoBase { group: id, base: open.base }),
            };
            turn.ended.extend(self.reopen(&id, open, base.as_deref())?);
        }
        if !turn.ended.is_empty() || (nothing_open && !self.state.control.arrived.is_empty()) {
            return self.run(turn);
        }
        if nothing_open {
            return self.succeed();
        }
        if self.state.control != before {
            let draft = checkpoint::write(self.around.graph, &mut self.state, Delta::default());
            self.keep(draft)?;
        }
        Ok(self.done())
    }

    /// Activates a node again as it was, on the state it was made from or on the head.
    fn reopen(&mut self, id: &GroupId, mut open: Open, base: Option<&RunState>) -> Result<Option<Ended>, Error> {
        let node = self.around.node(&owner(&id.node))?;
        let own = GroupId { node: node.path.clone(), activation: id.activation };
        let base = base.unwrap_or_else(|| {
            (open.base, open.kept) = (self.state.head, BTreeMap::new());
            &self.state
        });
        if open.approval.as_ref().is_none_or(|approval| !approval.given) {
            open.approval = None;
            open.failed.clear();
        }
        let (values, hash) = (&base.values, base.hash);
        let place = Place { around: &self.around, run: &self.state, values, hash, pauses: false };
        let activated = match place.activate(node, &own, &mut open) {
            // It was sent by whoever made the checkpoint.
            Activated::GoesOn(_) => Activated::GoesOn(None),
            activated => activated,
        };
        let (groups, ended) = enter(&mut self.state.control, own, open, activated);
        self.effects.open.extend(groups);
        Ok(ended)
    }

    /// Groups closed.
    pub(super) fn fold(mut self, groups: Vec<ClosedGroup>) -> Result<Step, Error> {
        let groups = self.known(groups)?;
        if self.state.control.undo.is_some() {
            return if groups.is_empty() { Ok(self.done()) } else { self.fold_back(groups) };
        }
        let mut turn = Turn { ended: self.left_over()?, ..Turn::default() };
        for group in groups {
            let id = group.info.id.clone();
            self.effects.consumed.push(id.clone());
            turn.ended.push(Ended { id, how: How::Closed(Box::new(group)) });
        }
        if !turn.ended.is_empty() {
            return self.run(turn);
        }
        let is_over = self.state.control.open.is_empty() && self.state.control.arrived.is_empty();
        if is_over && !self.effects.consumed.is_empty() { self.succeed() } else { Ok(self.done()) }
    }

    /// Activations that the call which made them did not come to, because it failed: in a
    /// run that was retried they end now.
    fn left_over(&mut self) -> Result<Vec<Ended>, Error> {
        let at_once = self.state.control.open.iter().filter(|(_, open)| open.at_once);
        let left: Vec<GroupId> = at_once.map(|(id, _)| id.clone()).collect();
        if !left.is_empty() {
            self.before = Some(self.state.control.clone());
        }
        let mut ended = Vec::new();
        for id in left {
            if let Some(open) = self.state.control.open.remove(&id) {
                ended.extend(self.reopen(&id, open, None)?);
            }
        }
        Ok(ended)
    }

    /// Groups in order, each once. A run that was retried may have some again that were
    /// folded before its failure: they are let go.
    ///
    /// # Errors
    /// When another is not open.
    fn known(&mut self, mut groups: Vec<ClosedGroup>) -> Result<Vec<ClosedGroup>, Error> {
        groups.sort_by(|left, right| left.info.id.cmp(&right.info.id));
        groups.dedup_by(|left, right| left.info.id == right.info.id);
        let control = &self.state.control;
        let running = control.undo.as_ref().and_then(|undo| undo.running.as_ref());
        let is_known =
            |group: &ClosedGroup| control.open.contains_key(&group.info.id) || running == Some(&group.info.id);
        let (known, folded): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_known);
        if let Some(group) = folded.first().filter(|_| self.state.r#gen == Gen(0)) {
            return Err(Error::NotOpen { group: group.info.id.clone(), head: self.state.head });
        }
        self.effects.consumed.extend(folded.into_iter().map(|group| group.info.id.clone()));
        Ok(known)
    }

    /// A cancel was asked for; what these groups did is to be taken back.
    pub(super) fn cancel(mut self, groups: Vec<ClosedGroup>) -> Result<Step, Error> {
        let groups = self.known(groups)?;
        if self.state.control.undo.is_some() {
            return if groups.is_empty() { Ok(self.done()) } else { self.fold_back(groups) };
        }
        let mut late = Vec::new();
        for group in groups {
            let id = group.info.id.clone();
            self.effects.consumed.push(id.clone());
            let node = self.around.node(&owner(&id.node))?;
            let ended = Ended { id, how: How::Closed(Box::new(group)) };
            let open = self.state.control.open.get(&ended.id);
            // What cannot be told cannot be taken back.
            let _ = owed_by(&self.around, &self.state, node, &ended, open, &mut late);
        }
        self.turn_back(None, late)
    }

    /// It cannot begin.
    pub(super) fn fail(self, failure: Failure) -> Result<Step, Error> {
        self.turn_back(Some(NodeFailure { node: String::new(), failure }), Vec::new())
    }

    /// Its duration is over.
    pub(super) fn out_of_time(self) -> Result<Step, Error> {
        if self.state.control.undo.is_some() {
            return Ok(self.done());
        }
        let allowed = self.around.graph.limits.duration_ms;
        let message =
            allowed.map_or_else(|| "its time is over".to_owned(), |ms| format!("longer than {ms} ms: limits.duration"));
        self.turn_back(Some(limits::exceeded(message)), Vec::new())
    }

    fn run(mut self, first: Turn) -> Result<Step, Error> {
        let mut turn = first;
        loop {
            turn.pauses = !self.around.is_private && self.state.superstep - self.began >= SUPERSTEPS_MAX;
            let plain = branch::plain(&self.around, &mut self.state, &turn)?;
            let made = match plain.map_or_else(|| superstep(&self.around, &mut self.state, turn), Ok) {
                Ok(made) => made,
                Err(Stop::Failed(failure, late)) => return self.turn_back(Some(failure), late),
                Err(Stop::Broken(error)) => return Err(error),
            };
            self.drop_all(&made.dropped);
            self.effects.open.extend(made.groups);
            if let Some(draft) = made.draft {
                self.keep(draft)?;
            }
            if made.ended.is_empty() {
                break;
            }
            turn = Turn { ended: made.ended, ..Turn::default() };
        }
        if self.state.control.open.is_empty() && self.state.control.arrived.is_empty() {
            return self.succeed();
        }
        Ok(self.done())
    }

    /// Notes a checkpoint and its pieces.
    pub(super) fn keep(&mut self, mut draft: Draft) -> Result<(), Error> {
        self.effects.segments.append(&mut draft.pieces);
        self.effects.checkpoints.push(draft.finish(&self.state, self.around.now)?);
        Ok(())
    }

    /// Activations that are no longer wanted: those this call would have opened never are.
    fn drop_all(&mut self, dropped: &[GroupId]) {
        for id in dropped {
            if self.theirs.contains(id) {
                self.effects.cancelled.push(id.clone());
            } else {
                self.effects
                    .open
                    .retain(|group| !via::tells_of(group, id) && (group.info.detached || group.info.id != *id));
            }
        }
    }

    fn succeed(self) -> Result<Step, Error> {
        match self.output() {
            Ok(output) => {
                let owed = undo::left(&self.state);
                Ok(self.end(RunEnd { status: RunStatus::Succeeded, output: Some(output), failure: None, owed }))
            }
            Err(failure) => {
                let failure = Failure { code: "output_failed".to_owned(), ..failure };
                self.turn_back(Some(NodeFailure { node: String::new(), failure }), Vec::new())
            }
        }
    }

    fn output(&self) -> Result<Value, Failure> {
        let graph = self.around.graph;
        let values = at_head(graph, &self.state.values, &graph.known().at_end);
        let scope = self.around.base.scope(&values);
        let mut output = Map::new();
        for (name, expression) in &graph.output {
            let value = expression.eval(&scope).map_err(|failure| {
                let message = format!("output {name}: {}", failure.message);
                Failure { message, ..failure }
            })?;
            output.insert(name.clone(), value);
        }
        types::conform_output(&graph.output_schema, Value::Object(output))
    }

    /// Ends the run: what is open is cancelled, what this call would have opened never is,
    /// but for calls that outlive the run.
    pub(super) fn end(mut self, end: RunEnd) -> Step {
        if end.status != RunStatus::Succeeded {
            self.note_unopened();
        }
        let ended = &self.effects.consumed;
        let open = self.state.control.open.keys();
        let theirs = open.filter(|id| self.theirs.contains(id) && !ended.contains(id));
        self.effects.cancelled.extend(theirs.cloned().collect::<Vec<_>>());
        self.keep_detached();
        self.effects.end = Some(end);
        self.done()
    }

    /// Lets go what this call would have opened, but for calls that outlive the run: those
    /// that tell of questions go with them.
    pub(super) fn keep_detached(&mut self) {
        self.effects.open.retain(|group| group.info.detached && via::asker(&group.info.id.node).is_none());
    }

    /// Notes what this call activated, and never opens because it fails, as having no group:
    /// a retry activates it again.
    fn note_unopened(&mut self) {
        if let (Some(before), true) = (self.before.take(), self.effects.checkpoints.is_empty()) {
            self.state.control = before;
        }
        let mut changed = false;
        for (id, open) in &mut self.state.control.open {
            if !self.theirs.contains(id) && !open.at_once {
                open.at_once = true;
                changed = true;
            }
        }
        if let (true, Some(last)) = (changed, self.effects.checkpoints.last_mut())
            && let Ok(control) = serde_json::to_value(&self.state.control)
        {
            last.control = control.into();
        }
    }

    pub(super) fn done(self) -> Step {
        Step { state: self.state, effects: self.effects }
    }
}
