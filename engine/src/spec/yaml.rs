//! YAML as a tree in which every key and value knows its place.
//!
//! Refused here: what graphs have no use for and people stumble over (tags, anchors,
//! several documents, keys twice, keys that are no plain names).

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, options};

use super::problem::{Place, Report};

const TEXT_BYTES_MAX: usize = 1024 * 1024;
const NODES_MAX: usize = 50_000;
const DEPTH_MAX: usize = 48;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) at: Place,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A scalar's text.
    Scalar {
        /// After unescaping.
        text: String,
        /// Whether it can be nothing but a string.
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Place,
    pub(super) value: Node,
}

impl Node {
    /// The text of a scalar.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The member of that name.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }
}

/// Reads a text.
pub(super) fn load(text: &str, report: &mut Report) -> Option<Node> {
    if text.len() > TEXT_BYTES_MAX {
        report.add("too_large", Place::default(), format!("the graph is longer than {TEXT_BYTES_MAX} bytes"));
        return None;
    }
    let parser = Parser::new_from_str_with_options(text, options! { disallow_directives: true, emit_comments: false });
    let mut loader = Loader { text, report, stack: Vec::new(), root: None, nodes: 0, documents: 0 };
    for next in parser {
        let going_on = match next {
            Ok((event, span)) => loader.event(&event, span),
            Err(error) => {
                loader.scan_error(&error);
                false
            }
        };
        if !going_on {
            return None;
        }
    }
    let root = loader.root.take();
    if root.is_none() && report.is_empty() {
        report
            .add("empty", Place { line: 1, column: 1, ..Place::default() }, "the graph is empty")
            .help("begin with baton: 1 and graph: NAME");
    }
    root
}

/// A collection under construction.
enum Open {
    List { at: Place, elements: Vec<Node> },
    Map { at: Place, entries: Vec<Entry>, key: Option<(String, Place)> },
}

struct Loader<'t, 'r> {
    text: &'t str,
    report: &'r mut Report,
    stack: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Loader<'_, '_> {
    /// Takes one event; false when reading cannot go on.
    fn event(&mut self, event: &Event<'_>, span: Span) -> bool {
        let at = self.place(span);
        if let Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(_, anchor, tag)
        | Event::MappingStart(_, anchor, tag) = event
        {
            if tag.is_some() {
                let at = span.tag_span().map_or(at, |span| self.place(span));
                let written = self.text.get(at.offset..at.offset + at.length).unwrap_or("!").to_owned();
                self.report
                    .add("yaml_tag", at, format!("{written} is a YAML tag"))
                    .help(format!("put the expression or text in quotes: \"{written} …\""));
            }
            if *anchor > 0 {
                self.anchor(at);
            }
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.report.add("yaml_syntax", at, "a second document").help("one graph to a file");
                    return false;
                }
                true
            }
            Event::Scalar(text, style, ..) => {
                let quoted = *style != ScalarStyle::Plain;
                self.add(Node { content: Content::Scalar { text: text.to_string(), quoted }, at })
            }
            Event::SequenceStart(..) => self.open(Open::List { at, elements: Vec::new() }, at),
            Event::MappingStart(..) => self.open(Open::Map { at, entries: Vec::new(), key: None }, at),
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List { at, elements }) => self.add(Node { content: Content::List(elements), at }),
                Some(Open::Map { at, entries, .. }) => self.add(Node { content: Content::Map(entries), at }),
                None => false,
            },
            Event::Alias(_) => {
                self.anchor(at);
                self.add(Node { content: Content::Scalar { text: String::new(), quoted: true }, at })
            }
            _ => true,
        }
    }

    fn anchor(&mut self, at: Place) {
        self.report
            .add("yaml_anchor", at, "graphs have no YAML anchors or aliases")
            .help("write the value out; a text that begins with & or * stands in quotes");
    }

    fn open(&mut self, open: Open, at: Place) -> bool {
        if let Some(Open::Map { key: None, .. }) = self.stack.last() {
            self.report
                .add("yaml_key", at, "a list or map stands where a key is expected")
                .help("a text that begins with { or [ stands in quotes");
            return false;
        }
        if self.stack.len() >= DEPTH_MAX {
            self.report.add("too_large", at, format!("more than {DEPTH_MAX} levels"));
            return false;
        }
        self.stack.push(open);
        true
    }

    fn add(&mut self, node: Node) -> bool {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            self.report.add("too_large", node.at, format!("more than {NODES_MAX} values"));
            return false;
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { elements, .. }) => elements.push(node),
            Some(Open::Map { entries, key, .. }) => match (key.take(), node.content) {
                (Some((key, key_at)), content) => {
                    if entries.iter().any(|entry| entry.key == key) {
                        self.report.add("duplicate_key", key_at, format!("{key} stands here twice"));
                    } else {
                        entries.push(Entry { key, key_at, value: Node { content, at: node.at } });
                    }
                }
                (None, Content::Scalar { text, .. }) => *key = Some((text, node.at)),
                (None, _) => return false,
            },
        }
        true
    }

    fn place(&self, span: Span) -> Place {
        let offset = span.start.byte_offset().unwrap_or_default().min(self.text.len());
        let end = span.end.byte_offset().unwrap_or(offset).clamp(offset, self.text.len());
        let marked = self.text.get(offset..end).unwrap_or_default();
        let length = marked.lines().next().unwrap_or_default().trim_end().len();
        let length = if length == 0 { self.text.get(offset..).map_or(0, first_word) } else { length };
        Place { line: span.start.line(), column: span.start.col() + 1, offset, length }
    }

    fn scan_error(&mut self, error: &ScanError) {
        let mark = error.marker();
        let span = Span::new(*mark, *mark);
        let at = self.place(span);
        let info = error.info();
        let message = info.lines().next().unwrap_or("no YAML").to_owned();
        let line = self.text.lines().nth(mark.line().saturating_sub(1)).unwrap_or_default();
        if message.contains("unknown anchor") {
            self.anchor(at);
            return;
        }
        let problem = self.report.add("yaml_syntax", at, format!("no YAML: {message}"));
        if message.contains("tab") || line.trim_start_matches(' ').starts_with('\t') {
            problem.help("indent with spaces, not tabs");
        } else {
            problem.help("an expression or text that contains : # , ' [ or { stands in double quotes");
        }
    }
}

fn first_word(text: &str) -> usize {
    text.find(|mark: char| mark.is_whitespace()).unwrap_or(text.len())
}
