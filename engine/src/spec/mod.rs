//! From text to a validated graph: all problems at once, each with its place and cure.
//!
//! Reading files is left to the caller ([`includes`] says which), drawing problems to the
//! command line, and whether tools exist to whoever knows the workers.

mod ask;
mod canonical;
mod chat;
mod code;
mod document;
mod flow;
pub(crate) mod names;
mod node;
mod problem;
mod reader;
mod route;
mod scalar;
mod types;
mod view;
mod work;
mod yaml;

use std::collections::BTreeMap;

pub use problem::{CODES, Problem};

use crate::graph::Graph;
use problem::Report;

/// A graph's text and the texts it includes.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file's name, for problems.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The texts of what it includes, by path as written: see [`includes`].
    pub includes: BTreeMap<String, String>,
}

impl Source {
    /// A text that includes nothing.
    #[must_use]
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), includes: BTreeMap::new() }
    }
}

/// The paths a text includes by `{ file: … }`, relative to the graph's folder; those that
/// would lead out of it are left out and reported by [`parse`].
#[must_use]
pub fn includes(text: &str) -> Vec<String> {
    let mut report = Report::default();
    yaml::load(text, &mut report).map(|root| canonical::includes(&root)).unwrap_or_default()
}

/// The graph a text describes.
///
/// # Errors
/// Every problem found, in the order of the text.
pub fn parse(source: &Source) -> Result<Graph, Vec<Problem>> {
    let mut report = Report::new(&source.file);
    let graph = yaml::load(&source.text, &mut report).and_then(|mut root| {
        canonical::inline(&mut root, &source.includes, &mut report);
        document::graph(&mut report, &root)
    });
    finish(report, graph)
}

/// The graph of a canonical text, [`Graph::source`].
///
/// # Errors
/// Every problem found; a text that came from [`parse`] has none.
pub fn parse_canonical(source: &str) -> Result<Graph, Vec<Problem>> {
    let mut report = Report::new("graph");
    let graph = canonical::load(source, &mut report).and_then(|root| document::graph(&mut report, &root));
    finish(report, graph)
}

fn finish(report: Report, graph: Option<Graph>) -> Result<Graph, Vec<Problem>> {
    match graph {
        Some(graph) if report.is_empty() => Ok(graph),
        _ => Err(report.finish()),
    }
}

#[cfg(test)]
mod tests;
