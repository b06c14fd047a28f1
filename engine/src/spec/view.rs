//! Which names an expression or template sees where it stands, and of which types they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::ChannelName;
use baton_common::tool::ToolSpec;
use serde_json::{Map, Value, json};

use super::names::{SCOPE, nearest};
use super::problem::{Place, Report};
use crate::expr::{Kind, Path, Paths, article, schema};
use crate::graph::{Channel, Graph};

/// What a graph declares and may call.
pub(super) struct Declared<'k> {
    pub(super) input: Value,
    pub(super) channels: BTreeMap<ChannelName, Channel>,
    /// The graphs its nodes call, as far as they are sound.
    pub(super) children: BTreeMap<String, Arc<Graph>>,
    /// The tools that workers have, where that is known.
    pub(super) tools: Option<&'k BTreeMap<String, ToolSpec>>,
    /// Whether agents were made graphs: those that are left were reported.
    pub(super) agents: bool,
    state: Value,
    run: Value,
}

impl<'k> Declared<'k> {
    pub(super) fn new(
        input: Value,
        channels: BTreeMap<ChannelName, Channel>,
        tools: Option<&'k BTreeMap<String, ToolSpec>>,
    ) -> Self {
        let state = channels.iter().map(|(name, channel)| (name.to_string(), channel.schema.clone())).collect();
        let run = ["id", "thread", "request_id", "graph"].map(|name| (name, json!({"type": "string"})));
        let (state, run) = (closed_object(state), closed(run));
        Self { input, channels, children: BTreeMap::new(), tools, agents: false, state, run }
    }
}

/// The schema of an object with these members and no others.
pub(super) fn closed<const N: usize>(members: [(&str, Value); N]) -> Value {
    closed_object(members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect())
}

fn closed_object(properties: Map<String, Value>) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// What `error` looks like.
pub(super) fn error_schema() -> Value {
    closed(["code", "message", "node"].map(|name| (name, json!({"type": "string"}))))
}

/// What `errors` of a map looks like.
pub(super) fn errors_schema(item: &Value) -> Value {
    let each = closed([
        ("index", json!({"type": "integer"})),
        ("key", json!({"type": ["string", "null"]})),
        ("item", item.clone()),
        ("error", error_schema()),
    ]);
    json!({"type": "array", "items": each})
}

/// What is visible in one place. `input`, `state` and `run` always are.
#[derive(Clone)]
pub(super) struct View<'d> {
    pub(super) declared: &'d Declared<'d>,
    pub(super) place: &'static str,
    /// The item's name, where one is visible.
    item: Option<String>,
    /// What else is visible, with its schema.
    names: Vec<(String, Value)>,
}

impl<'d> View<'d> {
    pub(super) fn new(declared: &'d Declared<'d>, place: &'static str) -> Self {
        Self { declared, place, item: None, names: Vec::new() }
    }

    /// The same names elsewhere.
    pub(super) fn at(&self, place: &'static str) -> Self {
        Self { place, ..self.clone() }
    }

    /// With one more name; `{}` is the schema of what nothing is known about.
    pub(super) fn with(mut self, name: &str, schema: Value) -> Self {
        self.names.retain(|(known, _)| known != name);
        self.names.push((name.to_owned(), schema));
        self
    }

    /// Without what the items that one needs kept: what is made before those are done.
    pub(super) fn at_once(&self) -> Self {
        let mut view = self.clone();
        view.names.retain(|(name, _)| name != "deps");
        view
    }

    /// With the item of a map.
    pub(super) fn with_item(mut self, name: &str, schema: Value) -> Self {
        self.item = Some(name.to_owned());
        self.with(name, schema)
    }

    /// Reports every path that leads nowhere.
    pub(super) fn check(&self, report: &mut Report, paths: &Paths, at: Place) {
        for path in paths.iter() {
            if let Some((root, members)) = path.split_first() {
                self.check_path(report, root, members, at);
            }
        }
    }

