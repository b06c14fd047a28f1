//! The builder gives what a YAML text gives: every example of the repository is made both
//! ways, call by call.

use std::path::{Path, PathBuf};

use baton_engine::builder::{Ask, Channel, Each, GraphBuilder, Node, Route, Type};
use baton_engine::graph::Graph;
use baton_engine::spec::{self, Known, Source};
use serde_json::{Map, Value, json};

type Members = Map<String, Value>;

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target" && name != "schedules") {
                folders.push(path);
            } else if path.to_str().is_some_and(|path| path.ends_with(".yaml") && !path.ends_with(".test.yaml")) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The files beneath a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn read(path: &Path) -> Graph {
    let mut source = Source::new(path.display().to_string(), std::fs::read_to_string(path).unwrap());
    loop {
        let wanted = spec::includes(&source).into_iter().find(|include| !source.includes.contains_key(include));
        let Some(include) = wanted else { break };
        let text = std::fs::read_to_string(path.parent().unwrap().join(&include)).unwrap();
        source.includes.insert(include, text);
    }
    let home = path.parent().unwrap();
    for skill in spec::skill_folders(&source).iter().map(|folder| home.join(folder)).filter(|folder| folder.is_dir()) {
        for file in files(&skill) {
            let name = file.strip_prefix(home).unwrap().display().to_string();
            source.includes.insert(name, std::fs::read_to_string(&file).unwrap());
        }
    }
    let known = Known { agents: Some(baton_agents::graph), ..Known::default() };
    spec::parse_with(&source, &known).unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()))
}

#[test]
fn every_example_is_built_as_it_is_written() {
    let examples = examples();
    assert!(examples.len() >= 10, "{examples:?}");
    for path in examples {
        let written = read(&path);
        let canonical: Value = serde_json::from_str(&written.source).unwrap();
        let built = graph(canonical.as_object().unwrap());
        let built = built.build().unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        assert_eq!(built.source, written.source, "{}", path.display());
        assert_eq!(built.hash, written.hash, "{}", path.display());
    }
}

#[test]
fn what_is_wrong_is_told_as_for_a_text() {
    let graph = GraphBuilder::new("g").start("a").node("a", Node::local().save("x", "1").then("b"));
    let codes: Vec<_> = graph.build().unwrap_err().into_iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["unknown_channel", "unknown_node"]);
}

#[test]
fn a_built_graph_may_have_agents() {
    let node = Node::local().with("agent", json!({"kind": "tools", "route": "r", "user": "hello"})).then("end");
    let graph = GraphBuilder::new("g").start("a").node("a", node);
    let known = Known { agents: Some(baton_agents::graph), ..Known::default() };
    let built = graph.build_with(&known).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(built.children.len(), 1);
    assert!(graph.build().is_err(), "without who makes agents there are none");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter().map(text).collect()
}

fn graph(document: &Members) -> GraphBuilder {
    let mut graph = GraphBuilder::new(text(&document["graph"]));
    for (key, value) in document {
        let members = || value.as_object().unwrap();
        graph = match key.as_str() {
            "baton" | "graph" => graph,
            "input" => {
                members().iter().fold(graph, |graph, (name, kind)| graph.input(name, Type::schema(kind.clone())))
            }
            "output" => members().iter().fold(graph, |graph, (name, given)| graph.output(name, text(given))),
            "state" => members().iter().fold(graph, |graph, (name, kind)| graph.channel(name, channel(kind))),
            "start" => match value {
                Value::Array(_) => texts(value).into_iter().fold(graph, GraphBuilder::start),
                one => graph.start(text(one)),
            },
            "limits" => members().iter().fold(graph, limit),
            "on_busy" => graph.on_busy(text(value)),
            "nodes" => members().iter().fold(graph, |graph, (name, made)| graph.node(name, node(made))),
            "graphs" => members()
                .iter()
                .fold(graph, |made, (name, inner)| made.graph(name, self::graph(inner.as_object().unwrap()))),
            other => panic!("the builder has no {other}"),
        };
    }
    graph
}

fn limit(graph: GraphBuilder, (name, value): (&String, &Value)) -> GraphBuilder {
    match name.as_str() {
        "steps" => graph.limit_steps(value.as_u64().unwrap()),
        "tokens" => graph.limit_tokens(value.as_u64().unwrap()),
        "cost_usd" => graph.limit_cost_usd(value.as_f64().unwrap()),
        "duration" => graph.limit_duration(text(value)),
        other => panic!("the builder has no limit {other}"),
    }
}

