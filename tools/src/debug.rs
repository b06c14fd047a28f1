//! `debug.*`: tools for tests, benches and fault drills. They exist only when switched on
//! and write only beneath one folder.

mod echo;
mod fail;
mod large;
mod ledger;
mod sleep;
mod spin;

use std::path::Path;
use std::sync::Arc;

use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde_json::{Value, json};

use crate::Tool;

/// All of them; `debug.ledger` refuses to write when no folder is named.
#[must_use]
pub fn tools(folder: Option<&Path>) -> Vec<Tool> {
    vec![
        Tool::Io(Arc::new(echo::Echo)),
        Tool::Io(Arc::new(sleep::Sleep)),
        Tool::Io(Arc::new(fail::Fail)),
        Tool::Io(Arc::new(large::Large)),
        Tool::Cpu(Arc::new(spin::Spin)),
        Tool::Io(Arc::new(ledger::Ledger::new(folder))),
    ]
}

/// The spec of a debug tool with these arguments.
fn spec(name: &str, class: QueueClass, description: &str, properties: Value, required: &[&str]) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        major: 1,
        class,
        effect: Effect::Pure,
        description: description.to_owned(),
        args_schema: json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false
        }),
    }
}
