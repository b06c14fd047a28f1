//! The head of a graph: version, name, what it declares, its limits.

use std::collections::BTreeMap;

use baton_common::ChannelName;
use baton_common::transition::OnBusy;
use serde_json::{Value, json};

use super::library::Home;
use super::problem::{Place, Report};
use super::reader::{Members, count, duration, members as map, number, text, truth, word};
use super::types::{Field, fields, object};
use super::yaml::{Content, Node};
use crate::expr::Kind;
use crate::graph::{Channel, Limits, Reducer};

const STEPS: u64 = 1_000;
const STEPS_MAX: u64 = 1_000_000;

/// The language version; a graph within another has that one's.
pub(super) fn version(report: &mut Report, members: &Members<'_>, home: &Home) {
    match members.get("baton") {
        None if home.name.is_some() => {}
        None => {
            report.add("missing_key", members.at, "the language version is missing").help("begin with baton: 1");
        }
        Some(node) if !matches!(&node.content, Content::Scalar { text, quoted: false } if text == "1") => {
            report.add("wrong_version", node.at, "this version of Baton reads graphs of language version 1");
        }
        Some(_) => {}
    }
}

/// Its name; a graph within another may leave it to what it is called by.
pub(super) fn name(report: &mut Report, members: &Members<'_>, home: &Home) -> Option<String> {
    let Some(node) = members.get("graph") else {
        if home.name.is_none() {
            report.add("missing_key", members.at, "the graph has no name").help("graph: newsletter");
        }
        return home.name.clone();
    };
    let name = text(report, node, "the name of the graph")?;
    check_name(report, name, node.at);
    Some(name.to_owned())
}

/// Reports what is no name of a graph.
pub(super) fn check_name(report: &mut Report, name: &str, at: Place) {
    let fits = (1..=128).contains(&name.len())
        && name.chars().all(|mark| mark.is_ascii_alphanumeric() || "_-.".contains(mark));
    if !fits {
        report
            .add("wrong_name", at, format!("{name:?} is no name of a graph"))
            .help("names are made of letters, digits, _, - and .");
    }
}

/// The schema of its input, and its channels.
pub(super) fn declared(report: &mut Report, members: &Members<'_>) -> (Value, BTreeMap<ChannelName, Channel>) {
    let input = members.get("input").map(|node| fields(report, node, "input", &[])).unwrap_or_default();
    let mut channels = BTreeMap::new();
    if let Some(state) = members.get("state") {
        for field in fields(report, state, "state", &["reduce", "keep"]) {
            let node = state.get(&field.name);
            let reducer = node.and_then(|node| node.get("reduce")).and_then(|node| reducer(report, node));
            let keep = node.and_then(|node| node.get("keep")).and_then(|node| truth(report, node, "keep"));
            let reducer = reducer.unwrap_or(Reducer::Replace);
            check_reducer(report, &field, reducer, node);
            let is_array = field.schema.get("type").and_then(Value::as_str) == Some("array");
            let unset = if is_array { json!([]) } else { Value::Null };
            let default = field.default.filter(|default| !default.is_null()).unwrap_or(unset);
            let channel = Channel { schema: field.schema, reducer, default, keep: keep.unwrap_or(false) };
            channels.insert(field.name.into(), channel);
        }
    }
    (object(&input), channels)
}

const REDUCERS: [(&str, Reducer); 7] = [
    ("replace", Reducer::Replace),
    ("last", Reducer::Last),
    ("append", Reducer::Append),
    ("union", Reducer::Union),
    ("sum", Reducer::Sum),
    ("merge", Reducer::Merge),
    ("messages", Reducer::Messages),
];

fn reducer(report: &mut Report, node: &Node) -> Option<Reducer> {
    let names = REDUCERS.map(|(name, _)| name);
    let name = word(report, node, "reduce", &names)?;
    REDUCERS.iter().find(|(known, _)| *known == name).map(|(_, reducer)| *reducer)
}

fn check_reducer(report: &mut Report, field: &Field, reducer: Reducer, node: Option<&Node>) {
    let kind = Kind::of_schema(&field.schema);
    if kind == Kind::Any {
        return;
    }
    let wanted = match reducer {
        Reducer::Append | Reducer::Union | Reducer::Messages if kind != Kind::Array => "an array",
        Reducer::Sum if ![Kind::Integer, Kind::Number].contains(&kind) => "an integer or a number",
        Reducer::Merge if kind != Kind::Object => "an object",
        _ => return,
    };
    let at = node.and_then(|node| node.get("reduce")).map(|node| node.at).unwrap_or_default();
    report
        .add("type_mismatch", at, format!("this reducer needs a channel that is {wanted}, not {}", kind.name()))
        .label(format!("{} is {}", field.name, kind.name()));
}

/// When it must stop.
pub(super) fn limits(report: &mut Report, members: &Members<'_>) -> Limits {
    let mut limits = Limits { steps: STEPS, duration_ms: None, tokens: None, cost_usd: None };
    let Some(node) = members.get("limits") else { return limits };
    let Some(given) = map(report, node, "limits", &["steps", "tokens", "cost_usd", "duration"], &[]) else {
        return limits;
    };
    if let Some(steps) = given.get("steps").and_then(|node| count(report, node, "steps", (1, STEPS_MAX))) {
        limits.steps = steps;
    }
    limits.tokens = given.get("tokens").and_then(|node| count(report, node, "tokens", (1, u64::MAX)));
    limits.cost_usd = given.get("cost_usd").and_then(|node| cost(report, node));
    limits.duration_ms = given.get("duration").and_then(|node| duration(report, node, "duration"));
    limits
}

fn cost(report: &mut Report, node: &Node) -> Option<f64> {
    // `0.50` is a number like any other here.
    let cost = number(node).and_then(|cost| cost.as_f64()).filter(|cost| *cost > 0.0);
    if cost.is_none() {
        report.add("wrong_number", node.at, "cost_usd is a number of US dollars above 0");
    }
    cost
}

/// What becomes of a run on a busy thread.
pub(super) fn on_busy(report: &mut Report, members: &Members<'_>) -> OnBusy {
    let Some(node) = members.get("on_busy") else { return OnBusy::default() };
    match word(report, node, "on_busy", &["reject", "enqueue", "interrupt", "rollback"]) {
        Some("enqueue") => OnBusy::Enqueue,
        Some("interrupt") => OnBusy::Interrupt,
        Some("rollback") => OnBusy::Rollback,
        _ => OnBusy::default(),
    }
}
