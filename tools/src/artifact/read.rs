//! `artifact.read`: reads a file of the run, as text where it is text.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use baton_common::Failure;
use baton_common::payload::INLINE_BYTES_MAX;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, IoTool, args};

/// Reads a file of the run.
pub struct Read;

#[derive(Deserialize)]
struct Args {
    path: String,
}

#[async_trait]
impl IoTool for Read {
    fn spec(&self) -> ToolSpec {
        let path = json!({ "type": "string", "minLength": 1, "maxLength": 300 });
        ToolSpec {
            name: "artifact.read".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Pure,
            description: "Reads a file of the run: text, else base64, else a reference when it is large".to_owned(),
            args_schema: json!({
                "type": "object", "properties": { "path": path }, "required": ["path"], "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let Args { path } = args::parse(args)?;
        let found = call.blobs.artifacts().await?.into_iter().find(|artifact| artifact.path == path);
        let Some(artifact) = found else {
            return Err(Failure::invalid("artifact_not_found", format!("the run has no artifact {path}")));
        };
        let blob = artifact.blob;
        let mut result = json!({ "path": path, "media_type": blob.media_type, "bytes": blob.bytes });
        if blob.bytes > INLINE_BYTES_MAX as u64 / 2 {
            result["content"] = args::blob_value(&blob);
            return Ok(result);
        }
        let bytes = call.blobs.get(&blob).await?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => result["text"] = text.into(),
            Err(_) => result["base64"] = STANDARD.encode(&bytes).into(),
        }
        Ok(result)
    }
}
