//! `agent`: a node that becomes a call of a graph made for it, which stands beside it from
//! then on, so that every model call and every tool call is a job of its own.
//!
//! What such a graph does is the maker's part: [`Agents`].

use serde_json::{Map, Value};

use super::ask::allowed;
use super::canonical::{self, to_json};
use super::problem::{Place, Report};
use super::reader::{Members, count, duration, kind, members, text, word};
use super::retry::retry;
use super::work::WORKS;
use super::yaml::{Content, Entry, Node};
use super::{call, code};

/// Makes the text of the graph that runs an agent.
pub type Agents = fn(&AgentSpec) -> String;

/// What an agent is told to do, as far as it is fixed by the graph's text. The graph made of it
/// takes the input `user`, and `system` and `history` where they are given, and gives `text`,
/// `json` and `messages`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSpec {
    /// The name of the graph to make.
    pub graph: String,
    /// What it does between two calls of the model.
    pub kind: AgentKind,
    /// The route of its model calls.
    pub route: String,
    /// Whether it is given instructions.
    pub system: bool,
    /// Whether it is given the conversation so far.
    pub history: bool,
    /// The tools its model may ask for, none twice.
    pub tools: Vec<String>,
    /// Calls of the model, at most.
    pub rounds: u64,
    /// Further keys of its model calls: `fields`, `output_schema`, `temperature`, `max_tokens`.
    pub chat: Map<String, Value>,
    /// Keys of every node that calls a model or a tool: `retry`, `timeout`.
    pub calls: Map<String, Value>,
    /// Key of every node that calls a tool.
    pub approve: Option<Value>,
}

/// What an agent does between two calls of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentKind {
    /// It calls the tools that the model asks for.
    Tools,
}

const KEYS: [&str; 11] = [
    "kind",
    "route",
    "user",
    "system",
    "tools",
    "history",
    "rounds",
    "fields",
    "output_schema",
    "temperature",
    "max_tokens",
];
const LATER: [&str; 1] = ["skills"];
const KINDS: [&str; 4] = ["tools", "plan", "supervisor", "review"];
const CHAT: [&str; 4] = ["fields", "output_schema", "temperature", "max_tokens"];
/// Keys of the node that the graph made for it takes over.
const TAKEN: [&str; 4] = ["agent", "retry", "timeout", "approve"];
const ROUNDS: u64 = 10;
const ROUNDS_MAX: u64 = 1_000;
const TOOLS_MAX: usize = 128;

/// Puts a call of a graph, and that graph, in the place of every agent that is sound. Those
/// that are not are reported and stay.
pub(super) fn expand(root: &mut Node, agents: Option<Agents>, report: &mut Report) {
    let Some(agents) = agents else { return };
    if let Some(Content::Map(graphs)) = member(root, "graphs").map(|graphs| &mut graphs.content) {
        graphs.iter_mut().for_each(|entry| expand(&mut entry.value, Some(agents), report));
    }
    let mut taken = names(root.get("graphs"));
    let state = root.get("state").cloned();
    let mut made = Vec::new();
    if let Some(Content::Map(nodes)) = member(root, "nodes").map(|nodes| &mut nodes.content) {
        for entry in nodes {
            let mut name = format!("{}.agent", entry.key);
            while taken.contains(&name) {
                name.push('_');
            }
            if let Some(graph) = one(report, entry, (&name, state.as_ref()), agents) {
                taken.push(name);
                made.push(graph);
            }
        }
    }
    let (Some(first), Content::Map(top)) = (made.first(), &mut root.content) else { return };
    let (at, empty) = (first.key_at, Content::Map(Vec::new()));
    if !top.iter().any(|entry| entry.key == "graphs") {
        top.push(Entry { key: "graphs".to_owned(), key_at: at, value: Node { content: empty, at } });
    }
    if let Some(Content::Map(graphs)) = member(root, "graphs").map(|graphs| &mut graphs.content) {
        graphs.extend(made);
    }
}

