//! `NAME.test.yaml`: cases of a graph, each with a table of scripted results and what is to
//! come of it. All problems at once, with their places, as for graphs.
//!
//! Playing the cases and judging what came of them is left to the caller.

mod address;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use baton_common::Failure;
use serde_json::Value;

pub use address::Segment;

use super::problem::{Problem, Report};
use super::reader::{members, text};
use super::{Source, yaml};
use crate::graph::Graph;

/// Keys of a file with cases.
const KEYS: [&str; 2] = ["graph", "cases"];

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, for people.
    pub name: String,
    /// What the run is started with.
    pub input: Value,
    /// What jobs give, by the node's address: `node`, `caller/node`, `node[2]`, `node/undo`.
    pub results: BTreeMap<String, Rows<Scripted>>,
    /// What people answer, by the node's address.
    pub answers: BTreeMap<String, Rows<Decided>>,
    /// What other systems tell.
    pub signals: Vec<Told>,
    /// When the run is asked to stop, in milliseconds from its start.
    pub cancel_after_ms: Option<u64>,
    /// What is to come of it.
    pub expect: Expect,
}

/// What was written for one node: one value for every call, or a list in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows<T> {
    /// The same each time.
    Same(T),
    /// One after the other; for the items of a map, one for each.
    Each(Vec<Rows<T>>),
}

impl<T> Rows<T> {
    /// The value for the `nth` call, from 0, of an item where there are items.
    #[must_use]
    pub fn pick(&self, item: Option<u32>, nth: usize) -> Option<&T> {
        match (self, item) {
            (Self::Same(value), _) => Some(value),
            (Self::Each(rows), Some(item)) => rows.get(usize::try_from(item).ok()?)?.pick(None, nth),
            (Self::Each(rows), None) => rows.get(nth)?.pick(None, 0),
        }
    }
}

/// What one call of a job gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Scripted {
    /// How long it takes, in milliseconds.
    pub after_ms: u64,
    /// Its output, or why there is none.
    pub outcome: Result<Value, Failure>,
}

/// What a person answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// How long after the question, in milliseconds.
    pub after_ms: u64,
    /// The decision.
    pub decision: Value,
}

/// What another system tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// When, in milliseconds from the start of the run.
    pub after_ms: u64,
    /// The signal's name.
    pub name: String,
    /// What it says.
    pub value: Value,
}

/// What is to come of a case; what is not named does not matter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// How the run ends: `succeeded` unless the case says otherwise.
    pub status: String,
    /// Its output.
    pub output: Option<Value>,
    /// The failure's code.
    pub code: Option<String>,
    /// The node that failed.
    pub node: Option<String>,
    /// The nodes in the order of their activation.
    pub visited: Option<Vec<String>>,
    /// From the start to the end, in milliseconds: the least and the most.
    pub took_ms: Option<(u64, u64)>,
}

/// The graph a file with cases names, relative to its folder.
///
/// # Errors
/// When the text is no YAML, or names none.
pub fn graph_of(source: &Source) -> Result<String, Vec<Problem>> {
    let mut report = Report::new(&source.file);
    let named = yaml::load(&source.text, &mut report).and_then(|root| {
        let members = members(&mut report, &root, "a file with cases", &KEYS, &[])?;
        match members.get("graph") {
            Some(graph) => text(&mut report, graph, "graph").map(str::to_owned),
            None => {
                report.add("missing_key", members.at, "the graph is not named").help("graph: ./NAME.yaml");
                None
            }
        }
    });
    match named {
        Some(named) => Ok(named),
        None => Err(report.finish()),
    }
}

/// The cases of a file, held against their graph.
///
/// # Errors
/// Every problem found, in the order of the text.
pub fn parse(source: &Source, graph: &Graph) -> Result<Vec<Case>, Vec<Problem>> {
    let mut report = Report::new(&source.file);
    let cases = yaml::load(&source.text, &mut report).and_then(|root| read::cases(&mut report, &root, graph));
    match cases {
        Some(cases) if report.is_empty() => Ok(cases),
        _ => Err(report.finish()),
    }
}
