//! What workers ask, answered directly: embedded mode hands them this, gRPC wraps it.
//!
//! Nothing here decides about a graph or a task. Calls change nothing when repeated, since
//! the transitions behind them do not.

mod announce;
mod arguments;
mod claim;
mod files;
mod keyed;
mod renew;
mod resume;
mod secrets;
mod special;
mod transfers;

use async_trait::async_trait;
use baton_common::ids::WorkerId;
use baton_common::job::{ClaimAnswer, RenewAnswer, ResumeAnswer};
use baton_common::{BlobRef, Digest, TenantId};
use baton_control::{
    Announcement, Artifact, Berth, BlobPlace, ClaimCall, ControlPlane, Error, Hold, Pieces, Resume, Upload, Way,
    Welcome,
};
use bytes::Bytes;
use serde_json::Value;

pub(crate) use self::announce::AtWork;
pub(crate) use self::files::file_key;
pub(crate) use self::secrets::secret_text;
use crate::api::Live;
use crate::keys::Holder;
use crate::orchestrator::{Inner, Orchestrator};

#[async_trait]
impl ControlPlane for Orchestrator {
    async fn announce(&self, announcement: Announcement) -> Result<Welcome, Error> {
        self.inner.announce(announcement).await
    }

    async fn claim(&self, worker: WorkerId, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error> {
        self.inner.claim(worker, calls).await
    }

    async fn renew(&self, worker: WorkerId, holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error> {
        self.inner.renew(worker, holds).await
    }

    async fn resume(&self, resume: Resume) -> Result<ResumeAnswer, Error> {
        self.inner.resume(resume).await
    }

    async fn give_back(&self, hold: Hold, digest: Digest) -> Result<ResumeAnswer, Error> {
        self.inner.give_back(hold, digest).await
    }

    async fn emit(&self, hold: Hold, body: Value) -> Result<(), Error> {
        self.inner.holder(&hold)?;
        self.inner.watchers.live(Live { job: hold.job, body });
        Ok(())
    }

    async fn put_blob(&self, hold: Hold, place: BlobPlace, media_type: String, bytes: Bytes) -> Result<BlobRef, Error> {
        let tenant = self.inner.holder(&hold)?;
        self.inner.put_blob(&tenant, hold.job.run, place, &media_type, bytes).await
    }

    async fn get_blob(&self, hold: Hold, blob: BlobRef) -> Result<Bytes, Error> {
        let tenant = self.inner.holder(&hold)?;
        self.inner.get_blob(&tenant, &blob).await
    }

    async fn open_upload(&self, hold: Hold, upload: Upload) -> Result<Berth, Error> {
        self.inner.open_upload(&hold, upload).await
    }

    async fn close_upload(&self, hold: Hold, place: BlobPlace, blob: BlobRef) -> Result<BlobRef, Error> {
        self.inner.close_upload(&hold, place, blob).await
    }

    async fn open_download(&self, hold: Hold, blob: BlobRef) -> Result<Way, Error> {
        self.inner.open_download(&hold, &blob).await
    }

    async fn put_stream(&self, hold: Hold, upload: Upload, pieces: Pieces) -> Result<BlobRef, Error> {
        self.inner.put_stream(&hold, upload, pieces).await
    }

    async fn get_stream(&self, hold: Hold, blob: BlobRef) -> Result<Pieces, Error> {
        self.inner.get_stream(&hold, &blob).await
    }

    async fn list_artifacts(&self, hold: Hold) -> Result<Vec<Artifact>, Error> {
        let tenant = self.inner.holder(&hold)?;
        self.inner.artifacts_of(&tenant, hold.job.run).await.map_err(from_blobs)
    }
}

impl Inner {
    /// The tenant of whoever holds that attempt.
    fn holder(&self, hold: &Hold) -> Result<TenantId, Error> {
        self.held(hold).map(|holder| holder.tenant)
    }

    /// What the token of whoever holds that attempt says.
    fn held(&self, hold: &Hold) -> Result<Holder, Error> {
        self.keys
            .holder(&hold.token, &hold.job, hold.fence)
            .ok_or_else(|| Error::Refused(format!("the token is not one for attempt {} at {}", hold.fence, hold.job)))
    }
}

fn from_store(error: baton_store::Error) -> Error {
    match error {
        baton_store::Error::Broken(why) => Error::Refused(why),
        error => Error::Unavailable(error.to_string()),
    }
}

fn from_blobs(error: baton_blobs::Error) -> Error {
    match error {
        baton_blobs::Error::Failed { .. } => Error::Unavailable(error.to_string()),
        error => Error::Refused(error.to_string()),
    }
}
