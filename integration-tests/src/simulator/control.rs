//! The control plane as a worker reaches it: some orchestrator that lives, over calls that
//! get lost, arrive twice, or whose answers vanish.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::ids::WorkerId;
use baton_common::job::{ClaimAnswer, RenewAnswer, ResumeAnswer};
use baton_common::{BlobRef, Digest};
use baton_control::{Announcement, Artifact, BlobPlace, ClaimCall, ControlPlane, Error, Hold, Resume, Welcome};
use baton_orchestrator::Orchestrator;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use super::chaos::Chaos;
use super::gate::Gate;

/// The orchestrators that live.
pub(super) type Living = Arc<Mutex<Vec<Option<(Arc<Gate>, Orchestrator)>>>>;

/// One worker's way to the control plane.
pub(super) struct GatedControl {
    pub(super) gate: Arc<Gate>,
    pub(super) living: Living,
    pub(super) chaos: Arc<Chaos>,
}

impl GatedControl {
    /// Calls some living orchestrator, with what may happen on the way.
    async fn call<T, F: Future<Output = Result<T, Error>> + Send>(
        &self,
        call: impl Fn(Orchestrator) -> F + Send + Sync,
    ) -> Result<T, Error> {
        self.gate.pass().await;
        tokio::time::sleep(Duration::from_millis(self.chaos.pause_ms())).await;
        self.gate.pass().await;
        if self.chaos.strikes("control call lost", 15.0) {
            return Err(Error::Unavailable("the call was lost".to_owned()));
        }
        let Some((gate, orchestrator)) = self.pick() else {
            return Err(Error::Unavailable("no orchestrator lives".to_owned()));
        };
        if self.chaos.strikes("control call doubled", 30.0) {
            let _ = self.until_death(&gate, call(orchestrator.clone())).await;
        }
        let answer = self.until_death(&gate, call(orchestrator)).await;
        tokio::time::sleep(Duration::from_millis(self.chaos.below(3))).await;
        self.gate.pass().await;
        if self.chaos.strikes("control reply lost", 15.0) {
            return Err(Error::Unavailable("the reply was lost".to_owned()));
        }
        answer
    }

    async fn until_death<T>(&self, gate: &Gate, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = gate.ended() => Err(Error::Unavailable("the orchestrator died".to_owned())),
            answer = call => answer,
        }
    }

    fn pick(&self) -> Option<(Arc<Gate>, Orchestrator)> {
        let living = self.living.lock();
        let alive: Vec<_> = living.iter().flatten().collect();
        let place = usize::try_from(self.chaos.below(u64::try_from(alive.len()).unwrap_or(1))).unwrap_or(0);
        alive.get(place).map(|(gate, orchestrator)| (gate.clone(), orchestrator.clone()))
    }
}

#[async_trait]
impl ControlPlane for GatedControl {
    async fn announce(&self, announcement: Announcement) -> Result<Welcome, Error> {
        self.call(|to| {
            let announcement = announcement.clone();
            async move { to.announce(announcement).await }
        })
        .await
    }

    async fn claim(&self, worker: WorkerId, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error> {
        self.call(|to| {
            let calls = calls.clone();
            async move { to.claim(worker, calls).await }
        })
        .await
    }

    async fn renew(&self, worker: WorkerId, holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error> {
        self.call(|to| {
            let holds = holds.clone();
            async move { to.renew(worker, holds).await }
        })
        .await
    }

    async fn resume(&self, resume: Resume) -> Result<ResumeAnswer, Error> {
        self.call(|to| {
            let resume = resume.clone();
            async move { to.resume(resume).await }
        })
        .await
    }

    async fn give_back(&self, hold: Hold, digest: Digest) -> Result<ResumeAnswer, Error> {
        self.call(|to| {
            let hold = hold.clone();
            async move { to.give_back(hold, digest).await }
        })
        .await
    }

    async fn emit(&self, hold: Hold, body: Value) -> Result<(), Error> {
        self.call(|to| {
            let (hold, body) = (hold.clone(), body.clone());
            async move { to.emit(hold, body).await }
        })
        .await
    }

    async fn put_blob(&self, hold: Hold, place: BlobPlace, media_type: String, bytes: Bytes) -> Result<BlobRef, Error> {
        self.call(|to| {
            let (hold, place, media_type, bytes) = (hold.clone(), place.clone(), media_type.clone(), bytes.clone());
            async move { to.put_blob(hold, place, media_type, bytes).await }
        })
        .await
    }

    async fn get_blob(&self, hold: Hold, blob: BlobRef) -> Result<Bytes, Error> {
        self.call(|to| {
            let (hold, blob) = (hold.clone(), blob.clone());
            async move { to.get_blob(hold, blob).await }
        })
        .await
    }

    async fn list_artifacts(&self, hold: Hold) -> Result<Vec<Artifact>, Error> {
        self.call(|to| {
            let hold = hold.clone();
            async move { to.list_artifacts(hold).await }
        })
        .await
    }
}