/// The graph of one agent, whose node calls it from now on.
fn one(report: &mut Report, entry: &mut Entry, (name, state): (&str, Option<&Node>), agents: Agents) -> Option<Entry> {
    let agent = entry.value.get("agent")?.clone();
    let problems = report.len();
    let outer = members_of(&entry.value)?;
    if WORKS.iter().any(|work| outer.get(work).is_some()) {
        return None;
    }
    let at = outer.place("agent");
    let settings = members(report, &agent, "agent", &KEYS, &LATER)?;
    let spec = spec(report, &settings, &outer, name);
    check_outer(report, &outer);
    let history = settings.get("history").and_then(|node| history(report, node, (&outer, state)));
    let spec = spec.filter(|_| report.len() == problems)?;
    let mut graph = canonical::load(&agents(&spec), report)?;
    place_all(&mut graph, at);
    let mut args = Vec::new();
    for key in ["user", "system"] {
        args.extend(settings.entry(key).cloned());
    }
    let scalar = |text: String, at| Node { content: Content::Scalar { text, quoted: true }, at };
    if let Some((channel, at)) = &history {
        args.push(named("history", scalar(format!("{{{{ state.{channel} }}}}"), *at)));
    }
    let args = named("args", Node { content: Content::Map(args), at: agent.at });
    let call = vec![named("name", scalar(name.to_owned(), at)), args];
    let Content::Map(node) = &mut entry.value.content else { return None };
    node.retain(|entry| !TAKEN.contains(&entry.key.as_str()));
    node.push(Entry { key: "graph".to_owned(), key_at: at, value: Node { content: Content::Map(call), at: agent.at } });
    if let Some((channel, at)) = history {
        keep(node, named(&channel, scalar("output.messages".to_owned(), at)));
    }
    Some(Entry { key: name.to_owned(), key_at: at, value: graph })
}

/// What is fixed about an agent; `None` where something is wrong.
fn spec(report: &mut Report, settings: &Members<'_>, outer: &Members<'_>, graph: &str) -> Option<AgentSpec> {
    let kind = agent_kind(report, settings);
    for (key, example) in [("route", "route: writer"), ("user", "user: \"{{ input.question }}\"")] {
        if settings.get(key).is_none() {
            report.add("missing_key", settings.at, format!("agent needs {key}")).help(example);
        }
    }
    for key in ["user", "system"] {
        settings.get(key).map(|node| text(report, node, key));
    }
    let route = settings.get("route").and_then(|node| text(report, node, "route"));
    let tools = settings.get("tools").map_or(Some(Vec::new()), |node| tools(report, node));
    let rounds = settings.get("rounds").and_then(|node| count(report, node, "rounds", (1, ROUNDS_MAX)));
    let given = |members: &Members<'_>, keys: &[&str]| -> Map<String, Value> {
        let given = keys.iter().filter_map(|key| members.entry(key));
        given.map(|entry| (entry.key.clone(), to_json(&entry.value))).collect()
    };
    Some(AgentSpec {
        graph: graph.to_owned(),
        kind: kind?,
        route: route?.to_owned(),
        system: settings.get("system").is_some(),
        history: settings.get("history").is_some(),
        tools: tools?,
        rounds: rounds.unwrap_or(ROUNDS),
        chat: given(settings, &CHAT),
        calls: given(outer, &["retry", "timeout"]),
        approve: outer.get("approve").map(to_json),
    })
}

fn agent_kind(report: &mut Report, settings: &Members<'_>) -> Option<AgentKind> {
    let Some(node) = settings.get("kind") else {
        report.add("missing_key", settings.at, "agent needs a kind").help("kind: tools");
        return None;
    };
    match word(report, node, "kind", &KINDS)? {
        "tools" => Some(AgentKind::Tools),
        other => {
            report
                .add("unsupported_yet", node.at, format!("agents of kind {other} are not supported yet"))
                .help("kind: tools, or several of them as nodes of your own");
            None
        }
    }
}

