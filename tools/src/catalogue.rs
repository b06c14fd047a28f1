//! Tools by name, each with its schema compiled once. Runs nothing.

use std::collections::BTreeMap;

use baton_common::Failure;
use baton_common::tool::ToolSpec;
use jsonschema::Validator;
use serde_json::Value;

use crate::Tool;

/// The tools of a worker.
#[derive(Default)]
pub struct Catalogue {
    tools: BTreeMap<String, Entry>,
}

struct Entry {
    tool: Tool,
    spec: ToolSpec,
    schema: Validator,
}

/// Why tools make no catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two tools of one name.
    #[error("two tools are called {0}")]
    Twice(String),
    /// The schema of a tool's arguments is none.
    #[error("the schema of {tool} is not valid: {reason}")]
    Schema {
        /// The tool.
        tool: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Catalogue {
    /// A catalogue of these tools.
    ///
    /// # Errors
    /// When two share a name or a schema is not valid.
    pub fn new(tools: impl IntoIterator<Item = Tool>) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        for tool in tools {
            let spec = tool.spec();
            let schema = jsonschema::validator_for(&spec.args_schema)
                .map_err(|error| Error::Schema { tool: spec.name.clone(), reason: error.to_string() })?;
            let name = spec.name.clone();
            if entries.insert(name.clone(), Entry { tool, spec, schema }).is_some() {
                return Err(Error::Twice(name));
            }
        }
        Ok(Self { tools: entries })
    }

    /// The tool of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name).map(|entry| &entry.tool)
    }

    /// What the tool of that name says of itself.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<&ToolSpec> {
        self.tools.get(name).map(|entry| &entry.spec)
    }

    /// What all tools say of themselves, by name.
    #[must_use]
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.values().map(|entry| entry.spec.clone()).collect()
    }

    /// Compares arguments with the tool's schema. The message names places, not values.
    ///
    /// # Errors
    /// When there is no such tool (`unknown_tool`) or the arguments break the schema
    /// (`bad_arguments`).
    pub fn validate(&self, name: &str, args: &Value) -> Result<(), Failure> {
        let Some(entry) = self.tools.get(name) else {
            return Err(Failure::invalid("unknown_tool", format!("this worker has no tool called {name}")));
        };
        let broken: Vec<String> = entry
            .schema
            .iter_errors(args)
            .take(3)
            .map(|error| match error.instance_path().to_string() {
                place if place.is_empty() => error.masked().to_string(),
                place => format!("{place}: {}", error.masked()),
            })
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid("bad_arguments", format!("arguments of {name}: {}", broken.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Config, builtin};

    fn catalogue() -> Catalogue {
        Catalogue::new(builtin(&Config { debug_tools: true, ..Config::default() })).unwrap()
    }

    #[test]
    fn wrong_arguments_are_named_by_their_place_and_not_repeated() {
        let failure = catalogue().validate("debug.sleep", &json!({ "ms": "a secret" })).unwrap_err();
        assert_eq!(failure.code, "bad_arguments");
        assert!(failure.message.contains("/ms"), "{}", failure.message);
        assert!(!failure.message.contains("a secret"), "{}", failure.message);
        let failure = catalogue().validate("debug.sleep", &json!({ "ms": 1, "milis": 2 })).unwrap_err();
        assert!(failure.message.contains("milis"), "{}", failure.message);
        assert!(catalogue().validate("debug.sleep", &json!({ "ms": 1 })).is_ok());
        assert_eq!(catalogue().validate("debug.nap", &json!({})).unwrap_err().code, "unknown_tool");
    }

    #[test]
    fn two_tools_of_one_name_make_no_catalogue() {
        let tools = builtin(&Config::default());
        assert!(matches!(Catalogue::new(tools.iter().chain(&tools).cloned()), Err(Error::Twice(_))));
    }

    #[test]
    fn debug_tools_exist_only_when_switched_on() {
        let catalogue = Catalogue::new(builtin(&Config::default())).unwrap();
        assert!(catalogue.specs().iter().all(|spec| !spec.name.starts_with("debug.")));
        assert!(catalogue.get("file.list").is_some());
    }
}
