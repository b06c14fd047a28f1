//! The same cluster asked over gRPC, as the command line asks it.

use std::sync::Arc;
use std::time::Duration;

use baton_common::RunId;
use baton_orchestrator::Services;
use baton_orchestrator::auth::Auth;
use baton_orchestrator::grpc::serve;
use baton_proto::v1;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};
use v1::history_client::HistoryClient;
use v1::runs_client::RunsClient;

use super::Rig;

/// A client of both services; the server ends with it.
pub(crate) struct Remote {
    pub(crate) runs: RunsClient<Channel>,
    pub(crate) history: HistoryClient<Channel>,
    _serving: DropGuard,
}

impl Rig {
    /// Serves the cluster on a free port.
    pub(crate) async fn remote(&self) -> Remote {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let orchestrator = self.cluster.api().clone();
        let auth = Arc::new(Auth::new(orchestrator.store().clone(), None, false));
        let shutdown = CancellationToken::new();
        let plane = Arc::new(orchestrator.clone());
        let services = Services { orchestrator, plane, auth, shutdown: shutdown.clone() };
        tokio::spawn(serve(listener, services, Duration::from_millis(300)));
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Remote {
            runs: RunsClient::new(channel.clone()),
            history: HistoryClient::new(channel),
            _serving: shutdown.drop_guard(),
        }
    }
}

impl Remote {
    pub(crate) async fn submit(&self, source: &str, input: &Value, record: bool) -> RunId {
        let request = v1::SubmitRequest {
            source: source.to_owned(),
            input_json: input.to_string(),
            record,
            ..v1::SubmitRequest::default()
        };
        self.runs.clone().submit(request).await.unwrap().into_inner().run_id.parse().unwrap()
    }

    /// All checkpoints, old ones first.
    pub(crate) async fn checkpoints(&self, run: RunId) -> Vec<v1::Checkpoint> {
        self.checkpoints_by(run, 2).await
    }

    /// The same in pages of that size.
    pub(crate) async fn checkpoints_by(&self, run: RunId, page_size: i32) -> Vec<v1::Checkpoint> {
        let (mut all, mut before) = (Vec::new(), 0);
        loop {
            let request = v1::ListCheckpointsRequest { run_id: run.to_string(), before, page_size };
            let page = self.history.clone().list_checkpoints(request).await.unwrap().into_inner();
            all.extend(page.checkpoints);
            before = page.next_before;
            if before == 0 {
                all.reverse();
                return all;
            }
        }
    }

    /// Channels and their values; `at` 0 is the last checkpoint.
    pub(crate) async fn state(&self, run: RunId, at: u64) -> Value {
        let request = v1::GetStateRequest { run_id: run.to_string(), at };
        let state = self.history.clone().get_state(request).await.unwrap().into_inner();
        serde_json::from_str(&state.values_json).unwrap()
    }

    pub(crate) async fn fork(&self, run: RunId, from: u64, set: &Value, name: &str) -> v1::ForkResponse {
        let request = v1::ForkRequest {
            run_id: run.to_string(),
            from,
            set_json: set.to_string(),
            request_id: name.to_owned(),
            ..v1::ForkRequest::default()
        };
        self.history.clone().fork(request).await.unwrap().into_inner()
    }

    pub(crate) async fn edit(&self, run: RunId, expected: u64, set: &Value) -> Result<v1::EditResponse, tonic::Status> {
        let request = v1::EditRequest { run_id: run.to_string(), expected, set_json: set.to_string() };
        Ok(self.history.clone().edit(request).await?.into_inner())
    }

    pub(crate) async fn retry(&self, run: RunId, from: u64) -> v1::RetryResponse {
        let request = v1::RetryRequest { run_id: run.to_string(), from };
        self.history.clone().retry(request).await.unwrap().into_inner()
    }

    pub(crate) async fn replay(&self, run: RunId) -> Result<v1::ReplayResponse, tonic::Status> {
        Ok(self.history.clone().replay(v1::ReplayRequest { run_id: run.to_string() }).await?.into_inner())
    }
}
