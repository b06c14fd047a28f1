//! `doc.extract`: the text of a document, page by page, as a blob. The document is opened
//! beneath the roots here and read in a child process by [`crate::document`].

use std::sync::Arc;

use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::document::{self, Settings, Stop};
use crate::roots::Roots;
use crate::{Call, CpuTool, args};

/// Reads documents.
pub struct DocExtract {
    roots: Arc<Roots>,
    settings: Settings,
    drills: bool,
}

impl DocExtract {
    /// Reads documents beneath these roots. With `drills`, documents may misbehave on
    /// request.
    #[must_use]
    pub fn new(roots: Arc<Roots>, settings: Settings, drills: bool) -> Self {
        Self { roots, settings, drills }
    }
}

#[derive(Deserialize)]
struct Args {
    path: String,
}

impl CpuTool for DocExtract {
    fn spec(&self) -> ToolSpec {
        let path = json!({ "type": "string", "minLength": 1, "maxLength": 4096 });
        ToolSpec {
            name: "doc.extract".to_owned(),
            major: 1,
            class: QueueClass::Cpu,
            effect: Effect::Pure,
            description: "Extracts the text of a PDF, HTML, Markdown or text document, page by page".to_owned(),
            args_schema: json!({
                "type": "object", "properties": { "path": path }, "required": ["path"], "additionalProperties": false
            }),
        }
    }

    fn call(&self, args: Value, call: &Call, runtime: &tokio::runtime::Handle) -> Result<Value, Failure> {
        let Args { path } = args::parse(args)?;
        let document = self.roots.open_file(&path)?;
        let name = path.rsplit('/').next().unwrap_or(&path);
        runtime.block_on(async {
            let cancelled = async {
                tokio::select! {
                    () = call.cancel.cancelled() => {}
                    () = tokio::time::sleep_until(call.deadline.into()) => {}
                }
            };
            let reading = document::read(&self.settings, name, document, self.drills, cancelled);
            let reading = reading.await.map_err(|stop| match stop {
                Stop::Failed(failure) => failure,
                Stop::Cancelled => args::stopped(call),
            })?;
            let characters: usize = reading.pages.iter().map(|page| page.text.chars().count()).sum();
            let pages = serde_json::to_vec(&reading.pages)
                .map_err(|error| Failure::permanent("bad_result", error.to_string()))?;
            let blob = call.blobs.put("application/json", pages.into()).await?;
            let mut result = json!({
                "path": path, "name": name, "media_type": reading.media_type, "pages": reading.pages.len(),
                "characters": characters, "text": args::blob_value(&blob),
            });
            if !reading.damaged_pages.is_empty() {
                result["damaged_pages"] = reading.damaged_pages.into();
            }
            Ok(result)
        })
    }
}
