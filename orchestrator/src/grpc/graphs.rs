//! `baton.v1.Graphs`: apply, validate, list, show, migrate.

use baton_proto::v1;
use tonic::{Request, Response, Status};
use v1::graphs_server::Graphs;

use super::{Services, convert, migration, status};
use crate::api::{ApiError, Caller, GraphSource, GraphView};
use crate::auth::Scope;

#[tonic::async_trait]
impl Graphs for Services {
    async fn apply(&self, request: Request<v1::ApplyGraphRequest>) -> Result<Response<v1::ApplyGraphResponse>, Status> {
        let caller = self.caller(&request, Scope::Submit).await?;
        let v1::ApplyGraphRequest { source, includes, origin } = request.into_inner();
        let source = convert::source(source, includes, origin);
        let applied = match self.orchestrator.apply_graph(&caller, source.clone()).await {
            Ok(applied) => applied,
            Err(error) if error.code == "invalid_graph" => {
                let problems = self.parse(&caller, source).await?.err().unwrap_or_default();
                return Err(status::with_problems(error, problems));
            }
            Err(error) => return Err(status::of_api(error)),
        };
        let graph = v1::Graph { name: applied.name, hash: applied.hash.to_string(), ..Default::default() };
        Ok(Response::new(v1::ApplyGraphResponse { graph: Some(graph), changed: applied.changed }))
    }

    async fn validate(
        &self,
        request: Request<v1::ValidateGraphRequest>,
    ) -> Result<Response<v1::ValidateGraphResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let v1::ValidateGraphRequest { source, includes, origin } = request.into_inner();
        let source = convert::source(source, includes, origin);
        let response = match self.parse(&caller, source).await? {
            Ok((name, hash)) => v1::ValidateGraphResponse { name, hash, problems: Vec::new() },
            Err(problems) => v1::ValidateGraphResponse { problems, ..v1::ValidateGraphResponse::default() },
        };
        Ok(Response::new(response))
    }

    async fn list(&self, request: Request<v1::ListGraphsRequest>) -> Result<Response<v1::ListGraphsResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let limit = convert::page_size(request.get_ref().page_size).map_err(status::of_malformed)? as usize;
        let after = request.into_inner().page_token;
        let mut graphs = self.graphs(&caller).await?;
        graphs.retain(|graph| graph.name > after);
        let next_page_token = match graphs.get(limit.saturating_sub(1)) {
            Some(last) if graphs.len() > limit => last.name.clone(),
            _ => String::new(),
        };
        let graphs = graphs.into_iter().take(limit).map(|graph| convert::graph(graph, false)).collect();
        Ok(Response::new(v1::ListGraphsResponse { graphs, next_page_token }))
    }

    async fn get(&self, request: Request<v1::GetGraphRequest>) -> Result<Response<v1::GetGraphResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let asked = request.into_inner().graph;
        match self.orchestrator.get_graph(&caller, &asked).await.map_err(status::of_api)? {
            Some(graph) => Ok(Response::new(v1::GetGraphResponse { graph: Some(convert::graph(graph, true)) })),
            None => Err(status::of_api(ApiError::not_found("graph", &asked))),
        }
    }

    async fn migrate(
        &self,
        request: Request<v1::MigrateGraphRequest>,
    ) -> Result<Response<v1::MigrateGraphResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let asked = migration::request(request.into_inner()).map_err(status::of_malformed)?;
        let migrated = self.orchestrator.migrate(&caller, asked).await.map_err(status::of_api)?;
        Ok(Response::new(migration::answer(migrated)))
    }
}

impl Services {
    /// Name and version of a graph, or what is wrong with it.
    async fn parse(
        &self,
        caller: &Caller,
        source: GraphSource,
    ) -> Result<Result<(String, String), Vec<v1::Problem>>, Status> {
        let parsed = self.orchestrator.inner.parse(&caller.tenant, source, true).await;
        Ok(match parsed.map_err(status::of_api)? {
            Ok(graph) => Ok((graph.name, graph.hash.to_string())),
            Err(problems) => Err(problems.into_iter().map(convert::problem).collect()),
        })
    }

    /// By name.
    async fn graphs(&self, caller: &Caller) -> Result<Vec<GraphView>, Status> {
        let mut graphs = self.orchestrator.list_graphs(caller).await.map_err(status::of_api)?;
        graphs.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(graphs)
    }
}
