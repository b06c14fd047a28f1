//! `baton.v1.Runs`: submit, look at, watch, answer, cancel.

use std::pin::Pin;

use baton_common::RunId;
use baton_control::grpc::convert as words;
use baton_proto::v1;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status};
use v1::runs_server::Runs;

use super::{Services, convert, status};
use crate::api::{Caller, Updates, Watched, Which, page};
use crate::auth::Scope;

type Watching = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Runs for Services {
    type WatchStream = Watching;

    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Result<Response<v1::SubmitResponse>, Status> {
        let caller = self.caller(&request, Scope::Submit).await?;
        let submit = convert::submit(request.into_inner()).map_err(status::of_malformed)?;
        let submitted = self.orchestrator.submit(&caller, submit).await.map_err(status::of_api)?;
        Ok(Response::new(convert::submitted(submitted)))
    }

    async fn get(&self, request: Request<v1::GetRunRequest>) -> Result<Response<v1::GetRunResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let view = self.orchestrator.get(&caller, run).await.map_err(status::of_api)?;
        Ok(Response::new(v1::GetRunResponse { run: Some(convert::run(view)) }))
    }

    async fn list(&self, request: Request<v1::ListRunsRequest>) -> Result<Response<v1::ListRunsResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let filter = convert::list_filter(request.get_ref()).map_err(status::of_malformed)?;
        let limit = filter.limit;
        let page = self.orchestrator.list(&caller, filter).await.map_err(status::of_api)?;
        let next_page_token = page::page_token(&page, limit).unwrap_or_default();
        let runs = page.into_iter().map(convert::summary).collect();
        Ok(Response::new(v1::ListRunsResponse { runs, next_page_token }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Watching>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let v1::WatchRequest { after, state, .. } = request.into_inner();
        let events = self.orchestrator.watch(&caller, run, after).await.map_err(status::of_api)?;
        let updates = state.then(|| Updates::new(self.orchestrator.clone(), caller.clone(), run, after));
        let events = stream::unfold((events, updates), |(mut events, mut updates)| async move {
            let item = match (events.next().await?, &mut updates) {
                (Ok(Watched::Event(event)), Some(updates)) => {
                    let changes = updates.of(&event).await;
                    changes.map(|changes| convert::changing(event, changes.unwrap_or_default()))
                }
                (item, _) => item.map(convert::watched),
            };
            Some((item.map_err(status::of_api), (events, updates)))
        });
        let services = self.clone();
        let end = stream::once(async move { services.ended(&caller, run).await });
        let shutdown = self.shutdown.clone();
        let cut = stream::once(async move { shutdown.is_cancelled().then(|| Err(status::draining())) });
        let until = self.shutdown.clone().cancelled_owned();
        let items = events.chain(end).take_until(until).chain(cut.filter_map(std::future::ready));
        Ok(Response::new(Box::pin(items)))
    }

    async fn answer(&self, request: Request<v1::AnswerRequest>) -> Result<Response<v1::AnswerResponse>, Status> {
        let caller = self.caller(&request, Scope::Answer).await?;
        let request = request.into_inner();
        let run = run_id(&request.run_id)?;
        let decision = words::json("decision_json", &request.decision_json).map_err(status::of_malformed)?;
        let which = Which::named(request.question);
        let answered = self.orchestrator.answer(&caller, run, which, decision).await.map_err(status::of_api)?;
        let interrupt_id = answered.interrupt.to_string();
        Ok(Response::new(v1::AnswerResponse { interrupt_id, existed: answered.existed }))
    }

    async fn cancel(&self, request: Request<v1::CancelRequest>) -> Result<Response<v1::CancelResponse>, Status> {
        let caller = self.caller(&request, Scope::Submit).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let cancel = self.orchestrator.cancel(&caller, run).await.map_err(status::of_api)?;
        Ok(Response::new(v1::CancelResponse { existed: cancel.existed }))
    }

    async fn signal(&self, request: Request<v1::SignalRequest>) -> Result<Response<v1::SignalResponse>, Status> {
        let caller = self.caller(&request, Scope::Submit).await?;
        let v1::SignalRequest { thread, run_id, name, id, value_json } = request.into_inner();
        let target = convert::signal_target(&thread, &run_id).map_err(status::of_malformed)?;
        let value = if value_json.is_empty() { "null" } else { &value_json };
        let value = words::json("value_json", value).map_err(status::of_malformed)?;
        let id = Some(id).filter(|id| !id.is_empty());
        let sent = self.orchestrator.signal(&caller, target, name, id, value).await.map_err(status::of_api)?;
        Ok(Response::new(v1::SignalResponse { id: sent.id, existed: sent.existed, taken: sent.taken }))
    }

    async fn list_interrupts(
        &self,
        request: Request<v1::ListInterruptsRequest>,
    ) -> Result<Response<v1::ListInterruptsResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let limit = convert::page_size(request.get_ref().page_size).map_err(status::of_malformed)?;
        let open = self.orchestrator.inbox(&caller, limit).await.map_err(status::of_api)?;
        let interrupts = open.into_iter().map(convert::interrupt).collect();
        Ok(Response::new(v1::ListInterruptsResponse { interrupts, next_page_token: String::new() }))
    }
}

impl Services {
    /// The last item of a watch. Events that stop before the run has ended are no end.
    async fn ended(&self, caller: &Caller, run: RunId) -> Result<v1::WatchResponse, Status> {
        let view = self.orchestrator.get(caller, run).await.map_err(status::of_api)?;
        if !view.summary.status.is_terminal() {
            return Err(status::draining());
        }
        Ok(v1::WatchResponse { item: Some(v1::watch_response::Item::Ended(convert::run(view))) })
    }
}

pub(super) fn run_id(text: &str) -> Result<RunId, Status> {
    words::parse("run_id", text).map_err(status::of_malformed)
}
