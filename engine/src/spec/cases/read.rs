//! Cases as they are written: maps with known keys become values.

use std::collections::BTreeMap;

use baton_common::{ErrorClass, Failure};
use serde_json::{Value, json};

use super::super::problem::Report;
use super::super::reader::{Members, duration, duration_range, entries, literal, members, text, word};
use super::super::yaml::{Content, Node};
use super::address::{Wanted, has_items};
use super::{Case, Decided, Expect, KEYS, Rows, Scripted, Told};
use crate::graph::Graph;

const CASE: [&str; 7] = ["name", "input", "results", "answers", "signals", "cancel_after", "expect"];
const EXPECT: [&str; 5] = ["output", "failure", "status", "visited", "took"];
const STATUSES: [&str; 5] = ["succeeded", "failed", "cancelled", "waiting", "stuck"];

/// The cases of a file.
pub(super) fn cases(report: &mut Report, root: &Node, graph: &Graph) -> Option<Vec<Case>> {
    let file = members(report, root, "a file with cases", &KEYS, &[])?;
    let Some(list) = file.get("cases") else {
        report.add("missing_key", file.at, "there are no cases").help("cases: [ { name: …, expect: { … } } ]");
        return None;
    };
    let mut cases: Vec<Case> = Vec::new();
    for element in elements(report, list, "cases")? {
        let Some(case) = case(report, element, graph) else { continue };
        if cases.iter().any(|known| known.name == case.name) {
            report
                .add("duplicate_key", element.at, format!("two cases are named {}", case.name))
                .help("give each a name of its own");
        }
        cases.push(case);
    }
    Some(cases)
}

fn case(report: &mut Report, node: &Node, graph: &Graph) -> Option<Case> {
    let case = members(report, node, "a case", &CASE, &[])?;
    let name = match case.get("name") {
        Some(name) => text(report, name, "name").unwrap_or_default().to_owned(),
        None => {
            report.add("missing_key", case.at, "a case needs a name").help("name: what it shows");
            return None;
        }
    };
    let input = match case.get("input") {
        Some(input) => literal(report, input).unwrap_or_default(),
        None => json!({}),
    };
    let results = table(report, &case, "results", graph, Wanted::Job, scripted);
    let answers = table(report, &case, "answers", graph, Wanted::Question, decided);
    let signals = case.get("signals").map_or(Vec::new(), |signals| told(report, signals));
    let cancel_after_ms = case.get("cancel_after").and_then(|after| duration(report, after, "cancel_after"));
    let expect = match case.get("expect") {
        Some(expected) => expect(report, expected).unwrap_or_default(),
        None => {
            report.add("missing_key", case.at, "a case needs expect").help("expect: { output: … }");
            Expect::default()
        }
    };
    Some(Case { name, input, results, answers, signals, cancel_after_ms, expect })
}

/// A list's elements.
fn elements<'n>(report: &mut Report, node: &'n Node, what: &str) -> Option<&'n [Node]> {
    match &node.content {
        Content::List(elements) => Some(elements),
        _ => {
            report.add("wrong_type", node.at, format!("{what} is a list")).help("begin each element with a dash");
            None
        }
    }
}

/// Rows by address.
fn table<T>(
    report: &mut Report,
    case: &Members<'_>,
    key: &str,
    graph: &Graph,
    wanted: Wanted,
    one: fn(&mut Report, &Node) -> Option<T>,
) -> BTreeMap<String, Rows<T>> {
    let mut table = BTreeMap::new();
    for entry in case.get(key).map_or(&[][..], |node| entries(report, node, key)) {
        let Some(items) = has_items(report, graph, &entry.key, entry.key_at, wanted) else { continue };
        // Below an item there may be a list again: its calls in order.
        if let Some(rows) = rows(report, &entry.value, 1 + u32::from(items), one) {
            table.insert(entry.key.clone(), rows);
        }
    }
    table
}

fn rows<T>(report: &mut Report, node: &Node, levels: u32, one: fn(&mut Report, &Node) -> Option<T>) -> Option<Rows<T>> {
    match &node.content {
        Content::List(elements) if levels > 0 => {
            let rows: Vec<_> = elements.iter().map(|element| rows(report, element, levels - 1, one)).collect();
            rows.into_iter().collect::<Option<_>>().map(Rows::Each)
        }
        _ => one(report, node).map(Rows::Same),
    }
}

