//! An embedded cluster with debug tools, and what tests ask of it.

use std::path::Path;
use std::time::{Duration, Instant};

use baton_common::records::Event;
use baton_common::settings::Timings;
use baton_common::{RequestId, RunId, ThreadId};
use baton_embedded::{Embedded, Options};
use baton_orchestrator::api::{
    ApiError, Caller, GraphRef, GraphSource, RunView, Status, SubmitRequest, Submitted, Watched,
};
use baton_worker::config::ToolSwitches;
use futures_util::StreamExt as _;
use serde_json::Value;

/// Nothing here takes longer unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// In memory, or in a folder; the protocol at a twentieth of its timings.
pub(crate) fn options(folder: Option<&Path>) -> Options {
    Options {
        data_dir: folder.map(|folder| folder.join("data")),
        switches: ToolSwitches {
            debug_tools: true,
            debug_dir: folder.map(|folder| folder.join("debug")),
            ..ToolSwitches::default()
        },
        timings: Timings::default().scaled(20),
        ..Options::default()
    }
}

pub(crate) async fn start(options: Options) -> Embedded {
    Embedded::start(options).await.unwrap()
}

pub(crate) async fn try_submit(cluster: &Embedded, graph: &str, input: Value) -> Result<Submitted, ApiError> {
    let source = GraphSource { text: graph.to_owned(), name: "test.yaml".to_owned(), ..GraphSource::default() };
    let request = SubmitRequest {
        graph: GraphRef::Source(source),
        input,
        request_id: RequestId::parse("r-1").ok(),
        thread: ThreadId::parse("t-1").ok(),
        traceparent: None,
        record: false,
    };
    cluster.api().submit(&Caller::local(), request).await
}

pub(crate) async fn submit(cluster: &Embedded, graph: &str, input: Value) -> RunId {
    try_submit(cluster, graph, input).await.unwrap().run
}

/// The run at its end, and its events.
pub(crate) async fn end(cluster: &Embedded, run: RunId) -> (RunView, Vec<Event>) {
    let watched = async {
        let mut items = cluster.api().watch(&Caller::local(), run, 0).await.unwrap();
        let mut events = Vec::new();
        while let Some(item) = items.next().await {
            if let Watched::Event(event) = item.unwrap() {
                events.push(event);
            }
        }
        (cluster.api().get(&Caller::local(), run).await.unwrap(), events)
    };
    tokio::time::timeout(DEADLINE, watched).await.unwrap()
}

/// The run as soon as it looks like that.
pub(crate) async fn until(cluster: &Embedded, run: RunId, done: impl Fn(&RunView) -> bool) -> RunView {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let view = cluster.api().get(&Caller::local(), run).await.unwrap();
        if done(&view) {
            return view;
        }
        assert!(Instant::now() < deadline, "never: {view:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn claimed(view: &RunView) -> bool {
    view.groups.iter().any(|group| group.claimed > 0)
}

pub(crate) fn is(view: &RunView, status: Status) -> bool {
    view.summary.status == status
}
