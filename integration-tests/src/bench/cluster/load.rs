//! What users of the measured cluster do, over gRPC: apply graphs, submit runs, wait for
//! their end, stop them. Progress is read from the store, so that looking costs nothing there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_common::RunId;
use baton_common::records::RunStatus;
use baton_proto::v1::graphs_client::GraphsClient;
use baton_proto::v1::runs_client::RunsClient;
use baton_proto::v1::{
    AnswerRequest, ApplyGraphRequest, CancelRequest, ListInterruptsRequest, ListRunsRequest, SubmitRequest,
    WatchRequest, watch_response::Item,
};
use baton_store::Store;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

/// Calls under way at once where many are made.
const CALLS: usize = 64;
/// Pause between two looks at a run.
const LOOK: Duration = Duration::from_millis(1);

/// A user. Clones share a connection.
#[derive(Clone)]
pub(super) struct User {
    channel: Channel,
}

impl User {
    /// # Errors
    /// When the address is none.
    pub(super) fn new(address: &str) -> anyhow::Result<Self> {
        Ok(Self { channel: Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true).connect_lazy() })
    }

    fn runs(&self) -> RunsClient<Channel> {
        RunsClient::new(self.channel.clone())
    }

    /// # Errors
    /// When it is refused.
    pub(super) async fn apply(&self, source: &str) -> anyhow::Result<()> {
        let request =
            ApplyGraphRequest { source: source.to_owned(), includes: Vec::new(), origin: "bench.yaml".to_owned() };
        GraphsClient::new(self.channel.clone()).apply(request).await?;
        Ok(())
    }

    /// # Errors
    /// When it is refused.
    pub(super) async fn submit(&self, graph: &str, input: &Value) -> anyhow::Result<RunId> {
        let request =
            SubmitRequest { graph: graph.to_owned(), input_json: input.to_string(), ..SubmitRequest::default() };
        let id = self.runs().submit(request).await?.into_inner().run_id;
        id.parse().ok().with_context(|| format!("no run id: {id}"))
    }

    /// Submits so many runs; in the order of their answers.
    ///
    /// # Errors
    /// When one is refused.
    pub(super) async fn submit_many(
        &self,
        graph: &str,
        inputs: impl Iterator<Item = Value> + Send,
    ) -> anyhow::Result<Vec<RunId>> {
        let submits = inputs.map(|input| async move { self.submit(graph, &input).await });
        stream::iter(submits).buffer_unordered(CALLS).try_collect().await
    }

    /// Watches a run until its end is told.
    ///
    /// # Errors
    /// When the stream breaks before, or the run did not succeed.
    pub(super) async fn ended(&self, run: RunId) -> anyhow::Result<()> {
        let request = WatchRequest { run_id: run.to_string(), after: 0, state: false };
        let mut items = self.runs().watch(request).await?.into_inner();
        let mut ended = None;
        // Read to the end of the stream: one that is dropped before is reset, and connections
        // with many resets are given up.
        while let Some(item) = items.message().await? {
            if let Some(Item::Ended(run)) = item.item {
                ended = Some(run);
            }
        }
        let ended = ended.with_context(|| format!("the watch of {run} broke"))?;
        anyhow::ensure!(ended.failure.is_none(), "run {run} failed: {:?}", ended.failure);
        Ok(())
    }

    /// Answers the question of a node.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) async fn answer(&self, run: RunId, node: &str, decision: &Value) -> anyhow::Result<()> {
        let request =
            AnswerRequest { run_id: run.to_string(), question: node.to_owned(), decision_json: decision.to_string() };
        self.runs().answer(request).await?;
        Ok(())
    }

    /// A page of runs: how many it has.
    ///
    /// # Errors
    /// When nobody answers.
    pub(super) async fn list(&self, page_size: i32) -> anyhow::Result<usize> {
        let request = ListRunsRequest { page_size, ..ListRunsRequest::default() };
        Ok(self.runs().list(request).await?.into_inner().runs.len())
    }

    /// A page of open questions: how many it has.
    ///
    /// # Errors
    /// When nobody answers.
    pub(super) async fn questions(&self, page_size: i32) -> anyhow::Result<usize> {
        let request = ListInterruptsRequest { page_size, ..ListInterruptsRequest::default() };
        Ok(self.runs().list_interrupts(request).await?.into_inner().interrupts.len())
    }

    /// Stops runs and waits until each has ended.
    ///
    /// # Errors
    /// When one has not within a minute.
    pub(super) async fn cancel_all(&self, store: &Arc<dyn Store>, runs: &[RunId]) -> anyhow::Result<()> {
        let cancels = runs.iter().map(|run| async move {
            let request = CancelRequest { run_id: run.to_string() };
            self.runs().cancel(request).await.map(drop)
        });
        stream::iter(cancels).buffer_unordered(CALLS).try_collect::<()>().await?;
        let mut open = runs.to_vec();
        let began = Instant::now();
        while !open.is_empty() {
            let found = try_join_all(open.iter().map(|run| store.run(*run))).await?;
            let ended = |run: &baton_common::records::Run| run.state.status.is_terminal();
            open = found.into_iter().flatten().filter(|run| !ended(run)).map(|run| run.info.id).collect();
            anyhow::ensure!(began.elapsed() < Duration::from_secs(90), "{} runs did not end", open.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Advances of these runs so far, all together.
///
/// # Errors
/// When the store does not answer, or a run ended by itself.
pub(super) async fn advances(store: &Arc<dyn Store>, runs: &[RunId]) -> anyhow::Result<u64> {
    let found = try_join_all(runs.iter().map(|run| store.run(*run))).await?;
    let mut sum = 0;
    for run in found.into_iter().flatten() {
        anyhow::ensure!(run.state.status == RunStatus::Running, "run {} is {:?}", run.info.id, run.state.status);
        sum += run.state.superstep;
    }
    Ok(sum)
}

/// Waits until the run has succeeded, as the store shows it.
///
/// # Errors
/// When it ends otherwise or not at all.
pub(super) async fn succeeded(store: &Arc<dyn Store>, run: RunId) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let status = store.run(run).await?.map(|run| run.state.status);
        match status {
            Some(RunStatus::Succeeded) => return Ok(()),
            Some(status) if status.is_terminal() => bail!("run {run} ended as {status:?}"),
            _ => {}
        }
        anyhow::ensure!(began.elapsed() < Duration::from_secs(120), "run {run} is {status:?} after two minutes");
        tokio::time::sleep(LOOK).await;
    }
}