fn tools(report: &mut Report, node: &Node) -> Option<Vec<String>> {
    let Content::List(elements) = &node.content else {
        let found = kind(&node.content);
        report.add("wrong_type", node.at, format!("tools is a list, not {found}")).help("tools: [file.list]");
        return None;
    };
    if elements.len() > TOOLS_MAX {
        report.add("too_large", node.at, format!("more than {TOOLS_MAX} tools"));
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for element in elements {
        let name = call::tool_name(report, element)?;
        if names.iter().any(|known| known == name) {
            report.add("duplicate_key", element.at, format!("{name} stands here twice"));
        }
        names.push(name.to_owned());
    }
    Some(names)
}

/// Reports what is wrong with keys of the node that its calls take over.
fn check_outer(report: &mut Report, outer: &Members<'_>) {
    outer.get("retry").map(|node| retry(report, node));
    outer.get("timeout").map(|node| duration(report, node, "timeout"));
    let Some(approve) = outer.get("approve") else { return };
    let Some(approve) = members(report, approve, "approve", &["when", "allow"], &[]) else { return };
    allowed(report, &approve);
    if let Some(when) = approve.get("when") {
        code::only_of(report, when, "when", &["args", "item", "run"], "the approve of an agent");
    }
}

/// The channel of the conversation, and where it is named.
fn history(report: &mut Report, node: &Node, (outer, state): (&Members<'_>, Option<&Node>)) -> Option<(String, Place)> {
    let channel = text(report, node, "history")?;
    let Some(declared) = state.and_then(|state| state.get(channel)) else {
        let known = names(state);
        report
            .add("unknown_channel", node.at, format!("state has no channel {channel}"))
            .suggest(channel, known.iter().map(String::as_str));
        return None;
    };
    if declared.get("reduce").and_then(Node::scalar) != Some("messages") {
        report
            .add("type_mismatch", node.at, format!("history is a channel of messages, which {channel} is not"))
            .help(format!("{channel}: {{ type: array, reduce: messages, keep: true }}"));
    }
    if let Some(entry) = outer.entry("for_each") {
        report
            .add("no_use", entry.key_at, "an agent with a history runs once")
            .help("leave history out, or call a graph with such an agent");
    }
    if outer.get("save").is_some_and(|save| save.get(channel).is_some()) {
        report
            .add("two_forms", outer.place("save"), format!("history saves {channel} already"))
            .help(format!("leave {channel} out of save"));
    }
    Some((channel.to_owned(), node.at))
}

fn keep(node: &mut Vec<Entry>, saved: Entry) {
    match node.iter_mut().find(|entry| entry.key == "save").map(|entry| &mut entry.value.content) {
        Some(Content::Map(saves)) => saves.push(saved),
        Some(_) => {}
        None => {
            let at = saved.key_at;
            node.push(named("save", Node { content: Content::Map(vec![saved]), at }));
        }
    }
}

fn named(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), key_at: value.at, value }
}

fn members_of(node: &Node) -> Option<Members<'_>> {
    match &node.content {
        Content::Map(entries) => Some(Members::of(entries, node.at)),
        _ => None,
    }
}

fn names(node: Option<&Node>) -> Vec<String> {
    match node.map(|node| &node.content) {
        Some(Content::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    }
}

fn member<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.content {
        Content::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
        _ => None,
    }
}

/// What is wrong with what was made is said of the agent.
fn place_all(node: &mut Node, at: Place) {
    node.at = at;
    match &mut node.content {
        Content::Scalar { .. } => {}
        Content::List(elements) => elements.iter_mut().for_each(|element| place_all(element, at)),
        Content::Map(entries) => {
            for entry in entries {
                entry.key_at = at;
                place_all(&mut entry.value, at);
            }
        }
    }
}
