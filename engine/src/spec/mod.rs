//! From text to a validated graph: all problems at once, each with its place and cure.
//!
//! Reading files and finding applied graphs is left to the caller ([`includes`] and
//! [`calls`] say which), drawing problems to the command line.

mod agent;
mod arguments;
mod ask;
mod call;
mod canonical;
pub mod cases;
mod chat;
mod code;
mod cures;
mod document;
mod each;
mod flow;
mod head;
mod job;
mod library;
mod loops;
pub(crate) mod names;
mod node;
mod offer;
mod problem;
mod reader;
mod retry;
mod route;
mod scalar;
mod skills;
mod types;
mod view;
mod wait;
mod work;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

pub use agent::{AgentKind, AgentSpec, AgentTool, Agents, GraphTool, Member, Reviewer};
use baton_common::tool::ToolSpec;
pub use problem::{CODES, Problem};
pub use skills::{SKILL_FILE_BYTES_MAX, SKILL_FILES_MAX, Skill};

use crate::graph::Graph;
use library::{Home, Library};
use problem::Report;

/// The language as a JSON Schema, for editors: what can be said without knowing expressions,
/// types and how branches run.
pub const SCHEMA: &str = include_str!("../../../docs/graph.schema.json");

/// A graph's text and the texts it includes.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file's name, for problems.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The texts of what it includes, and of the graphs it calls in files, by path relative
    /// to its folder: see [`includes`].
    pub includes: BTreeMap<String, String>,
}

impl Source {
    /// A text that includes nothing.
    #[must_use]
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), includes: BTreeMap::new() }
    }

    /// How problems name the file at a path of [`Source::includes`].
    #[must_use]
    pub fn place_of(&self, path: &str) -> String {
        format!("{}{path}", library::folder(&self.file))
    }
}

/// What is known beside a graph's text.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The tools that workers have: calls of others are problems then, and arguments are
    /// checked against their schemas.
    pub tools: Option<BTreeMap<String, ToolSpec>>,
    /// Canonical texts of applied graphs, by what they are called: see [`calls`].
    pub graphs: BTreeMap<String, String>,
    /// Who makes the graphs of agents; without, `agent` is not supported.
    pub agents: Option<Agents>,
}

/// The paths a graph includes, texts by `{ file: … }` and graphs by `./…`, relative to its
/// folder, as far as the texts given tell: with those added, ask again. Paths that lead out
/// of the folder are left out and reported by [`parse`].
#[must_use]
pub fn includes(source: &Source) -> Vec<String> {
    let mut paths = BTreeSet::new();
    walk(source, &mut |_, _, found| {
        paths.extend(found.texts.iter().cloned());
        paths.extend(found.graphs.iter().cloned());
    });
    paths.into_iter().collect()
}

/// The applied graphs it calls, as it calls them: `name` or `name@version`.
#[must_use]
pub fn calls(source: &Source) -> Vec<String> {
    let mut names = BTreeSet::new();
    walk(source, &mut |_, _, found| names.extend(found.applied.iter().cloned()));
    names.into_iter().collect()
}

/// The folders that the skills of its agents may be, relative to its folder, as far as the
/// texts given tell. What lies in them goes to [`Source::includes`] by its path: texts, up to
/// [`SKILL_FILES_MAX`] and [`SKILL_FILE_BYTES_MAX`] and a little more, so that what is beyond
/// is seen, and `"\0"` for what is no text.
#[must_use]
pub fn skill_folders(source: &Source) -> Vec<String> {
    let mut folders = BTreeSet::new();
    walk(source, &mut |_, _, found| folders.extend(found.skills.iter().cloned()));
    folders.into_iter().collect()
}

/// What is odd about a graph and does no harm: of its skills, so far.
#[must_use]
pub fn notes(source: &Source) -> Vec<Problem> {
    let mut notes = Report::new(&source.file);
    walk(source, &mut |path, root, _| {
        let file = if path.is_empty() { source.file.clone() } else { source.place_of(path) };
        let back = notes.enter(&file);
        let folder = library::folder(path);
        skills::inline(&mut root.clone(), folder, source, &mut Report::default(), &mut notes);
        notes.back(back);
    });
    notes.finish()
}

/// What each file of a graph names.
fn walk(source: &Source, visit: &mut impl FnMut(&str, &yaml::Node, &canonical::References)) {
    let mut read: BTreeSet<String> = BTreeSet::new();
    let mut work = vec![(String::new(), &source.text)];
    while let Some((path, text)) = work.pop() {
        if !read.insert(path.clone()) {
            continue;
        }
        let Some(root) = yaml::load(text, &mut Report::default()) else { continue };
        let found = canonical::references(&root, library::folder(&path));
        visit(&path, &root, &found);
        work.extend(found.graphs.into_iter().filter_map(|path| Some((path.clone(), source.includes.get(&path)?))));
    }
}

/// The graph a text describes. Tools are not looked up, and no graph is applied.
///
/// # Errors
/// Every problem found, in the order of the text.
pub fn parse(source: &Source) -> Result<Graph, Vec<Problem>> {
    parse_with(source, &Known::default())
}

/// The graph a text describes, given what is known beside it.
///
/// # Errors
/// Every problem found, in the order of the text, those of included files after those of
/// the file that includes them.
pub fn parse_with(source: &Source, known: &Known) -> Result<Graph, Vec<Problem>> {
    let mut report = Report::new(&source.file);
    let graph = yaml::load(&source.text, &mut report).and_then(|mut root| {
        canonical::inline(&mut root, "", &source.includes, &mut report);
        skills::inline(&mut root, "", source, &mut report, &mut Report::default());
        agent::expand(&mut root, known.agents, &mut report);
        document::graph(&mut report, &mut Library::new(source, known, false), &root, &Home::file("", &root))
    });
    finish(report, graph)
}

/// The graph of a canonical text, [`Graph::source`].
///
/// # Errors
/// Every problem found; a text that came from [`parse`] has none.
pub fn parse_canonical(source: &str) -> Result<Graph, Vec<Problem>> {
    let mut report = Report::new("graph");
    let (nothing, known) = (Source::default(), Known::default());
    let graph = canonical::load(source, &mut report).and_then(|root| {
        document::graph(&mut report, &mut Library::new(&nothing, &known, true), &root, &Home::file("", &root))
    });
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
