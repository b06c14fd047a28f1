//! What is drawn of a graph: a box for each node, the start and the ends; an arrow for each
//! way between two boxes, with the conditions it is taken by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Graph, Join, Node, Route, Target, Wait, Work};

/// Longest text on an arrow, in characters.
const LABEL_MAX: usize = 36;

/// A graph to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// The graph's name.
    pub(super) name: String,
    /// The start first, then the nodes by name, then the ends.
    pub(super) boxes: Vec<Box>,
    /// No two between the same boxes.
    pub(super) arrows: Vec<Arrow>,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Box {
    pub(super) kind: Kind,
    /// The node's name; what an end says.
    pub(super) title: String,
    /// What it does, and what is special about it.
    pub(super) lines: Vec<String>,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    End,
    Fail,
    Tool,
    Chat,
    Ask,
    Wait,
    Graph,
    Notify,
    Local,
}

/// A way from one box to another, by their places in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Empty for a way that is always taken.
    pub(super) label: String,
    /// Whether only failures take it.
    pub(super) on_error: bool,
}

/// The graph and every graph it calls, each once, the graph itself first.
pub(super) fn pictures(graph: &Graph) -> Vec<Picture> {
    let mut pictures = vec![picture(graph)];
    let mut seen = BTreeSet::from([graph.hash]);
    let mut work: Vec<&Arc<Graph>> = graph.children.values().rev().collect();
    while let Some(child) = work.pop() {
        if seen.insert(child.hash) {
            pictures.push(picture(child));
            work.extend(child.children.values().rev());
        }
    }
    pictures
}

fn picture(graph: &Graph) -> Picture {
    let mut boxes = vec![Box { kind: Kind::Start, title: "start".to_owned(), lines: Vec::new() }];
    let places: BTreeMap<&str, usize> =
        graph.nodes.keys().enumerate().map(|(index, path)| (path.as_str(), index + 1)).collect();
    boxes.extend(graph.nodes.values().map(node));
    let mut arrows = Arrows::default();
    for path in &graph.start {
        arrows.add((0, places[path.as_str()]), "", false);
    }
    let end = boxes.len();
    boxes.push(Box { kind: Kind::End, title: "end".to_owned(), lines: Vec::new() });
    for (node, from) in graph.nodes.values().zip(1..) {
        let routes = std::iter::once((&node.then, false)).chain(node.on_error.iter().map(|route| (route, true)));
        for (route, on_error) in routes {
            draw_route(route, on_error, (from, end), &places, (&mut boxes, &mut arrows));
        }
    }
    let mut picture = Picture { name: graph.name.clone(), boxes, arrows: arrows.made };
    if !picture.arrows.iter().any(|arrow| arrow.to == end) {
        picture.remove(end);
    }
    picture
}

impl Picture {
    /// Takes out a box that no arrow leads to or from.
    fn remove(&mut self, gone: usize) {
        self.boxes.remove(gone);
        for arrow in &mut self.arrows {
            arrow.from -= usize::from(arrow.from > gone);
            arrow.to -= usize::from(arrow.to > gone);
        }
    }
}

/// Arrows by the boxes they join.
#[derive(Default)]
struct Arrows {
    made: Vec<Arrow>,
    places: BTreeMap<(usize, usize), usize>,
}

impl Arrows {
    fn add(&mut self, (from, to): (usize, usize), label: &str, on_error: bool) {
        let place = self.places.get(&(from, to)).copied();
        match place.and_then(|place| self.made.get_mut(place)) {
            // What is always taken is taken on errors too.
            Some(arrow) if arrow.on_error != on_error && (arrow.label.is_empty() || label.is_empty()) => {
                arrow.on_error = false;
                "even on error".clone_into(&mut arrow.label);
            }
            Some(arrow) => {
                arrow.on_error &= on_error;
                if arrow.label.is_empty() {
                    label.clone_into(&mut arrow.label);
                } else if !label.is_empty() {
                    arrow.label = shortened(&format!("{} or {label}", arrow.label));
                }
            }
            None => {
                self.places.insert((from, to), self.made.len());
                self.made.push(Arrow { from, to, label: label.to_owned(), on_error });
            }
        }
    }
}

fn draw_route(
    route: &Route,
    on_error: bool,
    (from, end): (usize, usize),
    places: &BTreeMap<&str, usize>,
    (boxes, arrows): (&mut Vec<Box>, &mut Arrows),
) {
    let several = route.arms.len() > 1;
    for arm in &route.arms {
        let condition = match &arm.when {
            Some(when) => shortened(when.text()),
            None if several => "else".to_owned(),
            None => String::new(),
        };
        let label = match (on_error, condition.as_str()) {
            (true, "") => "on error".to_owned(),
            (true, condition) => shortened(&format!("on error: {condition}")),
            (false, condition) => condition.to_owned(),
        };
        match &arm.target {
            Target::Nodes(nodes) if nodes.is_empty() => arrows.add((from, end), &label, on_error),
            Target::Nodes(nodes) => {
                nodes.iter().for_each(|to| arrows.add((from, places[to.as_str()]), &label, on_error));
            }
            Target::Fail(message) => {
                let message = message.source().as_str().unwrap_or_default();
                boxes.push(Box { kind: Kind::Fail, title: shortened(message), lines: Vec::new() });
                arrows.add((from, boxes.len() - 1), &label, on_error);
            }
        }
    }
}

fn node(node: &Node) -> Box {
    let (kind, what) = match &node.work {
        Work::Tool(call) if call.name == "chat" => {
            let route = call.args.source().get("route").and_then(serde_json::Value::as_str).unwrap_or_default();
            (Kind::Chat, format!("chat {route}"))
        }
        Work::Tool(call) => (Kind::Tool, call.name.clone()),
        Work::Ask(ask) => (Kind::Ask, ask.title.source().as_str().unwrap_or("asks").to_owned()),
        Work::Notify(call) => (Kind::Notify, format!("notify {}", call.name)),
        Work::Wait(wait) => (Kind::Wait, waits(wait)),
        Work::Graph(call) => (Kind::Graph, format!("graph {}", call.name)),
        Work::Local => (Kind::Local, String::new()),
    };
    let mut special = Vec::new();
    special.extend(node.each.as_ref().map(|each| format!("for each {}", each.item_name)));
    special.extend(node.join.map(|join| if join == Join::All { "joins all" } else { "joins any" }.to_owned()));
    special.extend(node.poll.as_ref().map(|_| "polls".to_owned()));
    special.extend(node.approve.as_ref().map(|_| "needs approval".to_owned()));
    special.extend(node.undo.as_ref().map(|undo| format!("undone by {}", undo.name)));
    let lines = [shortened(&what), shortened(&special.join(" · "))];
    Box { kind, title: node.path.to_string(), lines: lines.into_iter().filter(|line| !line.is_empty()).collect() }
}

fn waits(wait: &Wait) -> String {
    match wait {
        Wait::For(ms) => format!("waits {}", duration(*ms)),
        Wait::Until(moment) => format!("waits until {}", moment.text()),
        Wait::Signal { name, .. } => format!("waits for {name}"),
    }
}

fn duration(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let mut rest = ms;
    let mut text = String::new();
    for (size, unit) in units {
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    text
}

/// One line that is not too long.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LABEL_MAX {
        return line;
    }
    line.chars().take(LABEL_MAX - 1).chain(['…']).collect()
}
