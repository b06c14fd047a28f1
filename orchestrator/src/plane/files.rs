//! What jobs keep: values by their digest, and the files of a run by their path.
//!
//! A file lies at `runs/<run>/files/<path>`, where people find it, and what is known of it
//! beside it at `runs/<run>/about/<path>`.

use baton_blobs::{Key, key, put_content, read_content};
use baton_common::{BlobRef, Digest, RunId, TenantId};
use baton_control::{Artifact, BlobPlace, Error};
use bytes::Bytes;

use super::from_blobs;
use crate::orchestrator::Inner;

impl Inner {
    pub(super) async fn put_blob(
        &self,
        tenant: &TenantId,
        run: RunId,
        place: BlobPlace,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<BlobRef, Error> {
        match place {
            BlobPlace::Value => put_content(self.blobs.as_ref(), tenant, media_type, bytes).await.map_err(from_blobs),
            BlobPlace::Artifact(path) => self.put_file(tenant, run, &path, media_type, bytes).await.map_err(from_blobs),
        }
    }

    pub(super) async fn get_blob(&self, tenant: &TenantId, blob: &BlobRef) -> Result<Bytes, Error> {
        read_content(self.blobs.as_ref(), tenant, blob).await.map_err(from_blobs)
    }

    async fn put_file(
        &self,
        tenant: &TenantId,
        run: RunId,
        path: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<BlobRef, baton_blobs::Error> {
        let key = file_key(run, path)?;
        let blob = BlobRef {
            key: key.as_str().to_owned(),
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes),
            media_type: media_type.to_owned(),
        };
        self.blobs.put(tenant, &key, bytes).await?;
        self.put_about(tenant, run, path, &blob).await?;
        Ok(blob)
    }

    /// Keeps what is known of a file, from which moment on it is one of the run.
    pub(super) async fn put_about(
        &self,
        tenant: &TenantId,
        run: RunId,
        path: &str,
        blob: &BlobRef,
    ) -> Result<(), baton_blobs::Error> {
        let about = serde_json::to_vec(blob).unwrap_or_default();
        self.blobs.put(tenant, &folder(run, "about")?.join(path)?, Bytes::from(about)).await
    }

    /// The files of a run, by path.
    pub(crate) async fn artifacts_of(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Vec<Artifact>, baton_blobs::Error> {
        let folder = folder(run, "about")?;
        let mut artifacts = Vec::new();
        for entry in self.blobs.list(tenant, Some(&folder)).await? {
            let Some(path) = entry.key.as_str().strip_prefix(folder.as_str()).map(|path| path.trim_start_matches('/'))
            else {
                continue;
            };
            let about = self.blobs.get(tenant, &entry.key).await?;
            match serde_json::from_slice::<BlobRef>(&about) {
                Ok(blob) => artifacts.push(Artifact { path: path.to_owned(), blob }),
                Err(error) => {
                    let about = self.about_read(run).await;
                    about.in_scope(|| tracing::warn!(path, %error, "what is known of a file does not read"));
                }
            }
        }
        Ok(artifacts)
    }
}

/// Where a file of a run lies.
pub(crate) fn file_key(run: RunId, path: &str) -> Result<Key, key::Error> {
    folder(run, "files")?.join(path)
}

fn folder(run: RunId, part: &str) -> Result<Key, key::Error> {
    Key::parse(&format!("runs/{run}/{part}"))
}
