//! `debug.sleep`: waits on an io slot.

use std::time::Duration;

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{QueueClass, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec;
use crate::{Call, IoTool, args};

/// Waits, then gives back a value.
pub(super) struct Sleep;

#[derive(Deserialize)]
struct Args {
    ms: u64,
    #[serde(default)]
    value: Value,
}

#[async_trait]
impl IoTool for Sleep {
    fn spec(&self) -> ToolSpec {
        let properties = json!({ "ms": { "type": "integer", "minimum": 0, "maximum": 86_400_000 }, "value": {} });
        spec("debug.sleep", QueueClass::Io, "Waits so many milliseconds and gives back a value", properties, &["ms"])
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let Args { ms, value } = args::parse(args)?;
        match call.cancel.run_until_cancelled(tokio::time::sleep(Duration::from_millis(ms))).await {
            Some(()) => Ok(value),
            None => Err(args::stopped(call)),
        }
    }
}