    fn visible(&self) -> Vec<&str> {
        ["input", "state", "run"].into_iter().chain(self.names.iter().map(|(name, _)| name.as_str())).collect()
    }

    fn root(&self, name: &str) -> Option<&Value> {
        match name {
            "input" => Some(&self.declared.input),
            "state" => Some(&self.declared.state),
            "run" => Some(&self.declared.run),
            _ => self.names.iter().find(|(known, _)| known == name).map(|(_, schema)| schema),
        }
    }

    /// Reports names that are not visible, members that are not there and members of what
    /// has none.
    fn check_path(&self, report: &mut Report, root: &str, members: &[String], at: Place) {
        let Some(mut schema) = self.root(root) else { return self.unknown_root(report, root, at) };
        let mut whole = root.to_owned();
        for (depth, member) in members.iter().enumerate() {
            let kind = Kind::of_schema(schema);
            if matches!(kind, Kind::String | Kind::Integer | Kind::Number | Kind::Boolean | Kind::Array) {
                let message = format!("{whole} is {}: it has no member {member}", article(kind));
                let problem = report.add("type_mismatch", at, message);
                if kind == Kind::Array {
                    problem.help(format!("take an element, {whole}[0].{member}, or all: {whole}.map(x, x.{member})"));
                }
                return;
            }
            match schema::member(schema, member) {
                Ok(Some(next)) => schema = next,
                Ok(None) => return,
                Err(known) => {
                    let (code, message) = match (root, depth) {
                        ("state", 0) => ("unknown_channel", format!("state has no channel {member}")),
                        ("input", 0) => ("unknown_input", format!("input has no field {member}")),
                        ("output", 0) => ("unknown_output", format!("output has no {member} here")),
                        _ => ("unknown_name", format!("{whole} has no {member}")),
                    };
                    report.add(code, at, message).suggest(member, known.iter().copied());
                    return;
                }
            }
            whole = format!("{whole}.{member}");
        }
    }

    fn unknown_root(&self, report: &mut Report, root: &str, at: Place) {
        if SCOPE.contains(&root) || self.item.as_deref() == Some(root) {
            let problem = report.add("not_visible", at, format!("{root} is not visible in {}", self.place));
            match (root, self.item.as_deref()) {
                ("item", Some(name)) => _ = problem.help(format!("as names it {name}")),
                ("item", None) => _ = problem.help("only work and keep of a node with for_each see it"),
                ("deps", _) => _ = problem.help("only work and keep of a map with after see it"),
                ("event", _) => _ = problem.help("only match of a wait sees it"),
                ("ask", _) => _ = problem.help("only via of an ask sees it"),
                ("args", _) => _ = problem.help("only when of an approve sees it"),
                ("secret", _) => _ = problem.help("secrets stand in the arguments of tools only"),
                _ => _ = problem.help(format!("visible are {}", self.visible().join(", "))),
            }
            return;
        }
        let problem = report.add("unknown_name", at, format!("{root} is not known"));
        if self.declared.channels.contains_key(root) {
            problem.help(format!("did you mean state.{root}?"));
        } else if self.declared.input.get("properties").is_some_and(|inputs| inputs.get(root).is_some()) {
            problem.help(format!("did you mean input.{root}?"));
        } else if let Some(near) = nearest(root, self.visible()) {
            problem.help(format!("did you mean {near}?"));
        } else {
            problem.help(format!("visible are {}; texts stand in quotes: '{root}'", self.visible().join(", ")));
        }
    }

    /// The schema of what a path leads to, where one is declared.
    pub(super) fn schema_of(&self, path: &Path) -> Option<&Value> {
        let (root, members) = path.split_first()?;
        let mut schema = self.root(root)?;
        for member in members {
            schema = schema::member(schema, member).ok()??;
        }
        Some(schema)
    }

    /// The kind of what a path leads to, as far as it is declared.
    pub(super) fn kind_of(&self, path: &Path) -> Kind {
        self.schema_of(path).map_or(Kind::Any, Kind::of_schema)
    }
}
