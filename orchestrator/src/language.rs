//! The graph language as callers meet it: a text becomes a graph or one clear error. What
//! a graph means, and what an input or an answer must look like, is `engine`'s.

use baton_engine::graph::Graph;
use baton_engine::spec::{self, Known, Problem, Source};

use crate::api::{ApiError, GraphSource};

/// Problems told of at a time.
const PROBLEMS_MAX: usize = 20;

/// Reads and validates a text with the files it names.
///
/// # Errors
/// With the problems found, each with its place.
pub(crate) fn parse(source: &Source, known: &Known) -> Result<Graph, Vec<Problem>> {
    spec::parse_with(source, known)
}

/// A text with the files it names, as the language takes it.
pub(crate) fn source(source: GraphSource) -> Source {
    Source { file: source.name, text: source.text, includes: source.files }
}

/// Reads a canonical text that was kept.
///
/// # Errors
/// With the problems found: this program does not read what an earlier one kept.
pub(crate) fn compile_kept(source: &str) -> Result<Graph, ApiError> {
    spec::parse_canonical(source).map_err(|problems| refused(&problems))
}

/// Problems as one error. What only lacks workers is not the graph's fault.
pub(crate) fn refused(problems: &[Problem]) -> ApiError {
    let told: Vec<String> = problems.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect();
    if problems.iter().all(|problem| problem.code == "unknown_tool") {
        return ApiError::invalid("unknown_tool", told.join("\n"), "start a worker that has it, or correct the name");
    }
    ApiError::invalid("invalid_graph", told.join("\n"), "correct the graph: `baton graph validate` shows the places")
}
