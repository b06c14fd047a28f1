//! Channel values and pieces too large for a record lie in the blob store, and the record
//! says where. They go there before what refers to them is written, and come back where a
//! state is read; steps, replays and people see the values alone.
//!
//! A blob is named by its content, so that a value that stays the same is stored once. What
//! a group's results are is left to `values`.

use std::collections::BTreeMap;

use baton_blobs::{Error, put_content, read_content};
use baton_common::commit::Segment;
use baton_common::payload::INLINE_BYTES_MAX;
use baton_common::records::{Body, Checkpoint};
use baton_common::{BlobRef, ChannelName, JsonText, Seq, TenantId, ThreadKey};
use baton_engine::state::Values;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::load;
use crate::orchestrator::Inner;

/// In the place of a channel's name, which is never empty: what the engine needs beside channels.
const CONTROL: &str = "";

const JSON: &str = "application/json";

/// In the place of a piece, which is a list: an object that says where the list lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Elsewhere {
    large: BlobRef,
}

impl Inner {
    /// Takes what is too large out of what is to be written.
    pub(crate) async fn put_large(
        &self,
        tenant: &TenantId,
        checkpoints: &mut [Checkpoint],
        segments: &mut [Segment],
    ) -> Result<(), Error> {
        for checkpoint in checkpoints {
            if checkpoint.control.as_str().len() > INLINE_BYTES_MAX {
                let control = std::mem::replace(&mut checkpoint.control, JsonText::null());
                let blob = self.put_text(tenant, control.as_str().to_owned()).await?;
                checkpoint.large.insert(CONTROL.into(), blob);
            }
            for (channel, value) in &mut checkpoint.writes {
                if value.canonical_bytes() <= INLINE_BYTES_MAX {
                    continue;
                }
                let blob = self.put_text(tenant, value.to_string()).await?;
                checkpoint.large.insert(channel.clone(), blob);
                *value = Value::Null.into();
            }
        }
        for segment in segments.iter_mut().filter(|segment| segment.body.len() > INLINE_BYTES_MAX) {
            let large = self.put_text(tenant, std::mem::take(&mut segment.body)).await?;
            segment.body = serde_json::to_string(&Elsewhere { large }).unwrap_or_default();
        }
        Ok(())
    }

    async fn put_text(&self, tenant: &TenantId, text: String) -> Result<BlobRef, Error> {
        Box::pin(put_content(self.blobs.as_ref(), tenant, JSON, Bytes::from(text))).await
    }

    /// The values that lie elsewhere after these checkpoints, of which the first is a full one
    /// and each other's parent is the one before it.
    pub(crate) async fn large_of(&self, tenant: &TenantId, history: &[Checkpoint]) -> Result<Values, Error> {
        let mut values = BTreeMap::new();
        for (channel, blob) in last_of(history) {
            values.insert(channel.clone(), self.json_at(tenant, blob).await?);
        }
        Ok(values)
    }

    /// A checkpoint as it was before anything was taken out of it.
    pub(crate) async fn whole_checkpoint(
        &self,
        tenant: &TenantId,
        mut checkpoint: Checkpoint,
    ) -> Result<Checkpoint, Error> {
        self.with_control(tenant, &mut checkpoint).await?;
        for (channel, blob) in std::mem::take(&mut checkpoint.large) {
            checkpoint.writes.insert(channel, self.json_at(tenant, &blob).await?);
        }
        Ok(checkpoint)
    }

    /// A checkpoint of a thread with what the engine needs in its place; large values stay where
    /// they are.
    pub(crate) async fn checkpoint_at(&self, thread: &ThreadKey, seq: Seq) -> Result<Option<Checkpoint>, load::Error> {
        let Some(mut checkpoint) = self.store.checkpoint(thread, seq).await? else { return Ok(None) };
        self.with_control(&thread.tenant, &mut checkpoint).await?;
        Ok(Some(checkpoint))
    }

    async fn with_control(&self, tenant: &TenantId, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        if let Some(blob) = checkpoint.large.remove(CONTROL) {
            checkpoint.control = self.json_at(tenant, &blob).await?;
        }
        Ok(())
    }

    /// Pieces as they were before any was taken out.
    pub(crate) async fn whole_pieces(&self, tenant: &TenantId, mut pieces: Vec<Body>) -> Result<Vec<Body>, Error> {
        for piece in pieces.iter_mut().filter(|piece| piece.starts_with('{')) {
            let Ok(Elsewhere { large }) = serde_json::from_str(piece) else { continue };
            let bytes = read_content(self.blobs.as_ref(), tenant, &large).await?;
            *piece = String::from_utf8_lossy(&bytes).into_owned();
        }
        Ok(pieces)
    }

    async fn json_at<T: DeserializeOwned>(&self, tenant: &TenantId, blob: &BlobRef) -> Result<T, Error> {
        let bytes = read_content(self.blobs.as_ref(), tenant, blob).await?;
        let value = serde_json::from_slice(&bytes);
        value.map_err(|error| Error::Failed { place: blob.key.clone(), source: error.into() })
    }
}

/// Where the values of channels lie that are elsewhere after all of them.
fn last_of(history: &[Checkpoint]) -> BTreeMap<&ChannelName, &BlobRef> {
    let mut last = BTreeMap::new();
    for checkpoint in history {
        if checkpoint.full {
            last.clear();
        }
        for channel in checkpoint.writes.keys() {
            match checkpoint.large.get(channel) {
                Some(blob) => last.insert(channel, blob),
                None => last.remove(channel),
            };
        }
    }
    last
}