/// `{ output: … }` or `{ error: … }`, and how long it takes.
fn scripted(report: &mut Report, node: &Node) -> Option<Scripted> {
    let result = members(report, node, "a result", &["output", "error", "after"], &[])?;
    let after_ms = after(report, &result);
    let outcome = match (result.get("output"), result.get("error")) {
        (Some(output), None) => Ok(literal(report, output)?),
        (None, Some(error)) => Err(failure(report, error)?),
        _ => {
            report
                .add("missing_key", result.at, "a result has an output or an error")
                .help("{ output: … } or { error: { code: … } }");
            return None;
        }
    };
    Some(Scripted { after_ms, outcome })
}

fn failure(report: &mut Report, node: &Node) -> Option<Failure> {
    let error = members(report, node, "an error", &["code", "class", "message"], &[])?;
    let Some(code) = error.get("code") else {
        report
            .add("missing_key", error.at, "an error has a code")
            .help("error: { code: unreachable, class: transient }");
        return None;
    };
    let code = text(report, code, "code")?;
    let classes = ErrorClass::ALL.map(ErrorClass::name);
    let class = match error.get("class") {
        Some(class) => ErrorClass::from_name(word(report, class, "class", &classes)?)?,
        None => ErrorClass::Permanent,
    };
    let message = match error.get("message") {
        Some(message) => text(report, message, "message")?,
        None => "as the table says",
    };
    Some(Failure::new(class, code, message))
}

/// `{ after: …, decision: … }`, or the decision alone.
fn decided(report: &mut Report, node: &Node) -> Option<Decided> {
    if node.get("decision").is_none() && node.get("after").is_none() {
        return Some(Decided { after_ms: 0, decision: decision(literal(report, node)?) });
    }
    let answer = members(report, node, "an answer", &["after", "decision"], &[])?;
    let after_ms = after(report, &answer);
    let Some(given) = answer.get("decision") else {
        report.add("missing_key", answer.at, "an answer has a decision").help("{ after: 3d, decision: approve }");
        return None;
    };
    Some(Decided { after_ms, decision: decision(literal(report, given)?) })
}

/// One word stands for an action that needs no more than that.
fn decision(value: Value) -> Value {
    match value {
        Value::String(action) => json!({ "action": action }),
        value => value,
    }
}

fn told(report: &mut Report, node: &Node) -> Vec<Told> {
    let mut signals = Vec::new();
    for element in elements(report, node, "signals").unwrap_or_default() {
        let Some(signal) = members(report, element, "a signal", &["after", "name", "value"], &[]) else { continue };
        let after_ms = after(report, &signal);
        let Some(name) = signal.get("name") else {
            report.add("missing_key", signal.at, "a signal has a name").help("{ after: 2h, name: payment }");
            continue;
        };
        let name = text(report, name, "name").unwrap_or_default().to_owned();
        let value = signal.get("value").and_then(|value| literal(report, value)).unwrap_or_default();
        signals.push(Told { after_ms, name, value });
    }
    signals
}

fn expect(report: &mut Report, node: &Node) -> Option<Expect> {
    let given = members(report, node, "expect", &EXPECT, &[])?;
    let mut expect = Expect::default();
    if let Some(output) = given.get("output") {
        expect.output = literal(report, output);
    }
    if let Some(failure) = given.get("failure") {
        let failure = members(report, failure, "failure", &["code", "node"], &[])?;
        let mut part = |key| failure.get(key).and_then(|node| text(report, node, key)).map(str::to_owned);
        (expect.code, expect.node) = (part("code"), part("node"));
    }
    let usual = if given.get("failure").is_some() { "failed" } else { "succeeded" };
    let status = given.get("status").and_then(|status| word(report, status, "status", &STATUSES));
    expect.status = status.unwrap_or(usual).to_owned();
    if given.get("output").is_some() && expect.status != "succeeded" {
        report
            .add("two_forms", given.place("output"), format!("a run that is {} has no output", expect.status))
            .help("expect an output, or a failure");
    }
    if let Some(visited) = given.get("visited") {
        let nodes = elements(report, visited, "visited")?;
        let nodes: Vec<_> = nodes.iter().filter_map(|node| text(report, node, "visited")).map(str::to_owned).collect();
        expect.visited = Some(nodes);
    }
    expect.took_ms = given.get("took").and_then(|took| duration_range(report, took, "took"));
    Some(expect)
}

fn after(report: &mut Report, members: &Members<'_>) -> u64 {
    members.get("after").and_then(|after| duration(report, after, "after")).unwrap_or(0)
}
