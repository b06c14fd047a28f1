//! Turns of a thread: each reads what it brings, not what the thread holds.

use std::collections::BTreeMap;

use baton_engine::expr::Expr;
use baton_engine::graph::{Channel, Reducer};
use serde_json::json;

use super::graphs::{graph, tool};
use super::*;

/// Keeps what it is told in a list, and gives the list's length.
fn keeps() -> Compiled {
    let save = [("log", "output.text"), ("out", "size(state.log)")];
    let mut compiled = graph("keeps", vec![tool("a", &json!({"text": "{{ input.text }}"}), &save, &[])]);
    let log = Channel { schema: json!({}), reducer: Reducer::Append, default: json!([]), keep: true };
    compiled.graph.channels.insert("log".into(), log);
    compiled.graph.output = BTreeMap::from([("out".to_owned(), Expr::compile("size(state.log)").unwrap())]);
    compiled
}

async fn turn(rig: &Rig, number: usize) -> Option<Value> {
    let (text, request) = (json!({ "text": number }), format!("r-{number}"));
    let run = rig.submit_as("keeps", text, &request, Some("talk")).await;
    rig.end(run).await.output
}

#[tokio::test(start_paused = true)]
async fn a_turn_reads_no_more_of_a_long_thread_than_of_a_short_one() {
    let one = Rig::new(vec![keeps()], Settings::default()).await;
    one.work(echo);
    let mut reads = Vec::new();
    for number in 0..40 {
        one.store.take(&[]);
        assert_eq!(turn(&one, number).await, Some(json!({ "out": number + 1 })));
        let counts = one.store.take(&[]);
        let of = |name: &str| counts.get(name).copied().unwrap_or_default();
        reads.push((of("pieces"), of("read checkpoint")));
    }
    assert!(reads[1..].iter().all(|(pieces, checkpoints)| *pieces == 0 && *checkpoints <= 4), "{reads:?}");
    one.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_comes_back_to_a_thread_reads_what_came_since() {
    let one = Rig::new(vec![keeps()], Settings::default()).await;
    one.work(echo);
    for number in 0..20 {
        turn(&one, number).await;
    }
    let settings = Settings { seed: 2, replica: "two".to_owned(), ..Settings::default() };
    let two = Rig::over(one.store.clone(), one.broker.clone(), vec![keeps()], settings).await;
    one.store.take(&[]);
    assert_eq!(turn(&two, 20).await, Some(json!({ "out": 21 })));
    assert!(one.store.take(&[])["pieces"] >= 20, "it knew nothing of the thread");
    for number in 21..24 {
        turn(&one, number).await;
    }
    one.store.take(&[]);
    assert_eq!(turn(&two, 24).await, Some(json!({ "out": 25 })));
    let pieces = one.store.take(&[]).get("pieces").copied().unwrap_or_default();
    assert!(pieces <= 6, "{pieces} pieces, where three came since");
    one.stop().await;
    two.stop().await;
}
