//! A graph at a glance: what it takes and gives, what it keeps, and what its nodes do.

use baton_engine::graph::{Graph, Node, Target, Wait, Work};
use serde_json::{Value, json};

use crate::output::{ago, table};
use crate::paint::{Paint, plain};

/// The form for programs.
pub(crate) fn json(graph: &Graph) -> Value {
    let nodes: serde_json::Map<String, Value> = graph
        .nodes
        .values()
        .map(|node| {
            (node.path.to_string(), json!({ "does": does(node), "then": ways(node), "joins": node.join.is_some() }))
        })
        .collect();
    json!({
        "graph": graph.name,
        "version": graph.hash.to_string(),
        "input": graph.input,
        "output": graph.output_schema,
        "state": graph.channels.iter().map(|(name, channel)| (name.to_string(), channel.schema.clone())).collect::<serde_json::Map<_, _>>(),
        "start": graph.start.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "nodes": nodes,
        "calls": graph.children.iter().map(|(name, child)| (name.clone(), json!(child.hash.to_string()))).collect::<serde_json::Map<_, _>>(),
    })
}

/// The form for people.
pub(crate) fn text(graph: &Graph, applied_at_ms: Option<i64>, paint: Paint) -> String {
    let when = applied_at_ms.map(|at| format!("  applied {}", ago(at))).unwrap_or_default();
    let mut text = format!("{}  {}\n", paint.bold(&graph.name), paint.dim(format!("{}{when}", graph.hash)));
    let mut part = |name: &str, list: String| {
        if !list.is_empty() {
            text += &format!("{} {list}\n", paint.dim(name));
        }
    };
    part("takes", members(&graph.input));
    part("gives", members(&graph.output_schema));
    let state = graph.channels.iter().map(|(name, channel)| format!("{name}: {}", type_of(&channel.schema)));
    part("keeps", state.collect::<Vec<_>>().join(", "));
    part("calls", graph.children.keys().cloned().collect::<Vec<_>>().join(", "));
    let rows: Vec<_> = graph
        .nodes
        .values()
        .map(|node| {
            let name =
                if graph.start.contains(&node.path) { format!("{} (start)", node.path) } else { node.path.to_string() };
            vec![paint.bold(name), plain(&does(node)), ways(node).join(", ")]
        })
        .collect();
    text + "\n" + &table(paint, &["NODE", "DOES", "THEN"], &rows)
}

fn members(schema: &Value) -> String {
    let properties = schema.get("properties").and_then(Value::as_object);
    let member = |(name, schema): (&String, &Value)| {
        let default = schema.get("default").map(|default| format!(" = {default}")).unwrap_or_default();
        format!("{name}: {}{default}", type_of(schema))
    };
    properties.into_iter().flatten().map(member).collect::<Vec<_>>().join(", ")
}

fn type_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("any").to_owned()
        }
        _ => "any".to_owned(),
    }
}

fn does(node: &Node) -> String {
    let work = match &node.work {
        Work::Tool(call) if call.name == "chat" => {
            let route = call.args.source().get("route").and_then(Value::as_str).unwrap_or_default();
            format!("chat {route}")
        }
        Work::Tool(call) => format!("tool {}", call.name),
        Work::Ask(ask) => format!("ask {}", ask.title.source().as_str().unwrap_or_default()),
        Work::Notify(call) => format!("notify {}", call.name),
        Work::Wait(Wait::For(ms)) => format!("wait for {}", crate::output::duration(*ms)),
        Work::Wait(Wait::Until(moment)) => format!("wait until {}", moment.text()),
        Work::Wait(Wait::Signal { name, .. }) => format!("wait for signal {name}"),
        Work::Graph(call) => format!("graph {}", call.name),
        Work::Local => "–".to_owned(),
    };
    match &node.each {
        Some(each) => format!("{work}, for each {}", each.item_name),
        None => work,
    }
}

/// Where a node leads, each once.
fn ways(node: &Node) -> Vec<String> {
    let mut ways: Vec<String> = Vec::new();
    for route in std::iter::once(&node.then).chain(&node.on_error) {
        for arm in &route.arms {
            let names = match &arm.target {
                Target::Nodes(nodes) if nodes.is_empty() => vec!["end".to_owned()],
                Target::Nodes(nodes) => nodes.iter().map(ToString::to_string).collect(),
                Target::Fail(_) => vec!["fails".to_owned()],
            };
            ways.extend(names.into_iter().filter(|name| !ways.contains(name)).collect::<Vec<_>>());
        }
    }
    ways
}
