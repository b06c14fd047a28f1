//! One node: its work, and the keys any node may have.

use std::collections::BTreeMap;

use baton_common::tool::Priority;
use baton_common::{ChannelName, NodePath};
use serde_json::{Value, json};

use super::code::expression;
use super::each::for_each;
use super::job::Beside;
use super::problem::Report;
use super::reader::{Members, duration, entries, members, word};
use super::retry::{default_retry, retry};
use super::route::route;
use super::view::{Declared, View, error_schema, errors_schema};
use super::work::{check_use, work};
use super::yaml::{Entry, Node};
use crate::expr::{Expr, Kind, article};
use crate::graph::{Channel, Join, Node as GraphNode, Reducer, Retry, Work};

const KEYS: [&str; 22] = [
    "tool",
    "chat",
    "agent",
    "ask",
    "wait",
    "graph",
    "notify",
    "save",
    "then",
    "on_error",
    "join",
    "for_each",
    "on_item_error",
    "max_parallel",
    "retry",
    "timeout",
    "deadline",
    "priority",
    "poll",
    "undo",
    "cache",
    "approve",
];
/// What an attempt may take unless a node says otherwise, in milliseconds.
const TIMEOUT_MS: u64 = 300_000;

/// A node; `None` where something of it is wrong.
pub(super) fn node(report: &mut Report, entry: &Entry, names: &[String], declared: &Declared<'_>) -> Option<GraphNode> {
    let members = members(report, &entry.value, "a node", &KEYS, &[])?;
    let each = for_each(report, &members, declared);
    let is_map = each.is_some();
    let mut view = View::new(declared, "the work of a node");
    if let Some(each) = &each {
        view = view.with_item(&each.item.0, each.item.1.clone());
        // Questions and waits are there before the items they need are done.
        let waits_for_needs = members.get("ask").or_else(|| members.get("wait")).is_none();
        if each.after && waits_for_needs {
            view = view.with("deps", json!({"type": "object"}));
        }
    }
    let (work, output) = work(report, &members, &view);
    let beside = Beside::read(report, &members, &view, (output.as_ref(), args_schema(&members, declared)));
    check_use(report, &members);
    check_approved(report, &members, work.as_ref());
    let mut after = View::new(declared, "save and then");
    let (each, output) = match each {
        Some(each) => {
            after = after.with("errors", errors_schema(&each.item.1));
            let of_item = view.at("keep").with("output", output.clone().unwrap_or_else(|| json!({})));
            let (each, output) = each.finish(report, &members, &of_item, output.as_ref());
            (each, Some(output))
        }
        None => (None, output),
    };
    if let Some(output) = output {
        after = after.with("output", output);
    }
    let save = members.get("save").map_or(Some(BTreeMap::new()), |node| save(report, node, &after));
    let then = match members.get("then") {
        Some(node) => route(report, node, "then", names, &after),
        None => {
            report
                .add("no_then", entry.key_at, format!("{} has no then", entry.key))
                .help("write then: end where a branch ends");
            None
        }
    };
    let view = View::new(declared, "on_error").with("error", error_schema());
    let on_error = members.get("on_error").map(|node| route(report, node, "on_error", names, &view));
    let settings = Settings::read(report, &members);
    Some(GraphNode {
        path: NodePath::parse(&entry.key).ok()?,
        work: work?,
        save: save?,
        then: then?,
        on_error: optional(on_error)?,
        join: settings.join,
        each: if is_map { Some(each?) } else { None },
        retry: settings.retry,
        timeout_ms: settings.timeout_ms,
        deadline_ms: settings.deadline_ms,
        priority: settings.priority,
        poll: optional(beside.poll)?,
        undo: optional(beside.undo)?,
        cache: optional(beside.cache)?,
        approve: optional(beside.approve)?,
    })
}

