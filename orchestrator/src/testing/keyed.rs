//! Results that are kept under a key: the same work is done once over runs, and again once a
//! cached result is too old.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_engine::expr::Template;
use baton_engine::graph::{Cache, Work};

use super::graphs::{graph, tool};
use super::*;
use crate::api::Status;

const HOUR: Duration = Duration::from_secs(3_600);

fn by_issue() -> Template {
    Template::compile(&json!("issue-{{ input.issue }}")).unwrap()
}

/// Two graphs of one node: one keeps what its tool gave for an hour, one as what was done.
fn graphs() -> Vec<Compiled> {
    let node = || tool("a", &json!({}), &[("out", "output.n")], &[]);
    let (mut cached, mut keyed) = (node(), node());
    cached.cache = Some(Cache { key: by_issue(), ttl_ms: 3_600_000 });
    if let Work::Tool(call) = &mut keyed.work {
        call.key = Some(by_issue());
    }
    vec![graph("cached", vec![cached]), graph("keyed", vec![keyed])]
}

/// Runs of these graphs, whose tool answers what `answer` makes of the number of the call.
struct Calls {
    rig: Rig,
    runs: AtomicU64,
}

impl Calls {
    async fn new(answer: impl Fn(u64) -> Option<Outcome> + Send + Sync + 'static) -> Self {
        let rig = Rig::new(graphs(), Settings::default()).await;
        let calls = AtomicU64::new(0);
        rig.work(move |_| answer(calls.fetch_add(1, Ordering::Relaxed) + 1));
        Self { rig, runs: AtomicU64::new(0) }
    }

    async fn begin(&self, graph: &str, issue: &str) -> RunId {
        let request = format!("r-{}", self.runs.fetch_add(1, Ordering::Relaxed));
        self.rig.submit_as(graph, json!({ "issue": issue }), &request, None).await
    }

    async fn output(&self, graph: &str, issue: &str) -> Option<Value> {
        let run = self.begin(graph, issue).await;
        self.rig.end(run).await.output.map(|output| output["out"].clone())
    }
}

fn number(n: u64) -> Option<Outcome> {
    Some(Outcome::value(json!({ "n": n })))
}

#[tokio::test(start_paused = true)]
async fn a_cached_result_serves_other_runs_until_its_time_is_over() {
    let calls = Calls::new(number).await;
    assert_eq!(calls.output("cached", "x").await, Some(json!(1)));
    assert_eq!(calls.output("cached", "x").await, Some(json!(1)), "the tool is not called again");
    assert_eq!(calls.output("cached", "y").await, Some(json!(2)), "another key is other work");
    tokio::time::sleep(HOUR).await;
    assert_eq!(calls.output("cached", "x").await, Some(json!(3)), "its time is over");
    calls.rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_done_under_a_key_is_done_once() {
    let calls = Calls::new(number).await;
    assert_eq!(calls.output("keyed", "x").await, Some(json!(1)));
    tokio::time::sleep(HOUR).await;
    assert_eq!(calls.output("keyed", "x").await, Some(json!(1)), "long after");
    assert_eq!(calls.output("cached", "x").await, Some(json!(2)), "a cache has names of its own");
    assert_eq!(calls.rig.ran.lock().len(), 2);
    calls.rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_kept_under_no_key() {
    for graph in ["cached", "keyed"] {
        let refused = || Some(Outcome::Error(Failure::permanent("refused", "not today")));
        let calls = Calls::new(move |n| if n == 1 { refused() } else { number(n) }).await;
        let run = calls.begin(graph, "x").await;
        assert_eq!(calls.rig.end(run).await.summary.status, Status::Failed);
        assert_eq!(calls.output(graph, "x").await, Some(json!(2)), "{graph}");
        calls.rig.stop().await;
    }
}

/// The first call's worker is lost: whoever waited for the key, or its owner's next attempt,
/// does the work, and both runs have its result.
#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_works_at_is_waited_for_and_outlives_its_worker() {
    let calls = Calls::new(|n| if n == 1 { None } else { number(n) }).await;
    let first = calls.begin("keyed", "x").await;
    calls.rig.until(first, |_| calls.rig.ran.lock().len() == 1).await;
    let second = calls.begin("keyed", "x").await;
    for run in [first, second] {
        assert_eq!(calls.rig.end(run).await.output, Some(json!({ "out": 2 })));
    }
    assert_eq!(calls.rig.ran.lock().len(), 2);
    calls.rig.stop().await;
}
