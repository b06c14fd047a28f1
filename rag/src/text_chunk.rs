//! `text.chunk`: cuts a text into pieces that keep their file and page.

use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_tools::{Call, CpuTool, read_value};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chunk::{SIZE, SIZE_RANGE};
use crate::document::{chunks, pages_of};

/// Cuts a text.
pub(crate) struct TextChunk;

#[derive(Deserialize)]
struct Args {
    text: Value,
    #[serde(default)]
    file: String,
    #[serde(default)]
    media_type: String,
    size: Option<usize>,
}

impl CpuTool for TextChunk {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "text.chunk".to_owned(),
            major: 1,
            class: QueueClass::Cpu,
            effect: Effect::Pure,
            description: "Cuts a text or its pages into pieces that keep their file and page".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "text": { "type": ["string", "array", "object"] },
                    "file": { "type": "string", "maxLength": 4096 },
                    "media_type": { "type": "string", "maxLength": 200 },
                    "size": { "type": "integer", "minimum": SIZE_RANGE.0, "maximum": SIZE_RANGE.1 }
                },
                "required": ["text"],
                "additionalProperties": false
            }),
        }
    }

    fn call(&self, args: Value, call: &Call, runtime: &tokio::runtime::Handle) -> Result<Value, Failure> {
        let args: Args =
            serde_json::from_value(args).map_err(|error| Failure::invalid("bad_arguments", error.to_string()))?;
        let pages = pages_of(runtime.block_on(read_value(args.text, call))?)?;
        let chunks = chunks(&args.file, &args.media_type, &pages, args.size.unwrap_or(SIZE));
        Ok(json!({ "chunks": chunks }))
    }
}
