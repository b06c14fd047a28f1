//! The graphs that a graph calls: defined beside it, in files beside its own, or applied
//! before. Each is read once, with the names it sees from where it stands.
//!
//! What a graph's text means is `document`'s part.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::problem::{Place, Report};
use super::yaml::{Content, Entry, Node};
use super::{Known, Source, agent, canonical, document, skills, yaml};
use crate::graph::Graph;

const GRAPHS_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// What graphs are read from, and those that were.
pub(super) struct Library<'k> {
    source: &'k Source,
    pub(super) known: &'k Known,
    /// Whether a canonical text is read, in which every graph stands with those it calls.
    pub(super) canonical: bool,
    /// By where they stand; `None` for those of which too much is missing.
    made: BTreeMap<String, Option<Arc<Graph>>>,
    /// Where those stand that are being read, and what they are called by.
    open: Vec<(String, String)>,
}

/// Where a graph's text stands, and what names of graphs mean there.
pub(super) struct Home {
    /// Different for each text.
    id: String,
    /// The folder of its file, relative to that of the first file: empty, or ends with `/`.
    folder: String,
    /// What it is called if its text does not say.
    pub(super) name: Option<String>,
    graphs: BTreeMap<String, Node>,
    outer: Option<Rc<Home>>,
}

impl Home {
    /// The home of a whole file.
    pub(super) fn file(path: &str, root: &Node) -> Rc<Self> {
        let folder = folder(path).to_owned();
        Rc::new(Self { id: path.to_owned(), folder, name: None, graphs: definitions(root), outer: None })
    }

    /// The home of a graph that is defined here.
    fn inner(self: &Rc<Self>, name: &str, root: &Node) -> Rc<Self> {
        Rc::new(Self {
            id: format!("{}#{name}", self.id),
            folder: self.folder.clone(),
            name: Some(name.to_owned()),
            graphs: definitions(root),
            outer: Some(Rc::clone(self)),
        })
    }

    /// The nearest definition of that name, and where it stands.
    fn find<'h>(self: &'h Rc<Self>, name: &str) -> Option<(&'h Rc<Self>, &'h Node)> {
        let mut home = self;
        loop {
            if let Some(definition) = home.graphs.get(name) {
                return Some((home, definition));
            }
            home = home.outer.as_ref()?;
        }
    }

    fn names(&self) -> Vec<String> {
        let outer = self.outer.iter().flat_map(|outer| outer.names());
        self.graphs.keys().cloned().chain(outer).collect()
    }
}

fn definitions(root: &Node) -> BTreeMap<String, Node> {
    match root.get("graphs").map(|graphs| &graphs.content) {
        Some(Content::Map(entries)) => {
            entries.iter().map(|Entry { key, value, .. }| (key.clone(), value.clone())).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The folder a path lies in: empty, or ends with `/`.
pub(super) fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..=end])
}

impl<'k> Library<'k> {
    pub(super) fn new(source: &'k Source, known: &'k Known, canonical: bool) -> Self {
        Self { source, known, canonical, made: BTreeMap::new(), open: Vec::new() }
    }

    /// The graph a name means in that home. What is wrong with it is reported once.
    pub(super) fn graph(
        &mut self,
        report: &mut Report,
        home: &Rc<Home>,
        (name, at): (&str, Place),
    ) -> Option<Arc<Graph>> {
        let (id, child) = if let Some((home, _)) = home.find(name) {
            (format!("{}#{name}", home.id), None)
        } else if let Some(path) = name.strip_prefix("./") {
            let path = format!("{}{path}", home.folder);
            (path.clone(), Some(path))
        } else {
            (format!("@{name}"), None)
        };
        if let Some(made) = self.made.get(&id) {
            return made.clone();
        }
        if !self.may_open(report, &id, (name, at)) {
            return None;
        }
        self.open.push((id.clone(), name.to_owned()));
        let made = match (home.find(name), child) {
            (Some((home, definition)), _) => document::graph(report, self, definition, &home.inner(name, definition)),
            (None, Some(path)) => self.in_file(report, &path, at),
            (None, None) => self.applied(report, home, (name, at)),
        };
        self.open.pop();
        // One with problems still tells what it takes and gives; the whole is refused anyway.
        let made = made.map(Arc::new);
        self.made.insert(id, made.clone());
        made
    }

    /// Whether a graph that is defined there was called by any other.
    pub(super) fn was_called(&self, home: &Home, name: &str) -> bool {
        self.made.contains_key(&format!("{}#{name}", home.id))
    }

    fn may_open(&self, report: &mut Report, id: &str, (name, at): (&str, Place)) -> bool {
        if let Some(first) = self.open.iter().position(|(open, _)| open == id) {
            let way: Vec<&str> = self.open[first..].iter().map(|(_, name)| name.as_str()).chain([name]).collect();
            report
                .add("recursive_graph", at, format!("{name} calls itself: {}", way.join(" → ")))
                .help("make a loop of it: a node may lead back to an earlier one");
            return false;
        }
        if self.open.len() >= DEPTH_MAX {
            report.add("too_large", at, format!("graphs call each other more than {DEPTH_MAX} deep"));
            return false;
        }
        if self.made.len() + self.open.len() >= GRAPHS_MAX {
            report.add("too_large", at, format!("more than {GRAPHS_MAX} graphs"));
            return false;
        }
        true
    }

    fn in_file(&mut self, report: &mut Report, path: &str, at: Place) -> Option<Graph> {
        if !canonical::is_inside(path) {
            report
                .add("no_file", at, format!("./{path} leads out of the graph's folder"))
                .help("paths are relative to the graph, with / between names and without ..");
            return None;
        }
        let Some(text) = self.source.includes.get(path) else {
            report.add("no_file", at, format!("{path} was not found")).help("paths are relative to the graph");
            return None;
        };
        let back = report.enter(&self.source.place_of(path));
        let graph = yaml::load(text, report).and_then(|mut root| {
            canonical::inline(&mut root, folder(path), &self.source.includes, report);
            skills::inline(&mut root, folder(path), self.source, report, &mut Report::default());
            agent::expand(&mut root, self.known.agents, report);
            let home = Home::file(path, &root);
            document::graph(report, self, &root, &home)
        });
        report.back(back);
        graph
    }

    fn applied(&mut self, report: &mut Report, home: &Rc<Home>, (name, at): (&str, Place)) -> Option<Graph> {
        let Some(text) = self.known.graphs.get(name).filter(|_| !self.canonical) else {
            let names = home.names();
            let known = names.iter().map(String::as_str).chain(self.known.graphs.keys().map(String::as_str));
            let problem = report.add("unknown_graph", at, format!("there is no graph {name}"));
            problem.suggest(name, known.clone());
            if known.clone().next().is_none() {
                problem.help(format!("define it in graphs, write ./{name}.yaml for a file, or apply it first"));
            }
            return None;
        };
        // It was sound when it was applied: of what is wrong with it now one line is enough.
        let mut inner = Report::new(name);
        let root = canonical::load(text, &mut inner)?;
        let nothing = Source::default();
        let mut library = Library::new(&nothing, self.known, true);
        let graph = document::graph(&mut inner, &mut library, &root, &Home::file("", &root));
        if let Some(problem) = inner.finish().first() {
            report.add("unknown_graph", at, format!("the applied graph {name} does not read: {problem}"));
            return None;
        }
        graph
    }
}
