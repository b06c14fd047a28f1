//! `baton.v1.Quotas`: setting quotas and looking at them.

use baton_common::records::QuotaScope;
use baton_proto::v1;
use tonic::{Request, Response, Status};
use v1::quotas_server::Quotas;

use super::{Services, status};
use crate::api::{QuotaRequest, QuotaView};
use crate::auth::Scope;

#[tonic::async_trait]
impl Quotas for Services {
    async fn set(&self, request: Request<v1::SetQuotaRequest>) -> Result<Response<v1::SetQuotaResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let v1::SetQuotaRequest { name, scope, limit, beyond } = request.into_inner();
        let v1::QuotaScope { tenant, tool, route, key } = scope.unwrap_or_default();
        let scope = QuotaScope { tenant: some(tenant), tool: some(tool), route: some(route), key: some(key) };
        let request = QuotaRequest { name, scope, limit, beyond };
        let set = self.orchestrator.set_quota(&caller, request).await.map_err(status::of_api)?;
        Ok(Response::new(v1::SetQuotaResponse { quota: Some(shown(set)) }))
    }

    async fn list(&self, request: Request<v1::ListQuotasRequest>) -> Result<Response<v1::ListQuotasResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let quotas = self.orchestrator.quotas(&caller).await.map_err(status::of_api)?;
        Ok(Response::new(v1::ListQuotasResponse { quotas: quotas.into_iter().map(shown).collect() }))
    }

    async fn get(&self, request: Request<v1::GetQuotaRequest>) -> Result<Response<v1::GetQuotaResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let found = self.orchestrator.quota(&caller, &request.get_ref().name).await.map_err(status::of_api)?;
        Ok(Response::new(v1::GetQuotaResponse { quota: Some(shown(found)) }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteQuotaRequest>,
    ) -> Result<Response<v1::DeleteQuotaResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        self.orchestrator.delete_quota(&caller, &request.get_ref().name).await.map_err(status::of_api)?;
        Ok(Response::new(v1::DeleteQuotaResponse {}))
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn shown(view: QuotaView) -> v1::Quota {
    let QuotaView { quota, own, seen } = view;
    let QuotaScope { tenant, tool, route, key } = quota.scope;
    let [tenant, tool, route, key] = [tenant, tool, route, key].map(Option::unwrap_or_default);
    v1::Quota {
        name: quota.name,
        owner: quota.owner.to_string(),
        scope: Some(v1::QuotaScope { tenant, tool, route, key }),
        limit: quota.limit.to_string(),
        beyond: quota.beyond.name().to_owned(),
        set_at_ms: quota.set_at.0,
        own,
        held: seen.as_ref().map(|seen| seen.held),
        waiting: seen.as_ref().map(|seen| seen.waiting),
        used: seen.as_ref().map(|seen| seen.used),
    }
}
