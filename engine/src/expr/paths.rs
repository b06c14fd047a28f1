//! What an expression or template refers to: paths of names such as `state.notes.title`.
//!
//! Only what a path leads to is handed to the interpreters, so that a small condition on a
//! large state stays cheap.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Named;

/// A top-level name and the members below it.
pub type Path = Vec<String>;

/// All paths of one expression or template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    paths: BTreeSet<Path>,
    needs: BTreeMap<String, Need>,
}

/// Which part of a value is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Need {
    /// All of it.
    pub(super) whole: bool,
    /// These members.
    pub(super) members: BTreeMap<String, Need>,
}

impl Paths {
    pub(super) fn add(&mut self, path: Path) {
        let mut names = path.iter();
        if let Some(root) = names.next() {
            let mut need = self.needs.entry(root.clone()).or_default();
            for name in names {
                need = need.members.entry(name.clone()).or_default();
            }
            need.whole = true;
            self.paths.insert(path);
        }
    }

    pub(super) fn extend(&mut self, other: &Self) {
        other.paths.iter().for_each(|path| self.add(path.clone()));
    }

    pub(super) fn needs(&self) -> impl Iterator<Item = (&str, &Need)> {
        self.needs.iter().map(|(name, need)| (name.as_str(), need))
    }

    /// Every path, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter()
    }

    /// The top-level names.
    #[must_use]
    pub fn roots(&self) -> BTreeSet<&str> {
        self.needs.keys().map(String::as_str).collect()
    }

    /// The members of `root` that are referred to; `None` when all of it is.
    #[must_use]
    pub fn members(&self, root: &str) -> Option<BTreeSet<&str>> {
        match self.needs.get(root) {
            None => Some(BTreeSet::new()),
            Some(need) if need.whole => None,
            Some(need) => Some(need.members.keys().map(String::as_str).collect()),
        }
    }
}

impl Need {
    /// A copy of the wanted part.
    pub(super) fn part_of(&self, named: Named<'_>) -> Value {
        match named {
            Named::Value(value) => self.part_of_value(value),
            Named::State(members) if self.whole => members.to_value(),
            Named::State(members) => {
                let wanted = self.members.iter().filter_map(|(name, need)| Some((name, need, members.get(name)?)));
                Value::Object(wanted.map(|(name, need, value)| (name.clone(), need.part_of_value(value))).collect())
            }
        }
    }

    fn part_of_value(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) if !self.whole => {
                let mut part = Map::new();
                for (name, need) in &self.members {
                    if let Some(value) = members.get(name) {
                        part.insert(name.clone(), need.part_of_value(value));
                    }
                }
                Value::Object(part)
            }
            other => other.clone(),
        }
    }
}
