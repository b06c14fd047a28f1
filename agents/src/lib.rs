//! Agents as graphs: what an `agent` node says becomes the text of a graph that the node
//! calls. So an agent's loop is checkpointed, limited, watched and approved like any graph,
//! and every model call and tool call of it is a job of its own.
//!
//! Where an agent may stand and what it may say is `engine::spec`'s, running the graph
//! `engine::step`'s. An agent whose graph has agents in it (the steps of a plan, the members
//! of a team, whoever writes) leaves them to `engine::spec` too, which asks for theirs.

mod parts;
mod plan;
mod review;
mod skills;
mod supervisor;
mod tools;

use baton_engine::spec::{AgentKind, AgentSpec};

/// The text of the graph that runs an agent: [`baton_engine::spec::Agents`].
#[must_use]
pub fn graph(spec: &AgentSpec) -> String {
    let graph = match &spec.kind {
        AgentKind::Tools => tools::graph(spec),
        AgentKind::Plan { plans } => plan::graph(spec, *plans),
        AgentKind::Supervisor { team } => supervisor::graph(spec, team),
        AgentKind::Review { reviews, reviewer } => review::graph(spec, *reviews, reviewer),
    };
    graph.text()
}
