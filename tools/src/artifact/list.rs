//! `artifact.list`: the files of the run, by path.

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde_json::{Value, json};

use crate::{Call, IoTool};

/// Lists the files of the run.
pub struct List;

#[async_trait]
impl IoTool for List {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "artifact.list".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Pure,
            description: "Lists the files of the run, sorted by path".to_owned(),
            args_schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        }
    }

    async fn call(&self, _args: Value, call: &Call) -> Result<Value, Failure> {
        let mut artifacts = call.blobs.artifacts().await?;
        artifacts.sort_by(|a, b| a.path.cmp(&b.path));
        let artifacts: Vec<Value> = artifacts
            .into_iter()
            .map(|found| json!({ "path": found.path, "bytes": found.blob.bytes, "media_type": found.blob.media_type }))
            .collect();
        Ok(json!({ "artifacts": artifacts }))
    }
}
