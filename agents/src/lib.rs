//! Agents as graphs: what an `agent` node says becomes the text of a graph that the node
//! calls. So an agent's loop is checkpointed, limited, watched and approved like any graph,
//! and every model call and tool call of it is a job of its own.
//!
//! Where an agent may stand and what it may say is `engine::spec`'s, running the graph
//! `engine::step`'s.

mod tools;

use baton_engine::spec::{AgentKind, AgentSpec};

/// The text of the graph that runs an agent: [`baton_engine::spec::Agents`].
#[must_use]
pub fn graph(spec: &AgentSpec) -> String {
    match spec.kind {
        AgentKind::Tools => tools::graph(spec).text(),
    }
}
