//! One node: its work, and the keys any node may have.

use std::collections::BTreeMap;

use baton_common::tool::Priority;
use baton_common::{ErrorClass, NodePath};

use super::code::{expression, expression_of};
use super::problem::Report;
use super::reader::{Members, count, duration, duration_range, entries, kind, members, one_or_more, text, word};
use super::route::route;
use super::types::is_identifier;
use super::view::{Declared, Output, View};
use super::work::{WORKS, work};
use super::yaml::{Content, Entry, Node};
use crate::expr::{Expr, Kind, article};
use crate::graph::{Channel, ForEach, Join, Node as GraphNode, OnItemError, Reducer, Retry, Work};

const KEYS: [&str; 15] = [
    "tool",
    "chat",
    "ask",
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
];
const LATER: [&str; 9] = ["agent", "wait", "graph", "by", "after", "poll", "undo", "cache", "approve"];
const PARALLEL_MAX: u64 = 100_000;
/// What an attempt may take unless a node says otherwise, in milliseconds.
const TIMEOUT_MS: u64 = 300_000;

/// A node; `None` where something of it is wrong.
pub(super) fn node(report: &mut Report, entry: &Entry, names: &[String], declared: &Declared) -> Option<GraphNode> {
    let members = members(report, &entry.value, "a node", &KEYS, &LATER)?;
    let each = for_each(report, &members, declared);
    let mut view = View::new(declared, "the work of a node");
    view.item = each.as_ref().map(|each| each.item_name.clone());
    if members.get("for_each").is_some() && view.item.is_none() {
        view.item = Some("item".to_owned());
    }
    let (work, output) = work(report, &members, &view);
    let each = keep(report, &members, each, &view, output.as_ref());
    check_use(report, &members, work.as_ref());
    let mut view = View::new(declared, "save and then");
    view.errors = members.get("for_each").is_some();
    view.output = if view.errors { Some(Output::List) } else { output };
    let save = members.get("save").map_or(Some(BTreeMap::new()), |node| save(report, node, &view));
    let then = match members.get("then") {
        Some(node) => route(report, node, "then", names, &view),
        None => {
            report
                .add("no_then", entry.key_at, format!("{} has no then", entry.key))
                .help("write then: end where a branch ends");
            None
        }
    };
    let mut view = View::new(declared, "on_error");
    view.error = true;
    let on_error = members.get("on_error").map(|node| route(report, node, "on_error", names, &view));
    let settings = Settings::read(report, &members);
    Some(GraphNode {
        path: NodePath::parse(&entry.key).ok()?,
        work: work?,
        save: save?,
        then: then?,
        on_error: match on_error {
            Some(route) => Some(route?),
            None => None,
        },
        join: settings.join,
        each: match members.get("for_each") {
            Some(_) => Some(each?),
            None => None,
        },
        retry: settings.retry,
        timeout_ms: settings.timeout_ms,
        deadline_ms: settings.deadline_ms,
        priority: settings.priority,
        poll: None,
        undo: None,
        cache: None,
        approve: None,
    })
}

/// What fits no work of this kind.
fn check_use(report: &mut Report, members: &Members<'_>, work: Option<&Work>) {
    let is_map = members.get("for_each").is_some();
    for key in ["on_item_error", "max_parallel"] {
        if let (false, Some(entry)) = (is_map, members.entry(key)) {
            report.add("needs_for_each", entry.key_at, format!("{key} needs for_each"));
        }
    }
    let jobless = match work {
        Some(Work::Local) if !WORKS.iter().any(|key| members.get(key).is_some()) => "a node without work",
        Some(Work::Ask(_)) => "a node that asks",
        Some(Work::Notify(_)) => "a node that notifies",
        _ => return,
    };
    for key in ["for_each", "retry", "timeout", "priority", "deadline"] {
        let fits = matches!((work, key), (Some(Work::Notify(_)), "retry" | "timeout" | "priority"));
        if let (false, Some(entry)) = (fits, members.entry(key)) {
            let problem = report.add("no_use", entry.key_at, format!("{jobless} has no use for {key}"));
            if matches!(work, Some(Work::Ask(_))) && ["timeout", "deadline"].contains(&key) {
                problem.help("write expires in ask");
            }
        }
    }
}

fn for_each(report: &mut Report, node: &Members<'_>, declared: &Declared) -> Option<ForEach> {
    let each = node.get("for_each")?;
    let view = View::new(declared, "for_each");
    let (list, item_name) = match &each.content {
        Content::Map(_) => {
            let parts = members(report, each, "for_each", &["in", "as", "keep"], &["by", "after"])?;
            let Some(list) = parts.get("in") else {
                report.add("missing_key", parts.at, "for_each needs in: the list").help("in: state.files");
                return None;
            };
            let name = parts.get("as").map_or(Some("item"), |node| {
                let name = text(report, node, "as")?;
                let taken = super::names::SCOPE.contains(&name) && name != "item";
                if taken || !is_identifier(name) || crate::expr::is_type_name(name) {
                    report.add("wrong_name", node.at, format!("{name} cannot be the name of an item"));
                    return None;
                }
                Some(name)
            });
            (expression_of(report, list, "in", &view, Kind::Array), name?)
        }
        _ => (expression_of(report, each, "for_each", &view, Kind::Array), "item"),
    };
    let on_item_error =
        node.get("on_item_error").map_or(Some(OnItemError::Fail), |policy| on_item_error(report, policy));
    let max_parallel =
        node.get("max_parallel").and_then(|node| count(report, node, "max_parallel", (1, PARALLEL_MAX))).unwrap_or(16);
    Some(ForEach {
        list: list?,
        item_name: item_name.to_owned(),
        keep: None,
        on_item_error: on_item_error?,
        max_parallel: u32::try_from(max_parallel).unwrap_or(u32::MAX),
        by: None,
        after: None,
    })
}

