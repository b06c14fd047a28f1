//! A graph as a file: its text, the texts it includes, and whether it is valid.

use std::collections::BTreeSet;
use std::path::Path;

use baton_engine::graph::Graph;
use baton_engine::spec;
use baton_proto::v1;

use crate::exit::{Exit, Failed};
use crate::problems::Source;
use crate::skill_folder;

/// A graph's text with all it includes.
#[derive(Debug, Clone)]
pub(crate) struct GraphFile {
    source: spec::Source,
    known: spec::Known,
}

impl GraphFile {
    /// Reads the file, the texts it includes by `{ file: … }`, the graphs it calls in files
    /// beside it, with what those include, and the skills of all of them.
    pub(crate) fn read(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let cause = format!("the graph {name} cannot be read: {error}");
            Failed::new(Exit::Usage, "graph_unreadable", cause, "name a YAML file with a graph")
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut source = spec::Source::new(name, text);
        let mut tried = BTreeSet::new();
        loop {
            let new: Vec<String> =
                spec::includes(&source).into_iter().filter(|path| tried.insert(path.clone())).collect();
            if new.is_empty() {
                for skill in spec::skill_folders(&source) {
                    source.includes.extend(skill_folder::read(folder, &skill));
                }
                return Ok(Self {
                    source,
                    known: spec::Known { agents: Some(baton_agents::graph), ..spec::Known::default() },
                });
            }
            for include in new {
                // What cannot be read is a problem of the graph, with its place.
                if let Ok(text) = std::fs::read_to_string(folder.join(&include)) {
                    source.includes.insert(include, text);
                }
            }
        }
    }

    /// The applied graphs it calls, which only a server knows.
    pub(crate) fn calls(&self) -> Vec<String> {
        spec::calls(&self.source)
    }

    /// Lets it call an applied graph of that canonical text.
    pub(crate) fn know(&mut self, name: String, text: String) {
        self.known.graphs.insert(name, text);
    }

    /// The graph it describes.
    pub(crate) fn parse(&self) -> Result<Graph, Failed> {
        spec::parse_with(&self.source, &self.known).map_err(|problems| {
            let mut failed = self.refused();
            failed.problems = wire(problems);
            failed
        })
    }

    /// That it is not valid, for problems to be added.
    pub(crate) fn refused(&self) -> Failed {
        let cause = format!("the graph {} is not valid", self.source.file);
        Failed::usage("invalid_graph", cause, "correct the graph")
    }

    /// What is odd about it and does no harm.
    pub(crate) fn notes(&self) -> Vec<v1::Problem> {
        wire(spec::notes(&self.source))
    }

    pub(crate) fn name(&self) -> &str {
        &self.source.file
    }

    /// Its text and all it includes.
    pub(crate) fn source(&self) -> &spec::Source {
        &self.source
    }

    pub(crate) fn text(&self) -> &str {
        &self.source.text
    }

    pub(crate) fn includes(&self) -> Vec<v1::Include> {
        let each = self.source.includes.iter();
        each.map(|(path, text)| v1::Include { path: path.clone(), text: text.clone() }).collect()
    }

    /// What problems point into.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let first = Source { name: self.source.file.clone(), text: self.source.text.clone() };
        let includes = self.source.includes.iter();
        let others = includes.map(|(path, text)| Source { name: self.source.place_of(path), text: text.clone() });
        std::iter::once(first).chain(others).collect()
    }
}

/// Problems as commands tell them.
pub(crate) fn wire(problems: Vec<spec::Problem>) -> Vec<v1::Problem> {
    problems.into_iter().map(problem).collect()
}

fn problem(problem: spec::Problem) -> v1::Problem {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    v1::Problem {
        code: problem.code,
        message: problem.message,
        label: problem.label,
        help: problem.help.unwrap_or_default(),
        file: problem.file,
        line: number(problem.line),
        column: number(problem.column),
        offset: problem.offset as u64,
        length: problem.length as u64,
    }
}
