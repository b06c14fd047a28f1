//! `baton.v1.Blobs`: what operators ask of the blob store.

use baton_proto::v1;
use tonic::{Request, Response, Status};
use v1::blobs_server::Blobs;

use super::{Services, status};
use crate::auth::Scope;

#[tonic::async_trait]
impl Blobs for Services {
    async fn sweep(&self, request: Request<v1::SweepBlobsRequest>) -> Result<Response<v1::SweepBlobsResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let dry = request.into_inner().dry_run;
        let found = self.orchestrator.sweep_blobs(&caller, dry).await.map_err(status::of_api)?;
        let (kept, kept_bytes) = (found.kept, found.kept_bytes);
        let (removed, removed_bytes) = (found.removed, found.removed_bytes);
        Ok(Response::new(v1::SweepBlobsResponse { kept, kept_bytes, removed, removed_bytes }))
    }
}
