//! `debug.echo`: its arguments are its result.

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde_json::{Value, json};

use crate::{Call, IoTool};

/// Gives back what it was given.
pub(super) struct Echo;

#[async_trait]
impl IoTool for Echo {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "debug.echo".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Pure,
            description: "Gives back its arguments".to_owned(),
            args_schema: json!({ "type": "object" }),
        }
    }

    async fn call(&self, args: Value, _call: &Call) -> Result<Value, Failure> {
        Ok(args)
    }
}
