//! `debug.fail`: fails as told, for the first attempts or always.

use async_trait::async_trait;
use baton_common::tool::{QueueClass, ToolSpec};
use baton_common::{ErrorClass, Failure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec;
use crate::{Call, IoTool, args};

/// Fails as told.
pub(super) struct Fail;

#[derive(Deserialize)]
struct Args {
    class: ErrorClass,
    code: String,
    #[serde(default)]
    message: String,
    times: Option<u32>,
    retry_after_ms: Option<u64>,
}

#[async_trait]
impl IoTool for Fail {
    fn spec(&self) -> ToolSpec {
        let classes: Vec<&str> = ErrorClass::ALL.iter().map(|class| class.name()).collect();
        let properties = json!({
            "class": { "enum": classes },
            "code": { "type": "string", "minLength": 1, "maxLength": 64 },
            "message": { "type": "string", "maxLength": 1000 },
            "times": { "type": "integer", "minimum": 0 },
            "retry_after_ms": { "type": "integer", "minimum": 0 }
        });
        let description = "Fails with that class and code; with `times`, only in so many first attempts";
        spec("debug.fail", QueueClass::Io, description, properties, &["class", "code"])
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        if args.times.is_some_and(|times| call.attempt > times) {
            return Ok(json!({ "attempt": call.attempt }));
        }
        let mut failure = Failure::new(args.class, args.code, args.message);
        failure.retry_after_ms = args.retry_after_ms;
        Err(failure)
    }
}
