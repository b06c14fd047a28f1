//! `baton.v1.History`: a run's past, and going on from it.

use baton_common::{RequestId, Seq, ThreadId};
use baton_control::grpc::convert as words;
use baton_proto::v1;
use serde_json::{Map, Value};
use tonic::{Request, Response, Status};
use v1::history_server::History;

use super::runs::run_id;
use super::{Services, convert, status};
use crate::api::{ChannelChange, CheckpointView, ForkRequest};
use crate::auth::Scope;

#[tonic::async_trait]
impl History for Services {
    async fn list_checkpoints(
        &self,
        request: Request<v1::ListCheckpointsRequest>,
    ) -> Result<Response<v1::ListCheckpointsResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let request = request.into_inner();
        let run = run_id(&request.run_id)?;
        let limit = convert::page_size(request.page_size).map_err(status::of_malformed)?;
        let page =
            self.orchestrator.checkpoints(&caller, run, some(request.before), limit).await.map_err(status::of_api)?;
        let checkpoints = page.checkpoints.into_iter().map(checkpoint).collect();
        let next_before = page.next.map_or(0, |seq| seq.0);
        Ok(Response::new(v1::ListCheckpointsResponse { checkpoints, next_before }))
    }

    async fn get_state(&self, request: Request<v1::GetStateRequest>) -> Result<Response<v1::GetStateResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let request = request.into_inner();
        let run = run_id(&request.run_id)?;
        let state = self.orchestrator.state(&caller, run, some(request.at)).await.map_err(status::of_api)?;
        let values_json = serde_json::to_string(&state.values).unwrap_or_default();
        Ok(Response::new(v1::GetStateResponse { checkpoint: Some(checkpoint(state.checkpoint)), values_json }))
    }

    async fn diff(&self, request: Request<v1::DiffRequest>) -> Result<Response<v1::DiffResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let request = request.into_inner();
        let run = run_id(&request.run_id)?;
        let (from, to) = (Seq(request.from), some(request.to));
        let diff = self.orchestrator.diff(&caller, run, from, to).await.map_err(status::of_api)?;
        let changes = diff.changes.into_iter().map(change).collect();
        Ok(Response::new(v1::DiffResponse { from: diff.from.0, to: diff.to.0, changes }))
    }

    async fn edit(&self, request: Request<v1::EditRequest>) -> Result<Response<v1::EditResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let request = request.into_inner();
        let run = run_id(&request.run_id)?;
        let set = members(&request.set_json)?;
        let edited = self.orchestrator.edit(&caller, run, Seq(request.expected), set).await.map_err(status::of_api)?;
        Ok(Response::new(v1::EditResponse { seq: edited.seq.0, existed: edited.existed }))
    }

    async fn fork(&self, request: Request<v1::ForkRequest>) -> Result<Response<v1::ForkResponse>, Status> {
        let caller = self.caller(&request, Scope::Submit).await?;
        let request = request.into_inner();
        let fork = ForkRequest {
            run: run_id(&request.run_id)?,
            from: some(request.from),
            set: members(&request.set_json)?,
            thread: convert::optional::<ThreadId>("thread", &request.thread).map_err(status::of_malformed)?,
            request_id: convert::optional::<RequestId>("request_id", &request.request_id)
                .map_err(status::of_malformed)?,
        };
        let made = self.orchestrator.fork(&caller, fork).await.map_err(status::of_api)?;
        let (run_id, thread) = (made.run.to_string(), made.thread.to_string());
        Ok(Response::new(v1::ForkResponse { run_id, thread, existed: made.existed }))
    }

    async fn retry(&self, request: Request<v1::RetryRequest>) -> Result<Response<v1::RetryResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let request = request.into_inner();
        let run = run_id(&request.run_id)?;
        let retried = self.orchestrator.retry(&caller, run, some(request.from)).await.map_err(status::of_api)?;
        Ok(Response::new(v1::RetryResponse { generation: retried.generation.0, existed: retried.existed }))
    }

    async fn replay(&self, request: Request<v1::ReplayRequest>) -> Result<Response<v1::ReplayResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let run = run_id(&request.get_ref().run_id)?;
        let view = self.orchestrator.replay(&caller, run).await.map_err(status::of_api)?;
        let difference = view.difference.map(|difference| v1::ReplayDifference {
            seq: difference.seq.0,
            recorded_json: difference.recorded,
            computed_json: difference.computed,
        });
        Ok(Response::new(v1::ReplayResponse { advances: view.advances, checkpoints: view.checkpoints, difference }))
    }
}

/// A checkpoint's number; 0 on the wire is none.
fn some(seq: u64) -> Option<Seq> {
    (seq != 0).then_some(Seq(seq))
}

/// Values by channel; nothing is no change.
fn members(text: &str) -> Result<Map<String, Value>, Status> {
    match words::json("set_json", if text.is_empty() { "{}" } else { text }).map_err(status::of_malformed)? {
        Value::Object(members) => Ok(members),
        _ => Err(status::of_malformed(words::Malformed::new("set_json", "it is a JSON object of channels and values"))),
    }
}

fn checkpoint(view: CheckpointView) -> v1::Checkpoint {
    let CheckpointView { checkpoint, open, waiting, bytes } = view;
    v1::Checkpoint {
        seq: checkpoint.seq.0,
        parent: checkpoint.parent.0,
        run_id: checkpoint.run.to_string(),
        generation: checkpoint.r#gen.0,
        superstep: checkpoint.superstep,
        at_ms: checkpoint.at.0,
        hash: checkpoint.hash.to_string(),
        wrote: checkpoint.wrote.iter().map(|(channel, node)| (channel.to_string(), node.to_string())).collect(),
        open,
        waiting,
        bytes,
    }
}

fn change(change: ChannelChange) -> v1::ChannelChange {
    v1::ChannelChange {
        channel: change.channel,
        before_json: change.before.map(|value| value.to_string()),
        after_json: change.after.map(|value| value.to_string()),
        kept: change.kept,
    }
}
