//! One superstep: a state and an event in, the next state and its effects out.

use baton_common::commit::{NewGroup, RunEnd, Segment};
use baton_common::failure::Failure;
use baton_common::records::{Checkpoint, GroupInfo, GroupState};
use baton_common::tool::ToolSpec;
use baton_common::{GroupId, Timestamp};
use baton_common::job::Outcome;

use crate::graph::Graph;
use crate::state::RunState;

/// Why a run is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It was submitted, or its thread became free.
    Started,
    /// Groups closed.
    Closed(Vec<ClosedGroup>),
    /// A cancel was asked for.
    Cancelled,
    /// Its duration is over.
    DurationOver,
}

/// A closed group with all its outcomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedGroup {
    /// What is fixed about it.
    pub info: GroupInfo,
    /// Its counters.
    pub state: GroupState,
    /// By index; `None` where it was cancelled.
    pub outcomes: Vec<Option<Outcome>>,
}

/// What one call of [`step`] asks for; together with version and operation id it is a
/// [`baton_common::commit::Commit`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Groups that were folded.
    pub consumed: Vec<GroupId>,
    /// Groups that are no longer wanted.
    pub cancelled: Vec<GroupId>,
    /// New states of the thread.
    pub checkpoints: Vec<Checkpoint>,
    /// New pieces of append-like channels.
    pub segments: Vec<Segment>,
    /// Groups to open.
    pub open: Vec<NewGroup>,
    /// The run's end.
    pub end: Option<RunEnd>,
}

/// The next state and the effects that lead there.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The state after it.
    pub state: RunState,
    /// What it asks for.
    pub effects: Effects,
}

/// The tools a step may compile jobs for: what workers announced, resolved when the graph
/// was applied.
pub type Tools = std::collections::BTreeMap<String, ToolSpec>;

/// Advances a run: folds what closed in order of node path, applies writes, routes,
/// activates what follows, and runs local nodes on within the same call. Equal inputs give
/// equal bytes.
///
/// # Errors
/// When state and event do not fit the graph: a fault of the program, not of the run. What
/// a run does wrong ends it with a failure instead.
pub fn step(_graph: &Graph, _tools: &Tools, state: RunState, _event: Event, _now: Timestamp) -> Result<Step, Error> {
    Ok(Step { state, effects: Effects::default() })
}

/// Renders the arguments of one task from the state its group was opened on, as a claim
/// does for an input that was kept as a recipe.
///
/// # Errors
/// When a template fails; it did not when the group was opened.
pub fn render_args(_graph: &Graph, _state: &RunState, _group: &GroupInfo, _item: Option<&serde_json::Value>) -> Result<serde_json::Value, Failure> {
    Err(Failure::invalid("template_failed", "not compiled"))
}

/// State and event do not fit the graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The event names a node the graph does not have.
    #[error("graph {graph} has no node {node}")]
    UnknownNode {
        /// The graph.
        graph: String,
        /// The node.
        node: String,
    },
}
