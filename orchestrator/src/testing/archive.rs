//! Runs that were removed, and what can still be read of them.

use std::io::Read as _;

use baton_common::TenantId;
use flate2::read::GzDecoder;
use futures_util::TryStreamExt as _;

use super::graphs::{graph, tool};
use super::*;

const DAY_MS: u64 = 24 * 3_600_000;

async fn lines_of(rig: &Rig, run: RunId) -> Vec<Value> {
    let found = rig.orchestrator.archive(&Caller::local(), run).await.unwrap();
    let pieces: Vec<bytes::Bytes> = found.content.try_collect().await.unwrap();
    let mut text = String::new();
    GzDecoder::new(pieces.concat().as_slice()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_removed_run_can_still_be_read_for_a_while() {
    let nodes = vec![tool("a", &json!({"x": 7}), &[("out", "output")], &[])];
    let settings = Settings { archive_ms: 3 * DAY_MS, ..Settings::default() };
    let rig = Rig::new(vec![graph("keeps", nodes)], settings).await;
    let large = json!({ "text": "x".repeat(300_000) });
    let result = large.clone();
    rig.work(move |_| Some(Outcome::value(result.clone())));
    let own = Caller::local();
    let mut runs = Vec::new();
    for number in 0..3 {
        let run = rig.submit_as("keeps", json!({}), &format!("r{number}"), None).await;
        rig.end(run).await;
        rig.orchestrator.inner.collect(run).await.unwrap();
        assert!(rig.orchestrator.get(&own, run).await.is_err(), "its records are gone");
        runs.push(run);
    }
    runs.sort_unstable();
    let page = rig.orchestrator.archives(&own, None, 2).await.unwrap();
    let rest = rig.orchestrator.archives(&own, page.next, 2).await.unwrap();
    let listed: Vec<RunId> = page.archives.iter().chain(&rest.archives).map(|archive| archive.run).collect();
    assert_eq!((listed, page.next, rest.next), (runs.clone(), Some(runs[1]), None));

    let lines = lines_of(&rig, runs[0]).await;
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("run")[0]["run"]["info"]["id"], json!(runs[0]));
    assert!(!of("checkpoint").is_empty() && !of("event").is_empty());
    assert_eq!(of("state")[0]["values"]["out"], large, "values that lay elsewhere are in it");

    let other = Caller { tenant: TenantId::parse("other").unwrap(), ..Caller::local() };
    assert!(rig.orchestrator.archives(&other, None, 0).await.unwrap().archives.is_empty());
    let refused = rig.orchestrator.archive(&other, runs[0]).await.err().unwrap();
    assert_eq!(refused.code, "archive_not_found");

    let now = baton_blobs::content::now();
    rig.orchestrator.inner.sweep_blobs(None, false, now.plus_ms(2 * DAY_MS)).await.unwrap();
    assert_eq!(rig.orchestrator.archives(&own, None, 0).await.unwrap().archives.len(), 3);
    rig.orchestrator.inner.sweep_blobs(None, false, now.plus_ms(4 * DAY_MS)).await.unwrap();
    assert!(rig.orchestrator.archives(&own, None, 0).await.unwrap().archives.is_empty());
    rig.stop().await;
}
