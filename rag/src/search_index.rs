//! `search.index`: from extracted documents to one blob that answers questions.

use std::collections::BTreeMap;

use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{ErrorClass, Failure};
use baton_tools::{Call, CpuTool, blob_value, read_value};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bm25::Index;
use crate::chunk::{SIZE, SIZE_RANGE};
use crate::document::{Document, chunks};

/// Builds an index.
pub(crate) struct SearchIndex;

#[derive(Deserialize)]
struct Args {
    documents: Value,
    size: Option<usize>,
}

impl CpuTool for SearchIndex {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "search.index".to_owned(),
            major: 1,
            class: QueueClass::Cpu,
            effect: Effect::Pure,
            description: "Builds a search index over extracted documents, as one blob".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "documents": { "type": ["array", "object"], "items": { "type": ["object", "null"] } },
                    "size": { "type": "integer", "minimum": SIZE_RANGE.0, "maximum": SIZE_RANGE.1 }
                },
                "required": ["documents"],
                "additionalProperties": false
            }),
        }
    }

    fn call(&self, args: Value, call: &Call, runtime: &tokio::runtime::Handle) -> Result<Value, Failure> {
        let bad = |error: serde_json::Error| Failure::invalid("bad_arguments", error.to_string());
        let args: Args = serde_json::from_value(args).map_err(bad)?;
        let documents = runtime.block_on(read_value(args.documents, call))?;
        let documents: Vec<Option<Document>> = serde_json::from_value(documents).map_err(bad)?;
        let asked = documents.len();
        let documents: Vec<Document> = documents.into_iter().flatten().collect();
        if documents.is_empty() {
            let message =
                format!("none of {asked} documents has text to index; look at the errors of their extraction");
            return Err(Failure::invalid("nothing_to_index", message));
        }
        let names = names(&documents);
        let mut all = Vec::new();
        for (document, name) in documents.iter().zip(&names) {
            if call.cancel.is_cancelled() {
                return Err(Failure::new(ErrorClass::Cancelled, "cancelled", "the attempt was told to stop"));
            }
            let pages = runtime.block_on(document.pages(call))?;
            all.extend(chunks(name, &document.media_type, &pages, args.size.unwrap_or(SIZE)));
        }
        let index = Index::new(all);
        let bytes = serde_json::to_vec(&index).map_err(bad)?;
        let blob = runtime.block_on(call.blobs.put("application/json", bytes.into()))?;
        Ok(json!({
            "index": blob_value(&blob), "documents": documents.len(), "skipped": asked - documents.len(),
            "chunks": index.chunk_count(),
        }))
    }
}

/// What citations call each document: its name, or its path where two share a name.
fn names(documents: &[Document]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for document in documents {
        *counts.entry(&document.name).or_default() += 1;
    }
    let name = |document: &Document| match (document.name.is_empty(), counts.get(document.name.as_str())) {
        (false, Some(1)) => document.name.clone(),
        _ => document.path.clone(),
    };
    documents.iter().map(name).collect()
}
