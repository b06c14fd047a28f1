//! The agent that hands out tasks: as one that calls tools, and the members of its team are
//! tools that take a task. Each is an agent or a graph of its own; tasks of one round are
//! done at once, and what a member fails with is told to the supervisor.

use baton_engine::builder::{GraphBuilder, Type};
use baton_engine::spec::{AgentSpec, Member};
use serde_json::json;

use crate::parts;
use crate::tools::{self, Callable};

/// The graph.
pub(crate) fn graph(spec: &AgentSpec, team: &[Member]) -> GraphBuilder {
    let mut callables = tools::of_tools(spec);
    callables.extend(team.iter().map(|member| callable(spec, member)));
    let graph = tools::with(spec, callables);
    let instructed = team.iter().any(|member| matches!(member, Member::Agent { system: true, .. }));
    if instructed { graph.input("team", Type::object()) } else { graph }
}

fn callable(spec: &AgentSpec, member: &Member) -> Callable {
    let (name, about, system, route, settings) = match member {
        Member::Graph(tool) => return tools::of_graph(spec, tool),
        Member::Agent { name, about, system, route, settings } => (name, about, system, route, settings),
    };
    let mut own = json!({"route": route, "user": "{{ item.arguments.task }}"});
    if *system {
        own["system"] = json!(format!("{{{{ input.team['{name}'] }}}}"));
    }
    let node = parts::at_once(spec, parts::agent(spec, settings, own));
    Callable {
        name: name.clone(),
        offer: json!({"name": name, "description": about, "input_schema": task()}),
        node,
        keep: Some("output.text"),
    }
}

/// What a member takes.
fn task() -> serde_json::Value {
    let about = "what to do, with everything that has to be known for it: nothing else of this conversation is seen";
    json!({
        "type": "object",
        "properties": {"task": {"type": "string", "description": about}},
        "required": ["task"],
        "additionalProperties": false,
    })
}
