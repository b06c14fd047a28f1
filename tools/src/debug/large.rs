//! `debug.large`: a result or a file of any size, made piece by piece, and a large value read
//! back.

use async_trait::async_trait;
use baton_common::tool::{QueueClass, ToolSpec};
use baton_common::{BlobRef, Failure};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, IoTool, Pieces, args};

const PIECE: &[u8] = &[b'x'; 64 * 1024];

/// Makes a JSON string of so many bytes as its result, or a file of as many; or counts the bytes
/// of a value that lies in the blob store.
pub(super) struct Large;

#[derive(Deserialize)]
struct Args {
    bytes: Option<u64>,
    artifact: Option<String>,
    count: Option<Value>,
}

#[async_trait]
impl IoTool for Large {
    fn spec(&self) -> ToolSpec {
        let properties = json!({
            "bytes": { "type": "integer", "minimum": 2 },
            "artifact": { "type": "string", "minLength": 1, "maxLength": 300 },
            "count": { "type": "object" }
        });
        super::spec("debug.large", QueueClass::Io, "Makes or reads content of any size", properties, &[])
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        if let Some(value) = args.count {
            let blob = args::blob_of(&value)?.ok_or_else(|| Failure::invalid("bad_arguments", "count takes a blob"))?;
            return Ok(json!({ "bytes": counted(call, &blob).await? }));
        }
        let bytes = args.bytes.unwrap_or(2);
        match args.artifact {
            Some(path) => {
                let blob = call.blobs.put_artifact_pieces(&path, "text/plain", letters(bytes)).await?;
                Ok(json!({ "path": path, "bytes": blob.bytes }))
            }
            None => {
                let quote = || stream::once(async { Ok(Bytes::from_static(b"\"")) });
                let text = quote().chain(letters(bytes - 2)).chain(quote()).boxed();
                Ok(args::blob_value(&call.blobs.put_pieces("application/json", text).await?))
            }
        }
    }
}

fn letters(bytes: u64) -> Pieces {
    let piece = PIECE.len() as u64;
    let starts = (0..bytes.div_ceil(piece)).map(move |number| piece.min(bytes - number * piece));
    let pieces = starts.map(|length| Ok(Bytes::from_static(&PIECE[..usize::try_from(length).unwrap_or(PIECE.len())])));
    stream::iter(pieces).boxed()
}

async fn counted(call: &Call, blob: &BlobRef) -> Result<u64, Failure> {
    let mut pieces = call.blobs.get_pieces(blob).await?;
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        bytes += piece?.len() as u64;
    }
    Ok(bytes)
}
