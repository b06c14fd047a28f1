//! `artifact.write`: writes a file of the run. Writing it again replaces it.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, IoTool, args, media};

/// Writes a file of the run.
pub struct Write;

#[derive(Deserialize)]
struct Args {
    path: String,
    text: Option<Value>,
    json: Option<Value>,
    base64: Option<String>,
    media_type: Option<String>,
}

#[async_trait]
impl IoTool for Write {
    fn spec(&self) -> ToolSpec {
        let path = json!({ "type": "string", "minLength": 1, "maxLength": 300 });
        ToolSpec {
            name: "artifact.write".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Idempotent,
            description: "Writes a file of the run from text, JSON or base64".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "path": path,
                    "text": { "type": ["string", "object"] },
                    "json": {},
                    "base64": { "type": "string" },
                    "media_type": { "type": "string", "minLength": 3, "maxLength": 200 }
                },
                "required": ["path"],
                "oneOf": [{ "required": ["text"] }, { "required": ["json"] }, { "required": ["base64"] }],
                "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        let media_type = args.media_type.clone().unwrap_or_else(|| media::of_name(&args.path).to_owned());
        let path = args.path.clone();
        let content = content(args, call).await?;
        let blob = call.blobs.put_artifact(&path, &media_type, content).await?;
        Ok(json!({ "path": path, "bytes": blob.bytes }))
    }
}

async fn content(args: Args, call: &Call) -> Result<Bytes, Failure> {
    match (args.text, args.json, args.base64) {
        (Some(Value::String(text)), None, None) => Ok(text.into()),
        (Some(value), None, None) => match args::blob_of(&value)? {
            Some(blob) => call.blobs.get(&blob).await,
            None => Err(Failure::invalid("bad_arguments", "text is a string or a blob; give an object as `json`")),
        },
        (None, Some(value), None) => {
            let value = args::read_value(value, call).await?;
            Ok(format!("{value:#}\n").into())
        }
        (None, None, Some(text)) => STANDARD
            .decode(text.trim())
            .map(Bytes::from)
            .map_err(|e| Failure::invalid("bad_arguments", format!("base64 does not decode: {e}"))),
        _ => Err(Failure::invalid("bad_arguments", "give one of text, json and base64")),
    }
}
