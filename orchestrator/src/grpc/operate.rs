//! `baton.v1.Operate`: workers, queues, files of runs, audit, keys.

use std::pin::Pin;

use baton_common::{Actor, TenantId, Timestamp};
use baton_control::grpc::convert as words;
use baton_proto::v1;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status};
use v1::operate_server::Operate;

use super::runs::run_id;
use super::server::bearer;
use super::{Services, convert, status};
use crate::api::AuditFilter;
use crate::auth::{Scope, scopes};

type Pieces = Pin<Box<dyn Stream<Item = Result<v1::GetArtifactResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Operate for Services {
    type GetArtifactStream = Pieces;

    async fn workers(&self, request: Request<v1::WorkersRequest>) -> Result<Response<v1::WorkersResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let workers = self.orchestrator.workers(&caller).await.map_err(status::of_api)?;
        Ok(Response::new(v1::WorkersResponse { workers: workers.into_iter().map(convert::worker).collect() }))
    }

    async fn queues(&self, request: Request<v1::QueuesRequest>) -> Result<Response<v1::QueuesResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let queues = self.orchestrator.queues(&caller).await.map_err(status::of_api)?;
        Ok(Response::new(v1::QueuesResponse { queues: queues.into_iter().map(convert::queue).collect() }))
    }

    async fn artifacts(
        &self,
        request: Request<v1::ArtifactsRequest>,
    ) -> Result<Response<v1::ArtifactsResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let artifacts = self.orchestrator.artifacts(&caller, run).await.map_err(status::of_api)?;
        Ok(Response::new(v1::ArtifactsResponse { artifacts: artifacts.into_iter().map(convert::artifact).collect() }))
    }

    async fn get_artifact(&self, request: Request<v1::GetArtifactRequest>) -> Result<Response<Pieces>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let found = self.orchestrator.artifact(&caller, run, &request.get_ref().path).await.map_err(status::of_api)?;
        let first = v1::GetArtifactResponse { artifact: Some(convert::artifact(found.artifact)), ..Default::default() };
        let rest = found.content.map(|piece| match piece {
            Ok(data) => Ok(v1::GetArtifactResponse { artifact: None, data }),
            Err(error) => Err(status::of_api(error)),
        });
        Ok(Response::new(Box::pin(stream::once(async { Ok(first) }).chain(rest))))
    }

    async fn audit(&self, request: Request<v1::AuditRequest>) -> Result<Response<v1::AuditResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let request = request.into_inner();
        let run = if request.run_id.is_empty() { None } else { Some(run_id(&request.run_id)?) };
        let limit = convert::page_size(request.page_size).map_err(status::of_malformed)?;
        let filter = AuditFilter {
            run,
            actor: convert::optional("actor", &request.actor).map_err(status::of_malformed)?,
            operation: Some(request.operation).filter(|operation| !operation.is_empty()),
            since: request.since_ms.map(Timestamp),
            until: request.until_ms.map(Timestamp),
            limit,
        };
        let entries = self.orchestrator.audit(&caller, filter).await.map_err(status::of_api)?;
        let entries = entries.into_iter().map(convert::audit).collect();
        Ok(Response::new(v1::AuditResponse { entries, next_page_token: String::new() }))
    }

    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Result<Response<v1::CreateKeyResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let tenant = match request.get_ref().tenant.as_str() {
            "" => None,
            text => Some(words::parse::<TenantId>("tenant", text).map_err(status::of_malformed)?),
        };
        let key = bearer(request.metadata());
        let caller = self.auth.maker(key, caller, tenant.as_ref()).await.map_err(status::of_api)?;
        let request = request.into_inner();
        let actor: Actor = words::parse("actor", &request.actor).map_err(status::of_malformed)?;
        let scopes = scopes(&request.scopes).map_err(status::of_api)?;
        let ttl_ms = Some(request.ttl_ms).filter(|ttl| *ttl > 0);
        let created = self.auth.create_for(&caller, actor, &scopes, ttl_ms).await;
        let (key, secret) = created.map_err(status::of_api)?;
        Ok(Response::new(v1::CreateKeyResponse { key: Some(convert::key(key)), secret }))
    }

    async fn list_keys(&self, request: Request<v1::ListKeysRequest>) -> Result<Response<v1::ListKeysResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let keys = self.auth.list(&caller).await.map_err(status::of_api)?;
        Ok(Response::new(v1::ListKeysResponse { keys: keys.into_iter().map(convert::key).collect() }))
    }

    async fn revoke_key(
        &self,
        request: Request<v1::RevokeKeyRequest>,
    ) -> Result<Response<v1::RevokeKeyResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let revoked = self.auth.revoke(&caller, &request.get_ref().id).await.map_err(status::of_api)?;
        Ok(Response::new(v1::RevokeKeyResponse { revoked }))
    }

    async fn unpark(&self, request: Request<v1::UnparkRequest>) -> Result<Response<v1::UnparkResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let unparked = self.orchestrator.unpark(&caller, run).await.map_err(status::of_api)?;
        Ok(Response::new(v1::UnparkResponse { unparked }))
    }
}
