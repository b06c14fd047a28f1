//! One step: a state and an event in, the next state and its effects out.
//!
//! `superstep` is one advance: it folds what ended (`fold`, `save`), routes
//! (`routing`, `join`), writes (`delta`, `reducers`, `checkpoint`) and activates
//! (`activate`: `items`, `tasks`, `group`, `approve`, `child`). `advance` repeats it while
//! nodes end within the call, and `undo` takes back what a run did that fails. What a store
//! makes of the effects is not known here.

mod activate;
mod advance;
mod approve;
mod arguments;
mod arrivals;
mod branch;
mod checkpoint;
mod child;
mod delta;
mod edit;
mod facts;
mod fits;
mod fold;
mod group;
mod items;
mod join;
mod limits;
mod local;
mod messages;
mod moment;
mod outcomes;
mod reach;
mod reducers;
mod references;
mod routing;
mod save;
mod scope;
mod snapshot;
mod superstep;
mod tasks;
pub(crate) mod types;
mod undo;
mod undoing;
mod via;
mod while_open;

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::{NewGroup, RunEnd, Segment};
use baton_common::job::Outcome;
use baton_common::records::{Checkpoint, GroupInfo, GroupState};
use baton_common::tool::ToolSpec;
use baton_common::{Failure, GroupId, Seq, Timestamp};
use serde_json::Value;

use crate::graph::Graph;
use crate::state::RunState;

pub use arguments::{Recipe, render_args, render_input};
pub use child::child_outcome;
pub use edit::edit;
pub use facts::Facts;
pub use fits::{Misfit, fits};
pub use local::compute;
pub use undo::secrets_of;
pub use while_open::{poll_done, poll_pause_ms, signal_matches};

/// Why a run is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It was submitted, or its thread became free.
    Started,
    /// It starts, a child whose input was made of what others gave: the input, or why there
    /// is none.
    Begun(Result<Value, Failure>),
    /// It goes on from a checkpoint: it was forked or retried. The states at the checkpoints
    /// that [`RunState::bases`] names, but for the head itself. Before a run's first
    /// superstep it is [`Event::Started`].
    Resumed(BTreeMap<Seq, Arc<RunState>>),
    /// Groups closed.
    Closed(Vec<ClosedGroup>),
    /// A cancel was asked for, and these groups have closed since they were last folded.
    Cancelled(Vec<ClosedGroup>),
    /// Its duration is over. Without effect on a run that is undoing.
    DurationOver,
}

/// A closed group with all its outcomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedGroup {
    /// What is fixed about it.
    pub info: Arc<GroupInfo>,
    /// Its counters.
    pub state: GroupState,
    /// By index; `None` where it was cancelled.
    pub outcomes: Vec<Option<Outcome>>,
    /// Of children, by index: [`baton_common::commit::RunEnd::owed`]. Empty for others.
    pub owed: Vec<Option<Value>>,
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
    /// Whether the run turns to its compensations, or is at them: what is open is ended as
    /// by a cancel.
    pub undoing: bool,
    /// The run's end.
    pub end: Option<RunEnd>,
}

/// The next state and the effects that lead there.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The state after it: that of the last checkpoint.
    pub state: RunState,
    /// What it asks for.
    pub effects: Effects,
}

/// The tools a step may compile jobs for: what workers announced, resolved when the graph
/// was applied.
pub type Tools = BTreeMap<String, ToolSpec>;

/// Advances a run: folds what closed in order of node path, applies writes, routes,
/// activates what follows, and runs local nodes on within the same call. Equal inputs give
/// equal bytes.
///
/// # Errors
/// When state and event do not fit the graph: a fault of the program, not of the run. What
/// a run does wrong ends it with a failure instead.
pub fn step(graph: &Graph, tools: &Tools, state: RunState, event: Event, now: Timestamp) -> Result<Step, Error> {
    let (state, event) = match event {
        Event::Begun(Ok(input)) => (state.begun(input), Event::Started),
        event => (state, event),
    };
    let advance = advance::Advance::new(graph, tools, state, now);
    match event {
        Event::Started | Event::Begun(Ok(_)) => advance.start(),
        Event::Begun(Err(failure)) => advance.fail(failure),
        Event::Resumed(bases) => advance.resume(&bases),
        Event::Closed(groups) => advance.fold(groups),
        Event::Cancelled(groups) => advance.cancel(groups),
        Event::DurationOver => advance.out_of_time(),
    }
}

/// State and event do not fit the graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The event or a route names a node the graph does not have.
    #[error("graph {graph} has no node {node}")]
    UnknownNode {
        /// The graph.
        graph: String,
        /// The node.
        node: String,
    },
    /// A group closed that the state does not know as open.
    #[error("group {group} is not open at checkpoint {head}")]
    NotOpen {
        /// The group.
        group: GroupId,
        /// The state's checkpoint.
        head: Seq,
    },
    /// What the engine remembers cannot be written.
    #[error("the control does not write: {0}")]
    Control(String),
    /// The state that an activation was made from was not handed in.
    #[error("the state at checkpoint {base} is missing, which {group} was made from")]
    NoBase {
        /// The activation.
        group: GroupId,
        /// The checkpoint.
        base: Seq,
    },
    /// A run that has begun was started again.
    #[error("run {run} has begun already, at superstep {superstep}")]
    AlreadyStarted {
        /// The run.
        run: baton_common::RunId,
        /// Where it stands.
        superstep: u64,
    },
}
