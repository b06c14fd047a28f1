//! What is kept of a run once its records are removed: one compressed object in the blob store,
//! a line of JSON for each record. Who may read it is left to `api`, when a run's time is over
//! to the store, how long archives are kept to `collector`.
//!
//! A line is `{"kind": …, …}`: `run` with what was fixed, its state and its end, each
//! `checkpoint` from the newest to the oldest with its large values in their places, the last
//! `state`, the `group`s that were kept with their tasks, `question`s with their decisions,
//! `event`s as far as they are kept, where the `audit` of its partition stood, and the `file`s
//! that were there. Only one record is in memory at a time.

use std::io::Write as _;

use baton_blobs::{Key, Upload};
use baton_common::records::Run;
use baton_common::{RunId, Seq};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;

use crate::api::ApiError;
use crate::load;
use crate::orchestrator::Inner;

/// Compressed bytes that are gathered before they are sent.
const PIECE_BYTES: usize = 256 * 1024;
/// Events read at a time.
const EVENTS: u32 = 500;
const FOLDER: &str = "archive";
const ENDING: &str = ".jsonl.gz";

impl Inner {
    /// Writes down a run that is over, in place of what was written down of it before.
    pub(crate) async fn archive_run(&self, run: &Run) -> Result<(), ApiError> {
        let tenant = &run.info.thread.tenant;
        let key = key_of(run.info.id)?;
        let mut lines = Lines { upload: self.blobs.upload(tenant, &key).await?, encoder: encoder() };
        match self.write_run(run, &mut lines).await {
            Ok(()) => Ok(lines.finish().await?),
            Err(error) => {
                lines.upload.abort().await;
                Err(error)
            }
        }
    }

    async fn write_run(&self, run: &Run, lines: &mut Lines) -> Result<(), ApiError> {
        let (id, tenant) = (run.info.id, &run.info.thread.tenant);
        lines.add("run", &json!({ "run": run })).await?;
        let mut seq = run.state.head;
        while seq != Seq(0) {
            let Some(checkpoint) = self.store.checkpoint(&run.info.thread, seq).await? else { break };
            if checkpoint.run != id {
                break;
            }
            seq = checkpoint.parent;
            let checkpoint = self.whole_checkpoint(tenant, checkpoint).await?;
            lines.add("checkpoint", &json!({ "checkpoint": checkpoint })).await?;
        }
        if run.state.head != Seq(0) {
            match self.state_at(&run.info, run.state.r#gen, run.state.head).await {
                Ok(state) => lines.add("state", &json!({ "values": state.visible() })).await?,
                Err(load::Error::Missing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(detail) = self.store.detail(id).await? {
            for (group, tasks) in detail.groups {
                lines.add("group", &json!({ "group": group, "tasks": tasks })).await?;
            }
            for question in detail.interrupts {
                lines.add("question", &json!({ "question": question })).await?;
            }
        }
        let mut after = 0;
        loop {
            let events = self.store.events(id, after, EVENTS).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in &events {
                lines.add("event", &json!({ "event": event })).await?;
            }
        }
        let audited = self.store.audit_head(id.partition).await?.map_or(0, |head| head.number);
        lines.add("audit", &json!({ "partition": id.partition, "until": audited })).await?;
        for file in self.artifacts_of(tenant, id).await? {
            lines.add("file", &json!({ "path": file.path, "blob": file.blob })).await?;
        }
        Ok(())
    }
}

/// Where the archive of a run lies.
pub(crate) fn key_of(run: RunId) -> Result<Key, baton_blobs::Error> {
    Ok(Key::parse(&format!("{FOLDER}/{run}{ENDING}"))?)
}

/// Beneath which all archives of a tenant lie.
pub(crate) fn folder() -> Result<Key, baton_blobs::Error> {
    Ok(Key::parse(FOLDER)?)
}

/// The run whose archive lies there.
pub(crate) fn run_of(key: &Key) -> Option<RunId> {
    let name = key.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?;
    name.strip_suffix(ENDING)?.parse().ok()
}

/// Lines on their way to the blob store.
struct Lines {
    upload: Box<dyn Upload>,
    encoder: GzEncoder<Vec<u8>>,
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    #[serde(flatten)]
    record: &'a serde_json::Value,
}

impl Lines {
    async fn add(&mut self, kind: &'static str, record: &serde_json::Value) -> Result<(), ApiError> {
        let mut line = serde_json::to_vec(&Line { kind, record }).map_err(ApiError::internal)?;
        line.push(b'\n');
        self.encoder.write_all(&line).map_err(ApiError::internal)?;
        if self.encoder.get_ref().len() >= PIECE_BYTES {
            let piece = std::mem::take(self.encoder.get_mut());
            self.upload.write(Bytes::from(piece)).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), ApiError> {
        let rest = self.encoder.finish().map_err(ApiError::internal)?;
        self.upload.write(Bytes::from(rest)).await?;
        Ok(self.upload.finish().await?)
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::default())
}
