//! Repeats supersteps while activations end within the call, and ends the run.

use baton_common::commit::{NodeFailure, RunEnd};
use baton_common::records::RunStatus;
use baton_common::{Failure, NodePath, Seq, Timestamp};
use serde_json::{Map, Value};

use super::fold::{Ended, How};
use super::scope::{Base, at_head};
use super::superstep::{Stop, Turn, superstep};
use super::{ClosedGroup, Effects, Error, Step, Tools, checkpoint, limits, references};
use crate::graph::{Graph, Node};
use crate::state::RunState;

/// What stays the same during a step.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) graph: &'a Graph,
    pub(super) tools: &'a Tools,
    pub(super) base: Base,
    pub(super) now: Timestamp,
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
    around: Surroundings<'a>,
    /// The checkpoint it began at.
    began: Seq,
    state: RunState,
    effects: Effects,
}

impl<'a> Advance<'a> {
    /// Nothing done yet.
    pub(super) fn new(graph: &'a Graph, tools: &'a Tools, state: RunState, now: Timestamp) -> Self {
        let base = Base::new(graph, &state);
        Self { around: Surroundings { graph, tools, base, now }, began: state.head, state, effects: Effects::default() }
    }

    /// The run begins: what is not kept goes, and the start nodes are arrived at.
    pub(super) fn start(self) -> Result<Step, Error> {
        if self.state.superstep > 0 {
            return Err(Error::AlreadyStarted { run: self.state.run, superstep: self.state.superstep });
        }
        let arrivals = self.around.graph.start.clone();
        let delta = checkpoint::resets(self.around.graph, &self.state);
        self.run(Turn { ended: Vec::new(), arrivals, delta })
    }

    /// Groups closed.
    pub(super) fn fold(mut self, mut groups: Vec<ClosedGroup>) -> Result<Step, Error> {
        groups.sort_by(|left, right| left.info.id.cmp(&right.info.id));
        groups.dedup_by(|left, right| left.info.id == right.info.id);
        let mut turn = Turn::default();
        for group in groups {
            let id = group.info.id.clone();
            if !self.state.control.open.contains_key(&id) {
                return Err(Error::NotOpen { group: id, head: self.state.head });
            }
            self.effects.consumed.push(id.clone());
            turn.ended.push(Ended { id, how: How::Closed(Box::new(group)) });
        }
        if turn.ended.is_empty() {
            return Ok(self.done());
        }
        self.run(turn)
    }

    /// A cancel was asked for.
    pub(super) fn cancel(self) -> Step {
        self.end(RunEnd { status: RunStatus::Cancelled, output: None, failure: None, owed: None })
    }

    /// Its duration is over.
    pub(super) fn out_of_time(self) -> Step {
        let allowed = self.around.graph.limits.duration_ms;
        let message = allowed.map_or_else(|| "its time is over".to_owned(), |ms| format!("longer than {ms} ms"));
        self.fail(limits::exceeded(message))
    }

    fn run(mut self, first: Turn) -> Result<Step, Error> {
        let mut turn = first;
        loop {
            let made = match superstep(&self.around, &mut self.state, turn) {
                Ok(made) => made,
                Err(Stop::Failed(failure)) => return Ok(self.fail(failure)),
                Err(Stop::Broken(error)) => return Err(error),
            };
            self.effects.checkpoints.push(made.checkpoint);
            self.effects.segments.extend(made.pieces);
            self.effects.open.extend(made.groups);
            if made.ended.is_empty() {
                break;
            }
            turn = Turn { ended: made.ended, ..Turn::default() };
        }
        if self.state.control.open.is_empty() && self.state.control.arrived.is_empty() {
            return Ok(self.succeed());
        }
        Ok(self.done())
    }

    fn succeed(self) -> Step {
        match self.output() {
            Ok(output) => {
                self.end(RunEnd { status: RunStatus::Succeeded, output: Some(output), failure: None, owed: None })
            }
            Err(failure) => {
                let failure = Failure { code: "output_failed".to_owned(), ..failure };
                self.fail(NodeFailure { node: String::new(), failure })
            }
        }
    }

    fn output(&self) -> Result<Value, Failure> {
        let graph = self.around.graph;
        let values = at_head(graph, &self.state.values, &references::at_end(graph));
        let scope = self.around.base.scope(&values);
        let mut output = Map::new();
        for (name, expression) in &graph.output {
            let value = expression.eval(&scope).map_err(|failure| {
                let message = format!("output {name}: {}", failure.message);
                Failure { message, ..failure }
            })?;
            output.insert(name.clone(), value);
        }
        Ok(Value::Object(output))
    }

    fn fail(self, failure: NodeFailure) -> Step {
        self.end(RunEnd { status: RunStatus::Failed, output: None, failure: Some(failure), owed: None })
    }

    /// Ends the run: what is open is cancelled, what this call would have opened never is,
    /// but for calls that outlive the run.
    fn end(mut self, end: RunEnd) -> Step {
        let ended = &self.effects.consumed;
        let open = self.state.control.open.iter();
        let theirs = open.filter(|(id, open)| open.base <= self.began && !ended.contains(id));
        self.effects.cancelled = theirs.map(|(id, _)| id.clone()).collect();
        self.effects.open.retain(|group| group.info.detached);
        self.effects.end = Some(end);
        self.done()
    }

    fn done(self) -> Step {
        Step { state: self.state, effects: self.effects }
    }
}
