//! The graph language as callers meet it: a text becomes a graph or one clear error. What
//! a graph means, and what an input or an answer must look like, is `engine`'s.

use baton_engine::graph::Graph;
use baton_engine::spec::{self, Problem};

use crate::api::{ApiError, GraphSource};

/// Problems told of at a time.
const PROBLEMS_MAX: usize = 20;

/// Reads and validates a text with the files it names.
///
/// # Errors
/// With the problems found, each with its place.
pub(crate) fn compile(source: &GraphSource) -> Result<Graph, ApiError> {
    let mut given = spec::Source::new(source.name.clone(), source.text.clone());
    given.includes.clone_from(&source.files);
    spec::parse(&given).map_err(|problems| refused(&problems))
}

/// Reads a canonical text that was kept.
///
/// # Errors
/// With the problems found: this program does not read what an earlier one kept.
pub(crate) fn compile_kept(source: &str) -> Result<Graph, ApiError> {
    spec::parse_canonical(source).map_err(|problems| refused(&problems))
}

fn refused(problems: &[Problem]) -> ApiError {
    let told: Vec<String> = problems.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect();
    ApiError::invalid("invalid_graph", told.join("\n"), "correct the graph: `baton graph validate` shows the places")
}