/// A person approves calls before others are made, so that none may depend on them.
fn check_approved(report: &mut Report, node: &Members<'_>, work: Option<&Work>) {
    let (Some(approve), Some(Work::Tool(call))) = (node.get("approve"), work) else { return };
    if call.args.roots().contains("deps") {
        let message = "deps is not visible in calls that a person approves";
        let problem = report.add("not_visible", approve.at, message);
        problem.help("what is approved cannot depend on other items: ask in a node of its own");
    }
}

/// What may be left out, but if it stands there must be sound.
#[expect(clippy::option_option, reason = "given or not, and sound or not")]
fn optional<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        Some(sound) => sound.map(Some),
        None => Some(None),
    }
}

/// What the tool of a node takes, where it is known and the arguments are written out.
fn args_schema<'d>(node: &Members<'_>, declared: &'d Declared<'_>) -> Option<&'d Value> {
    let tool = node.get("tool")?;
    if tool.get("args").is_some_and(|args| args.scalar().is_some()) {
        return None;
    }
    let name = tool.get("name")?.scalar()?;
    Some(&declared.tools?.get(name)?.args_schema)
}

fn save(report: &mut Report, node: &Node, view: &View<'_>) -> Option<BTreeMap<ChannelName, Expr>> {
    let mut saves = BTreeMap::new();
    let mut sound = true;
    for entry in entries(report, node, "save") {
        let Some((name, channel)) = view.declared.channels.get_key_value(&*entry.key) else {
            let known = view.declared.channels.keys().map(|name| &**name);
            report
                .add("unknown_channel", entry.key_at, format!("state has no channel {}", entry.key))
                .suggest(&entry.key, known);
            sound = false;
            continue;
        };
        match expression(report, &entry.value, &format!("save of {}", entry.key), view) {
            Some((value, shape)) => {
                check_write(report, entry, channel, shape.kind);
                saves.insert(name.clone(), value);
            }
            None => sound = false,
        }
    }
    sound.then_some(saves)
}

/// Reports a write that can never fit its channel.
fn check_write(report: &mut Report, entry: &Entry, channel: &Channel, kind: Kind) {
    let wanted = match channel.reducer {
        Reducer::Append | Reducer::Union | Reducer::Messages => return,
        _ => Kind::of_schema(&channel.schema),
    };
    let fits = [kind, wanted].contains(&Kind::Any)
        || kind == Kind::Null
        || kind == wanted
        || (kind == Kind::Integer && wanted == Kind::Number);
    if fits {
        return;
    }
    let message = format!("channel {} takes {}, not {}", entry.key, article(wanted), article(kind));
    let problem = report.add("type_mismatch", entry.value.at, message);
    match (kind, wanted) {
        (Kind::Number, Kind::Integer) => _ = problem.help("convert it: int(x)"),
        (Kind::Integer | Kind::Number | Kind::Boolean, Kind::String) => _ = problem.help("convert it: string(x)"),
        (_, Kind::Array) => _ = problem.help("make a list of it: [x], or declare the channel with reduce: append"),
        _ => {}
    }
}

/// The keys any node may have.
struct Settings {
    join: Option<Join>,
    retry: Retry,
    timeout_ms: u64,
    deadline_ms: Option<u64>,
    priority: Option<Priority>,
}

impl Settings {
    fn read(report: &mut Report, node: &Members<'_>) -> Self {
        let join = node.get("join").and_then(|node| word(report, node, "join", &["all", "any"]));
        let priority = node.get("priority").and_then(|node| word(report, node, "priority", &["high", "normal", "low"]));
        Self {
            join: join.map(|word| if word == "any" { Join::Any } else { Join::All }),
            retry: node.get("retry").map_or_else(default_retry, |node| retry(report, node)),
            timeout_ms: node.get("timeout").and_then(|node| duration(report, node, "timeout")).unwrap_or(TIMEOUT_MS),
            deadline_ms: node.get("deadline").and_then(|node| duration(report, node, "deadline")),
            priority: priority.and_then(|name| Priority::ALL.into_iter().find(|priority| priority.name() == name)),
        }
    }
}