fn channel(kind: &Value) -> Channel {
    let Value::Object(members) = kind else { return Channel::of(Type::schema(kind.clone())) };
    let own = ["reduce", "default", "keep"];
    let schema: Members = members.iter().filter(|(key, _)| !own.contains(&key.as_str())).map(own_pair).collect();
    let mut channel = Channel::of(Type::schema(Value::Object(schema)));
    for (key, value) in members {
        channel = match key.as_str() {
            "reduce" => channel.reduce(text(value)),
            "default" => channel.default(value.clone()),
            "keep" if value == &json!(true) => channel.keep(),
            _ => channel,
        };
    }
    channel
}

fn own_pair((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn node(made: &Value) -> Node {
    let members = made.as_object().unwrap();
    let mut node = work(members);
    for (key, value) in members {
        let pairs = || value.as_object().unwrap().iter();
        node = match key.as_str() {
            "tool" | "chat" | "ask" | "wait" | "graph" | "notify" => node,
            "save" => pairs().fold(node, |node, (channel, written)| node.save(channel, text(written))),
            "then" => node.then(route(value)),
            "on_error" => node.on_error(route(value)),
            "join" if value == "all" => node.join_all(),
            "join" => node.join_any(),
            "for_each" => node.for_each(each(value)),
            "on_item_error" => node.on_item_error(value.clone()),
            "max_parallel" => node.max_parallel(u32::try_from(value.as_u64().unwrap()).unwrap()),
            "retry" => node.with("retry", value.clone()),
            "timeout" => node.timeout(text(value)),
            "deadline" => node.deadline(text(value)),
            "priority" => node.priority(text(value)),
            "poll" => node.poll(text(&value["until"]), text(&value["every"])),
            "undo" => {
                let args = value["tool"].get("args").cloned().unwrap_or_else(|| json!({}));
                node.undo(text(&value["tool"]["name"]), args)
            }
            "cache" => node.cache(text(&value["key"]), text(&value["ttl"])),
            "approve" => node.approve(text(&value["when"]), &texts(&value["allow"])),
            other => panic!("the builder has no {other}"),
        };
    }
    node
}

fn work(members: &Members) -> Node {
    let args = |call: &Value| call.get("args").cloned().unwrap_or_else(|| json!({}));
    let call = |node: Node, call: &Value| {
        let optional = |key: &str| call.get(key).map(text);
        let node = optional("key").into_iter().fold(node, Node::key);
        let node = optional("effect").into_iter().fold(node, Node::effect);
        optional("queue").into_iter().fold(node, Node::queue)
    };
    for (key, value) in members {
        match key.as_str() {
            "tool" => return call(Node::tool(text(&value["name"]), args(value)), value),
            "notify" => return call(Node::notify(text(&value["name"]), args(value)), value),
            "chat" => return Node::chat(value.clone()),
            "ask" => return Node::ask(ask(value)),
            "graph" => return Node::graph(text(&value["name"]), args(value)),
            "wait" if value.get("for").is_some() => return Node::wait_for(text(&value["for"])),
            "wait" if value.get("until").is_some() => return Node::wait_until(text(&value["until"])),
            "wait" => {
                let optional = |key: &str| value.get(key).map(text);
                return Node::wait_signal(text(&value["signal"]), optional("match"), optional("expires"));
            }
            _ => {}
        }
    }
    Node::local()
}

fn ask(value: &Value) -> Ask {
    let title = text(&value["title"]);
    let mut ask = match value.get("edit") {
        Some(edit) => Ask::approval(title, text(edit), &texts(&value["allow"])),
        None => Ask::fields(title, value["fields"].clone()),
    };
    if let Some(show) = value.get("show") {
        ask = ask.show(&texts(show));
    }
    if let Some(via) = value.get("via") {
        ask = ask.via(text(&via["name"]), via["args"].clone());
    }
    match value.get("expires") {
        Some(expires) => ask.expires(text(expires)),
        None => ask,
    }
}

fn each(value: &Value) -> Each {
    let Value::Object(members) = value else { return Each::of(text(value)) };
    members.iter().fold(Each::of(text(&members["in"])), |each, (key, value)| match key.as_str() {
        "as" => each.named(text(value)),
        "keep" => each.keep(text(value)),
        "by" => each.by(text(value)),
        "after" => each.after(text(value)),
        _ => each,
    })
}

fn route(value: &Value) -> Route {
    match value {
        Value::String(node) => Route::to(node),
        Value::Array(arms) if arms.iter().all(Value::is_string) => Route::all(texts(value)),
        Value::Array(arms) => arms.iter().fold(Route::first(), |route, arm| {
            let to = || self::route(&arm["to"]);
            let route = match (arm.get("when"), arm.get("fail")) {
                (Some(when), Some(fail)) => route.fail_when(text(when), text(fail)),
                (Some(when), None) => route.when(text(when), to()),
                (None, Some(fail)) => route.or_fail(text(fail)),
                (None, None) => route.or(to()),
            };
            arm.get("code").into_iter().fold(route, |route, code| route.code(text(code)))
        }),
        other => panic!("no route: {other}"),
    }
}
