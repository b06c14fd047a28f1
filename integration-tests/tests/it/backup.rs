//! A copy of Redis's log, taken while runs are under way, is a backup: what was acknowledged
//! before it goes on once it is put back, and what came later is begun anew by who asks again.
//! What a promotion or a power failure forgets is left to the fault drills.

use std::fs;
use std::path::Path;
use std::time::Duration;

use baton_integration_tests::cluster::{Cluster, ClusterOptions};
use baton_testbed::wait_until;
use serde_json::json;

/// A person is asked, then a job is done.
const ASKS: &str = "
baton: 1
graph: asks
output: { words: state.words }
state: { words: { type: string, default: 'as it was' } }
start: review
nodes:
  review:
    ask: { title: 'Publish?', edit: state.words }
    then: work
  work:
    tool: { name: debug.echo, args: { words: '{{ state.words }}' } }
    then: end
";

const WITHIN: Duration = Duration::from_secs(60);
const LOG: &str = "appendonlydir";

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_taken_under_way_goes_on_where_it_was() {
    let options = ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::start(&options).await.unwrap();
    cluster.run_all().await.unwrap();
    cluster.client.apply(ASKS, &[]).await.unwrap();
    let early = cluster.client.submit("asks", &json!({}), "early").await.unwrap();
    assert_eq!(cluster.client.settled(&early, WITHIN).await.unwrap().asks.len(), 1);

    // What docs/operations/backup.md says to do.
    let copy = tempfile::tempdir().unwrap();
    cluster.redis.cli(&["config", "set", "auto-aof-rewrite-percentage", "0"]).unwrap();
    wait_until("no rewrite goes on", WITHIN, || {
        Ok(cluster.redis.cli(&["info", "persistence"])?.contains("aof_rewrite_in_progress:0"))
    })
    .unwrap();
    copied(&cluster.redis.folder().join(LOG), copy.path());
    cluster.redis.cli(&["config", "set", "auto-aof-rewrite-percentage", "100"]).unwrap();

    let decision = json!({"action": "approve"});
    cluster.client.answer(&early, "review", &decision).await.unwrap();
    assert_eq!(cluster.client.settled(&early, WITHIN).await.unwrap().status, "succeeded");
    let late = cluster.client.submit("asks", &json!({}), "late").await.unwrap();
    cluster.client.settled(&late, WITHIN).await.unwrap();

    // Everything is lost but the copy.
    cluster.orchestrators[0].kill();
    cluster.redis.kill();
    let log = cluster.redis.folder().join(LOG);
    fs::remove_dir_all(&log).unwrap();
    fs::create_dir(&log).unwrap();
    copied(copy.path(), &log);
    cluster.redis.restart().unwrap();
    cluster.run_all().await.unwrap();

    let seen = cluster.client.settled(&early, WITHIN).await.unwrap();
    assert_eq!(seen.asks.len(), 1, "its answer came after the copy, so that it asks again: {seen:?}");
    cluster.client.answer(&early, "review", &decision).await.unwrap();
    let ended = cluster.client.settled(&early, WITHIN).await.unwrap();
    assert_eq!((ended.status.as_str(), ended.output), ("succeeded", Some(json!({"words": "as it was"}))));
    assert!(cluster.client.get(&late).await.is_err(), "it was submitted after the copy");
    let again = cluster.client.submit("asks", &json!({}), "late").await.unwrap();
    assert_eq!(cluster.client.settled(&again, WITHIN).await.unwrap().asks.len(), 1, "who asks again begins it anew");
}

fn copied(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