fn keep(
    report: &mut Report,
    node: &Members<'_>,
    each: Option<ForEach>,
    view: &View<'_>,
    output: Option<&Output>,
) -> Option<ForEach> {
    let keep = node.get("for_each").and_then(|each| each.get("keep"));
    let Some(keep) = keep else { return each };
    let view = View { output: output.cloned(), place: "keep", ..view.clone() };
    let keep = expression(report, keep, "keep", &view);
    each.zip(keep).map(|(each, (keep, _))| ForEach { keep: Some(keep), ..each })
}

fn on_item_error(report: &mut Report, node: &Node) -> Option<OnItemError> {
    if let Content::Map(_) = &node.content {
        let parts = members(report, node, "on_item_error", &["quorum"], &[])?;
        let Some(quorum) = parts.get("quorum") else {
            report.add("missing_key", node.at, "on_item_error needs quorum").help("on_item_error: { quorum: 3 }");
            return None;
        };
        let successes = count(report, quorum, "quorum", (1, PARALLEL_MAX))?;
        return u32::try_from(successes).ok().map(OnItemError::Quorum);
    }
    match word(report, node, "on_item_error", &["fail", "collect"])? {
        "collect" => Some(OnItemError::Collect),
        _ => Some(OnItemError::Fail),
    }
}

fn save(report: &mut Report, node: &Node, view: &View<'_>) -> Option<BTreeMap<String, Expr>> {
    let mut saves = BTreeMap::new();
    let mut sound = true;
    for entry in entries(report, node, "save") {
        let Some(channel) = view.declared.channels.get(&entry.key) else {
            let known = view.declared.channels.keys().map(String::as_str);
            report
                .add("unknown_channel", entry.key_at, format!("state has no channel {}", entry.key))
                .suggest(&entry.key, known);
            sound = false;
            continue;
        };
        match expression(report, &entry.value, &format!("save of {}", entry.key), view) {
            Some((value, kind)) => {
                check_write(report, entry, channel, kind);
                saves.insert(entry.key.clone(), value);
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
        let join = node.get("join").and_then(|node| match word(report, node, "join", &["all", "any"]) {
            Some("any") => {
                super::reader::unsupported(report, node.at, "join: any");
                None
            }
            word => word.map(|_| Join::All),
        });
        let priority = node.get("priority").and_then(|node| word(report, node, "priority", &["high", "normal", "low"]));
        Self {
            join,
            retry: node.get("retry").map_or_else(default_retry, |node| retry(report, node)),
            timeout_ms: node.get("timeout").and_then(|node| duration(report, node, "timeout")).unwrap_or(TIMEOUT_MS),
            deadline_ms: node.get("deadline").and_then(|node| duration(report, node, "deadline")),
            priority: priority.and_then(|name| Priority::ALL.into_iter().find(|priority| priority.name() == name)),
        }
    }
}

fn default_retry() -> Retry {
    let classes = vec![ErrorClass::Transient];
    Retry { attempts: 1, backoff_min_ms: 1_000, backoff_max_ms: 60_000, classes, codes: Vec::new() }
}

fn retry(report: &mut Report, node: &Node) -> Retry {
    let mut retry = default_retry();
    let Some(members) = members(report, node, "retry", &["attempts", "backoff", "errors"], &[]) else { return retry };
    match members.get("attempts") {
        Some(attempts) => {
            let attempts = count(report, attempts, "attempts", (1, 100)).unwrap_or(1);
            retry.attempts = u32::try_from(attempts).unwrap_or(1);
        }
        None => {
            report
                .add("missing_key", members.at, "retry needs attempts, the first included")
                .help("retry: { attempts: 3 }");
        }
    }
    if let Some((min, max)) = members.get("backoff").and_then(|node| duration_range(report, node, "backoff")) {
        (retry.backoff_min_ms, retry.backoff_max_ms) = (min, max);
    }
    let Some(errors) = members.get("errors") else { return retry };
    retry.classes.clear();
    if matches!(errors.content, Content::Map(_)) {
        report.add(
            "wrong_type",
            errors.at,
            format!("errors is a list of classes or codes, not {}", kind(&errors.content)),
        );
        return retry;
    }
    for element in one_or_more(errors) {
        let Some(name) = text(report, element, "errors") else { continue };
        match ErrorClass::from_name(name) {
            Some(class) if class.retryable() => retry.classes.push(class),
            Some(class) => {
                report.add("no_use", element.at, format!("errors of class {class} are never tried again"));
            }
            None if is_identifier(name) => {
                let known = ErrorClass::ALL.iter().filter(|class| class.retryable()).map(|class| class.name());
                if let Some(near) = super::names::nearest(name, known) {
                    let problem = report.add("unknown_word", element.at, format!("there is no class of errors {name}"));
                    problem.help(format!("did you mean {near}?"));
                } else {
                    retry.codes.push(name.to_owned());
                }
            }
            None => {
                report.add("wrong_name", element.at, format!("{name:?} is no class or code of errors"));
            }
        }
    }
    retry
}
