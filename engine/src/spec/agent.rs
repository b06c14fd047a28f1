//! `agent`: a node that becomes a call of a graph made for it, which stands beside it from
//! then on, so that every model call and every tool call is a job of its own.
//!
//! What such a graph does is the maker's part: [`Agents`]. There may be agents in it again.

mod settings;
mod told;

use serde_json::{Map, Value};
pub use told::{AgentKind, AgentSpec, AgentTool, GraphTool, Member, Reviewer};

use super::ask::allowed;
use super::problem::{Place, Report};
use super::reader::{Members, duration, members, text};
use super::retry::retry;
use super::work::WORKS;
use super::yaml::{Content, Entry, Node};
use super::{canonical, code};

/// Makes the text of the graph that runs an agent.
pub type Agents = fn(&AgentSpec) -> String;

/// Keys of the node that the graph made for it takes over.
const TAKEN: [&str; 4] = ["agent", "retry", "timeout", "approve"];
/// How deep agents may be made of agents.
const DEPTH_MAX: usize = 4;

/// Puts a call of a graph, and that graph, in the place of every agent that is sound. Those
/// that are not are reported and stay.
pub(super) fn expand(root: &mut Node, agents: Option<Agents>, report: &mut Report) {
    if let Some(agents) = agents {
        within(root, agents, report, 0);
    }
}

fn within(root: &mut Node, agents: Agents, report: &mut Report, depth: usize) {
    if let Some(Content::Map(graphs)) = member(root, "graphs").map(|graphs| &mut graphs.content) {
        graphs.iter_mut().for_each(|entry| within(&mut entry.value, agents, report, depth));
    }
    let mut taken = names(root.get("graphs"));
    let (state, limits) = (root.get("state").cloned(), settings::limits(root));
    let mut made = Vec::new();
    if let Some(Content::Map(nodes)) = member(root, "nodes").map(|nodes| &mut nodes.content) {
        for entry in nodes {
            let mut name = format!("{}.agent", entry.key);
            while taken.contains(&name) {
                name.push('_');
            }
            if let Some(mut graph) = one(report, entry, (&name, state.as_ref(), &limits), agents) {
                if depth < DEPTH_MAX {
                    within(&mut graph.value, agents, report, depth + 1);
                }
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
fn one(
    report: &mut Report,
    entry: &mut Entry,
    (name, state, limits): (&str, Option<&Node>, &Map<String, Value>),
    agents: Agents,
) -> Option<Entry> {
    let agent = entry.value.get("agent")?.clone();
    let problems = report.len();
    let outer = members_of(&entry.value)?;
    if WORKS.iter().any(|work| outer.get(work).is_some()) {
        return None;
    }
    let at = outer.place("agent");
    let settings = settings::of(report, &agent)?;
    let spec = settings::spec(report, &settings, &outer, name);
    check_outer(report, &outer);
    let history = settings.get("history").and_then(|node| history(report, node, (&outer, state)));
    let spec = AgentSpec { limits: limits.clone(), ..spec.filter(|_| report.len() == problems)? };
    let mut graph = canonical::load(&agents(&spec), report)?;
    place_all(&mut graph, at);
    let mut args = Vec::new();
    for key in ["user", "system"] {
        args.extend(settings.entry(key).cloned());
    }
    args.extend(settings::texts(&settings));
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

/// A member that may be changed.
pub(super) fn member<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.content {
        Content::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
        _ => None,
    }
}

/// What is wrong with what was made is said of the agent.
pub(super) fn place_all(node: &mut Node, at: Place) {
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
