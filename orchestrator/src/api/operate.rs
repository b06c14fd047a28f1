//! What operators look at: workers, queues, files of runs, the audit, health.

use baton_broker::JOB_QUEUES;
use baton_common::{Partition, RunId, WorkerId};
use futures_util::StreamExt as _;
use tokio::time::{Duration, timeout};

use super::{ApiError, ArtifactContent, ArtifactView, Caller, Health, QueueView, WorkerView};
use crate::orchestrator::Orchestrator;
use crate::plane::file_key;

/// How long the store may take to answer before it counts as gone.
const HEALTH_WITHIN: Duration = Duration::from_secs(2);

impl Orchestrator {
    /// Lets the sweeper look at a partition at once: for whoever knows that something became
    /// due there, as one who lets virtual time pass does.
    pub fn look_at(&self, partition: Partition) {
        self.inner.nudge_now(partition);
    }

    /// Workers that announced themselves lately, by id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn workers(&self, _caller: &Caller) -> Result<Vec<WorkerView>, ApiError> {
        self.inner.workers_now().await
    }

    /// The job queues and the dead letters.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn queues(&self, _caller: &Caller) -> Result<Vec<QueueView>, ApiError> {
        let mut queues = Vec::new();
        for name in JOB_QUEUES.into_iter().chain([baton_broker::DEAD_QUEUE]) {
            let depth = self.inner.depth_of(name).await.map_err(|error| {
                let cure = "look whether the broker runs";
                ApiError::new(super::ErrorKind::Unavailable, "broker_unavailable", error.to_string(), cure)
            })?;
            let (ready, consumers) = (depth.map(|depth| depth.ready), depth.map_or(0, |depth| depth.consumers));
            queues.push(QueueView { name: name.to_owned(), ready, consumers });
        }
        Ok(queues)
    }

    /// Files a run left behind, by path.
    ///
    /// # Errors
    /// When there is no such run for this caller.
    pub async fn artifacts(&self, caller: &Caller, run: RunId) -> Result<Vec<ArtifactView>, ApiError> {
        self.inner.owned(caller, run).await?;
        let artifacts = self.inner.artifacts_of(&caller.tenant, run).await?;
        artifacts
            .into_iter()
            .map(|artifact| {
                let key = file_key(run, &artifact.path).map_err(baton_blobs::Error::from)?;
                let file = self.inner.blobs.file(&caller.tenant, &key);
                Ok(ArtifactView { path: artifact.path, bytes: artifact.blob.bytes, file })
            })
            .collect()
    }

    /// One of them, piece by piece.
    ///
    /// # Errors
    /// When there is no such run or file for this caller.
    pub async fn artifact(&self, caller: &Caller, run: RunId, path: &str) -> Result<ArtifactContent, ApiError> {
        self.inner.owned(caller, run).await?;
        let key = file_key(run, path).map_err(baton_blobs::Error::from)?;
        let (tenant, blobs) = (&caller.tenant, &self.inner.blobs);
        let bytes = blobs.size(tenant, &key).await?.ok_or_else(|| ApiError::not_found("artifact", path))?;
        let content = blobs.stream(tenant, &key).await?.map(|piece| piece.map_err(ApiError::from));
        let artifact = ArtifactView { path: path.to_owned(), bytes, file: blobs.file(tenant, &key) };
        Ok(ArtifactContent { artifact, content: Box::pin(content) })
    }

    /// Whether the parts this orchestrator needs answer.
    pub async fn health(&self) -> Health {
        let store = matches!(timeout(HEALTH_WITHIN, self.inner.store.now()).await, Ok(Ok(_)));
        Health { store, broker: self.inner.broker.ready() }
    }

    /// Waits until these workers have announced themselves.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn workers_there(&self, ids: &[WorkerId]) -> Result<(), ApiError> {
        loop {
            let announced = self.inner.announced.notified();
            tokio::pin!(announced);
            announced.as_mut().enable();
            let workers = self.inner.workers_now().await?;
            if ids.iter().all(|id| workers.iter().any(|worker| worker.id == *id)) {
                return Ok(());
            }
            announced.await;
        }
    }
}
