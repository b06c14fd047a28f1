//! Graphs of these tests, read without any check: what a text means, not whether it is
//! right. Whether it is right is tested where texts are validated.

use std::collections::BTreeMap;

use baton_common::{Digest, ErrorClass, GraphHash, NodePath};
use baton_engine::expr::{Expr, Template};
use baton_engine::graph::{
    Arm, Ask, AskForm, Channel, ForEach, Graph, Join, Limits, Node, OnItemError, Reducer, Retry, Route, Target,
    ToolCall, Work,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The graph of a text.
pub(super) fn graph(text: &str) -> Graph {
    let tree: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let nodes: BTreeMap<NodePath, Node> =
        members(&tree["nodes"]).map(|(name, tree)| (path(name), node(name, tree))).collect();
    let properties: BTreeMap<&str, Value> = members(&tree["input"]).map(|(name, kind)| (name, schema(kind))).collect();
    Graph {
        name: word(&tree["graph"]),
        hash: GraphHash(Digest::of(text)),
        source: text.to_owned(),
        input: json!({"type": "object", "properties": properties}),
        output: members(&tree["output"]).map(|(name, text)| (name.to_owned(), expression(text))).collect(),
        output_schema: json!({"type": "object"}),
        channels: members(&tree["state"]).map(|(name, tree)| (name.to_owned(), channel(tree))).collect(),
        start: names(&tree["start"]),
        limits: Limits {
            steps: tree["limits"]["steps"].as_u64().unwrap_or(1_000),
            duration_ms: None,
            tokens: tree["limits"]["tokens"].as_u64(),
        },
        on_busy: Default::default(),
        successors: nodes.values().map(|node| (node.path.clone(), successors(node))).collect(),
        nodes,
    }
}

fn channel(tree: &Value) -> Channel {
    let reducer = match tree["reduce"].as_str() {
        Some("sum") => Reducer::Sum,
        Some("append") => Reducer::Append,
        Some("union") => Reducer::Union,
        Some("merge") => Reducer::Merge,
        Some("last") => Reducer::Last,
        _ => Reducer::Replace,
    };
    let schema = schema(tree);
    let unset = if schema["type"] == "array" { json!([]) } else { Value::Null };
    Channel {
        schema,
        reducer,
        default: tree.get("default").cloned().unwrap_or(unset),
        keep: tree["keep"].as_bool().unwrap_or(false),
    }
}

fn schema(tree: &Value) -> Value {
    let mut schema = if tree.is_string() { json!({"type": tree}) } else { tree.clone() };
    if let Value::Object(members) = &mut schema {
        members.retain(|name, _| name != "reduce" && name != "keep");
    }
    schema
}

fn node(name: &str, tree: &Value) -> Node {
    let milliseconds = |key: &str| tree.get(key).map(duration);
    Node {
        path: path(name),
        work: work(tree),
        save: members(&tree["save"]).map(|(name, text)| (name.to_owned(), expression(text))).collect(),
        then: route(&tree["then"]),
        on_error: tree.get("on_error").map(route),
        join: tree.get("join").map(|_| Join::All),
        each: tree.get("for_each").map(|each| for_each(tree, each)),
        retry: tree.get("retry").map_or_else(once, retry),
        timeout_ms: milliseconds("timeout").unwrap_or(60_000),
        deadline_ms: milliseconds("deadline"),
        priority: tree.get("priority").map(read),
    }
}

fn work(tree: &Value) -> Work {
    if let Some(tree) = tree.get("tool") {
        Work::Tool(call(tree))
    } else if let Some(tree) = tree.get("chat") {
        Work::Tool(ToolCall { name: "chat".to_owned(), args: template(tree), class: None, effect: None })
    } else if let Some(tree) = tree.get("notify") {
        Work::Notify(call(tree))
    } else if let Some(tree) = tree.get("ask") {
        let shown = tree["show"].as_array().into_iter().flatten();
        Work::Ask(Ask {
            title: template(&tree["title"]),
            show: shown.map(|text| (word(text), expression(text))).collect(),
            form: AskForm::Approval { edit: expression(&tree["edit"]), allow: read(&tree["allow"]) },
            expires_ms: tree.get("expires").map(duration),
        })
    } else {
        Work::Local
    }
}

fn call(tree: &Value) -> ToolCall {
    let effect = tree.get("effect").map(read);
    ToolCall { name: word(&tree["name"]), args: template(&tree["args"]), class: None, effect }
}

fn for_each(node: &Value, tree: &Value) -> ForEach {
    let on_item_error = match &node["on_item_error"] {
        Value::String(name) if name == "collect" => OnItemError::Collect,
        Value::Object(members) => OnItemError::Quorum(read(&members["quorum"])),
        _ => OnItemError::Fail,
    };
    ForEach {
        list: expression(if tree.is_string() { tree } else { &tree["in"] }),
        item_name: tree["as"].as_str().unwrap_or("item").to_owned(),
        keep: tree.get("keep").map(expression),
        on_item_error,
        max_parallel: node.get("max_parallel").map_or(16, read),
    }
}

fn retry(tree: &Value) -> Retry {
    let backoff = word(&tree["backoff"]);
    let (least, most) = backoff.split_once("..").unwrap();
    let classes = tree["errors"].as_array().into_iter().flatten();
    Retry {
        attempts: read(&tree["attempts"]),
        backoff_min_ms: duration(&json!(least)),
        backoff_max_ms: duration(&json!(most)),
        classes: classes.filter_map(|name| ErrorClass::from_name(name.as_str()?)).collect(),
        codes: Vec::new(),
    }
}

fn once() -> Retry {
    Retry { attempts: 1, backoff_min_ms: 0, backoff_max_ms: 0, classes: Vec::new(), codes: Vec::new() }
}

fn route(tree: &Value) -> Route {
    let arms = match tree {
        Value::Array(arms) if arms.iter().all(Value::is_object) => arms.iter().map(arm).collect(),
        _ => vec![Arm { when: None, target: Target::Nodes(names(tree)) }],
    };
    Route { arms }
}

fn arm(tree: &Value) -> Arm {
    let target = match tree.get("fail") {
        Some(message) => Target::Fail(template(message)),
        None => Target::Nodes(names(&tree["to"])),
    };
    Arm { when: tree.get("when").map(expression), target }
}

fn successors(node: &Node) -> Vec<NodePath> {
    let arms = [Some(&node.then), node.on_error.as_ref()].into_iter().flatten().flat_map(|route| &route.arms);
    let mut all: Vec<NodePath> = Vec::new();
    for arm in arms {
        if let Target::Nodes(nodes) = &arm.target {
            all.extend(nodes.iter().filter(|node| !all.contains(node)).cloned().collect::<Vec<_>>());
        }
    }
    all
}

fn names(tree: &Value) -> Vec<NodePath> {
    match tree {
        Value::String(name) if name == "end" => Vec::new(),
        Value::String(name) => vec![path(name)],
        _ => tree.as_array().into_iter().flatten().map(|name| path(&word(name))).collect(),
    }
}

fn members(tree: &Value) -> impl Iterator<Item = (&str, &Value)> {
    tree.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}

fn path(name: &str) -> NodePath {
    NodePath::parse(name).unwrap()
}

fn word(tree: &Value) -> String {
    tree.as_str().unwrap_or_else(|| panic!("{tree} is a text")).to_owned()
}

fn read<T: DeserializeOwned>(tree: &Value) -> T {
    serde_json::from_value(tree.clone()).unwrap()
}

fn expression(tree: &Value) -> Expr {
    Expr::compile(&word(tree)).unwrap()
}

fn template(tree: &Value) -> Template {
    Template::compile(tree).unwrap()
}

fn duration(tree: &Value) -> u64 {
    let text = word(tree);
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "s" => 1_000,
        "m" => 60_000,
        _ => 3_600_000,
    };
    digits.parse::<u64>().unwrap() * unit
}
