//! `baton.v1.Archive`: runs whose records were removed.

use std::pin::Pin;

use baton_proto::v1;
use futures_util::{Stream, StreamExt as _, stream};
use tonic::{Request, Response, Status};
use v1::archive_server::Archive;

use super::runs::run_id;
use super::{Services, convert, status};
use crate::api::ArchiveView;
use crate::auth::Scope;

type Pieces = Pin<Box<dyn Stream<Item = Result<v1::GetArchiveResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Archive for Services {
    type GetStream = Pieces;

    async fn list(
        &self,
        request: Request<v1::ListArchivesRequest>,
    ) -> Result<Response<v1::ListArchivesResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let request = request.into_inner();
        let after = convert::optional("page_token", &request.page_token).map_err(status::of_malformed)?;
        let limit = convert::page_size(request.page_size).map_err(status::of_malformed)?;
        let page = self.orchestrator.archives(&caller, after, limit).await.map_err(status::of_api)?;
        Ok(Response::new(v1::ListArchivesResponse {
            archives: page.archives.iter().map(archived).collect(),
            next_page_token: page.next.map(|run| run.to_string()).unwrap_or_default(),
        }))
    }

    async fn get(&self, request: Request<v1::GetArchiveRequest>) -> Result<Response<Pieces>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let found = self.orchestrator.archive(&caller, run).await.map_err(status::of_api)?;
        let first = v1::GetArchiveResponse { archive: Some(archived(&found.archive)), ..Default::default() };
        let rest = found.content.map(|piece| match piece {
            Ok(data) => Ok(v1::GetArchiveResponse { archive: None, data }),
            Err(error) => Err(status::of_api(error)),
        });
        Ok(Response::new(Box::pin(stream::once(async { Ok(first) }).chain(rest))))
    }
}

fn archived(view: &ArchiveView) -> v1::ArchivedRun {
    v1::ArchivedRun { run_id: view.run.to_string(), bytes: view.bytes, archived_at_ms: view.archived_at.0 }
}
