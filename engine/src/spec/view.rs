//! Which names an expression or template sees where it stands, and of which types they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{SCOPE, nearest};
use super::problem::{Place, Report};
use crate::expr::{Kind, Path, Paths};
use crate::graph::Channel;

/// What a graph declares.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) input: Value,
    pub(super) channels: BTreeMap<String, Channel>,
}

/// What a node's `output` looks like.
#[derive(Clone)]
pub(super) enum Output {
    /// Nothing is known about it.
    Any,
    /// A list, as that of a map.
    List,
    /// An object with these members.
    Members(Vec<(&'static str, Kind)>),
    /// A value of this schema.
    Schema(Value),
    /// As [`Output::Members`], where `json` has this schema.
    Chat(Vec<(&'static str, Kind)>, Option<Value>),
}

/// What is visible in one place. `input`, `state` and `run` always are.
#[derive(Clone)]
pub(super) struct View<'d> {
    pub(super) declared: &'d Declared,
    pub(super) place: &'static str,
    pub(super) output: Option<Output>,
    pub(super) item: Option<String>,
    pub(super) errors: bool,
    pub(super) error: bool,
}

const RUN: [&str; 4] = ["id", "thread", "request_id", "graph"];
const ERROR: [&str; 3] = ["code", "message", "node"];

impl<'d> View<'d> {
    pub(super) fn new(declared: &'d Declared, place: &'static str) -> Self {
        Self { declared, place, output: None, item: None, errors: false, error: false }
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
        let mut names = vec!["input", "state", "run"];
        names.extend(self.output.iter().map(|_| "output"));
        names.extend(self.item.as_deref());
        names.extend(self.errors.then_some("errors"));
        names.extend(self.error.then_some("error"));
        names
    }

    fn check_path(&self, report: &mut Report, root: &str, members: &[String], at: Place) {
        if !self.visible().contains(&root) {
            return self.unknown_root(report, root, at);
        }
        let Some(first) = members.first() else { return };
        let unknown = |report: &mut Report, code: &str, what: String, known: Vec<&str>| {
            report.add(code, at, what).suggest(first, known);
        };
        match root {
            "state" if !self.declared.channels.contains_key(first) => {
                let known = self.declared.channels.keys().map(String::as_str).collect();
                return unknown(report, "unknown_channel", format!("state has no channel {first}"), known);
            }
            "input" if !self.inputs().contains(&first.as_str()) => {
                return unknown(report, "unknown_input", format!("input has no field {first}"), self.inputs());
            }
            "run" if !RUN.contains(&first.as_str()) => {
                return unknown(report, "unknown_name", format!("run has no {first}"), RUN.to_vec());
            }
            "error" if !ERROR.contains(&first.as_str()) => {
                return unknown(report, "unknown_name", format!("error has no {first}"), ERROR.to_vec());
            }
            "output" => {
                if let Some(Output::Members(known) | Output::Chat(known, _)) = &self.output
                    && !known.iter().any(|(name, _)| name == first)
                {
                    let known = known.iter().map(|(name, _)| *name).collect();
                    return unknown(report, "unknown_output", format!("output has no {first} here"), known);
                }
            }
            _ => {}
        }
        self.check_depth(report, root, members, at);
    }

    /// Reports members of what has none.
    fn check_depth(&self, report: &mut Report, root: &str, members: &[String], at: Place) {
        let mut path = vec![root.to_owned()];
        for member in members {
            let kind = self.kind_of(&path);
            if matches!(kind, Kind::String | Kind::Integer | Kind::Number | Kind::Boolean | Kind::Array) {
                let whole = path.join(".");
                let problem = report.add(
                    "type_mismatch",
                    at,
                    format!("{whole} is {}: it has no member {member}", crate::expr::article(kind)),
                );
                if kind == Kind::Array {
                    problem.help(format!("take an element, {whole}[0].{member}, or all: {whole}.map(x, x.{member})"));
                }
                return;
            }
            if let Some(Value::Object(schema)) = self.schema_of(&path)
                && schema.get("additionalProperties") == Some(&Value::Bool(false))
                && let Some(Value::Object(properties)) = schema.get("properties")
                && !properties.contains_key(member)
            {
                let whole = path.join(".");
                report
                    .add("unknown_name", at, format!("{whole} has no {member}"))
                    .suggest(member, properties.keys().map(String::as_str));
                return;
            }
            path.push(member.clone());
        }
    }

    fn unknown_root(&self, report: &mut Report, root: &str, at: Place) {
        if SCOPE.contains(&root) || self.item.as_deref() == Some(root) {
            let problem = report.add("not_visible", at, format!("{root} is not visible in {}", self.place));
            match (root, self.item.as_deref()) {
                ("item", Some(name)) => _ = problem.help(format!("as names it {name}")),
                ("item", None) => _ = problem.help("only work and keep of a node with for_each see it"),
                ("secret", _) => _ = problem.help("secrets stand in the arguments of tools only"),
                _ => _ = problem.help(format!("visible are {}", self.visible().join(", "))),
            }
            return;
        }
        let problem = report.add("unknown_name", at, format!("{root} is not known"));
        if self.declared.channels.contains_key(root) {
            problem.help(format!("did you mean state.{root}?"));
        } else if self.inputs().contains(&root) {
            problem.help(format!("did you mean input.{root}?"));
        } else if let Some(near) = nearest(root, self.visible()) {
            problem.help(format!("did you mean {near}?"));
        } else {
            problem.help(format!("visible are {}; texts stand in quotes: '{root}'", self.visible().join(", ")));
        }
    }

    fn inputs(&self) -> Vec<&str> {
        let properties = self.declared.input.get("properties").and_then(Value::as_object);
        properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect()
    }

    /// The schema of what a path leads to, where one is declared.
    fn schema_of(&self, path: &[String]) -> Option<&Value> {
        let (mut schema, members) = match path.first()?.as_str() {
            "input" => (&self.declared.input, &path[1..]),
            "state" => (&self.declared.channels.get(path.get(1)?)?.schema, &path[2..]),
            "output" => match self.output.as_ref()? {
                Output::Schema(schema) => (schema, &path[1..]),
                Output::Chat(_, schema) if path.get(1)? == "json" => (schema.as_ref()?, &path[2..]),
                _ => return None,
            },
            _ => return None,
        };
        for member in members {
            schema = schema.get("properties")?.get(member)?;
        }
        Some(schema)
    }

    /// The kind of what a path leads to, as far as it is declared.
    pub(super) fn kind_of(&self, path: &Path) -> Kind {
        if let Some(schema) = self.schema_of(path) {
            return Kind::of_schema(schema);
        }
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match (names.as_slice(), &self.output) {
            (["run", _] | ["error", _], _) => Kind::String,
            (["input" | "state" | "run" | "error"], _) => Kind::Object,
            (["errors"], _) if self.errors => Kind::Array,
            (["output"], Some(Output::List)) => Kind::Array,
            (["output"], Some(Output::Members(_) | Output::Chat(..))) => Kind::Object,
            (["output", name], Some(Output::Members(members) | Output::Chat(members, _))) => {
                members.iter().find(|(member, _)| member == name).map_or(Kind::Any, |(_, kind)| *kind)
            }
            _ => Kind::Any,
        }
    }
}
