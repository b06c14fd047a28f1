//! `search.query`: the passages of an index that answer a question best.

use std::sync::Arc;

use async_trait::async_trait;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{BlobRef, Failure};
use baton_tools::{Call, IoTool};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bm25::Index;
use crate::cache::Cache;

/// Passages of an answer unless a call says otherwise.
const LIMIT: usize = 8;

/// Queries indexes and remembers the last few.
#[derive(Default)]
pub(crate) struct SearchQuery {
    cache: Cache,
}

#[derive(Deserialize)]
struct Args {
    index: Reference,
    query: String,
    limit: Option<usize>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "$blob")]
    blob: BlobRef,
}

#[async_trait]
impl IoTool for SearchQuery {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "search.query".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Pure,
            description: "Finds the passages of an index that answer a question best, with file and page".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "index": { "type": "object", "properties": { "$blob": { "type": "object" } }, "required": ["$blob"] },
                    "query": { "type": "string", "minLength": 1, "maxLength": 10_000 },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 50 }
                },
                "required": ["index", "query"],
                "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args =
            serde_json::from_value(args).map_err(|error| Failure::invalid("bad_arguments", error.to_string()))?;
        let index = self.index(&args.index.blob, call).await?;
        let hits = index.query(&args.query, args.limit.unwrap_or(LIMIT));
        Ok(json!({ "hits": hits }))
    }
}

impl SearchQuery {
    /// The index, decoded off the async threads. The blob is asked for only when its
    /// content was not read for this tenant before.
    async fn index(&self, blob: &BlobRef, call: &Call) -> Result<Arc<Index>, Failure> {
        if let Some(index) = self.cache.get(&call.tenant, blob.digest) {
            return Ok(index);
        }
        let bytes = call.blobs.get(blob).await?;
        let decoded = tokio::task::spawn_blocking(move || Index::decode(&bytes)).await.ok().flatten();
        let Some(index) = decoded.map(Arc::new) else {
            let message = format!("the blob {} is no search index; give the `index` of search.index", blob.key);
            return Err(Failure::invalid("not_an_index", message));
        };
        self.cache.put(&call.tenant, blob.digest, blob.bytes, index.clone());
        Ok(index)
    }
}
