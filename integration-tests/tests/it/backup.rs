//! `docs/operations/backup.md`, done while programs go on: a backup of a store that serves, the loss of the
//! server and of the blobs, and both brought back under orchestrators and workers that never
//! ended. Runs go on from what the backup holds, and the audit log names those that went back.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use baton_integration_tests::chaos::api::{Api, Told};
use baton_integration_tests::cluster::{Cluster, ClusterOptions};
use baton_proto::v1::{AuditEntry, Run, RunStatus};
use baton_testbed::{Rabbit, RabbitOptions, Redis, RedisOptions};
use serde_json::{Value, json};

/// A value that lies in the blob store, a question, and a job that reads the value.
const ASKS: &str = "
baton: 1
graph: asks
input: { bytes: integer }
output: { counted: state.counted }
state: { doc: object, draft: { type: string, default: a draft }, counted: { type: integer, default: 0 } }
start: make
nodes:
  make:
    tool: { name: debug.large, args: { bytes: '{{ input.bytes }}' } }
    save: { doc: output }
    then: approve
  approve:
    ask: { title: Good?, edit: state.draft, allow: [approve, reject], expires: 1h }
    then: count
  count:
    tool: { name: debug.large, args: { count: '{{ state.doc }}' } }
    save: { counted: output.bytes }
    then: end
";

/// Turns of one job.
const TURNS: &str = "
baton: 1
graph: turns
input: { turns: integer }
output: { turns: state.turns }
state: { turns: { type: integer, reduce: sum, default: 0 } }
start: work
nodes:
  work:
    tool: { name: debug.sleep, effect: idempotent, args: { ms: 10 } }
    save: { turns: '1' }
    then:
      - { when: state.turns < input.turns, to: work }
      - { to: end }
";

/// Above what is read into its place.
const BYTES: u64 = 20_000_000;
/// Enough for a run that is under way from before the backup to after the loss.
const LONG: u64 = 150;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_lost_store_brings_its_runs_back() {
    lost_and_brought_back(Redis::back_up_snapshot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_log_of_a_lost_store_brings_its_runs_back() {
    lost_and_brought_back(Redis::back_up_log).await;
}

async fn lost_and_brought_back(back_up: fn(&Redis, &Path) -> anyhow::Result<()>) {
    let (cluster, api) = bed().await;
    let mut cluster = cluster;
    let ended = asking(&api, "ended").await;
    approve(&api, &ended).await;
    let over = until(&api, &ended, is_over).await;
    let (asks, goes) = (asking(&api, "asks").await, api.submitted("turns", &json!({"turns": LONG}), "goes").await);
    let goes = goes.unwrap();
    until(&api, &goes, |run| run.superstep >= 5).await;

    // The store first, so that every blob it names is in the copy of the blobs.
    let backup = tempfile::tempdir().unwrap();
    back_up(&cluster.redis, backup.path()).unwrap();
    let blobs = backup.path().join("blobs");
    copy(&cluster.blobs_folder(), &blobs);

    // What the backup does not know: an answer, a run, and what a run went on.
    let begun = until(&api, &goes, |_| true).await.superstep;
    approve(&api, &asks).await;
    until(&api, &asks, is_over).await;
    let late = api.submitted("turns", &json!({"turns": 1}), "late").await.unwrap();
    until(&api, &late, is_over).await;
    until(&api, &goes, |run| run.superstep >= begun + 5).await;

    cluster.redis.lose().unwrap();
    std::fs::remove_dir_all(cluster.blobs_folder()).unwrap();
    copy(&blobs, &cluster.blobs_folder());
    cluster.redis.bring_back(backup.path()).unwrap();

    let told = told_back(&api, &[&asks, &goes, &late]).await;
    let verdict = |run: &str| told[run].iter().map(|entry| entry.verdict.as_str()).collect::<Vec<_>>();
    assert_eq!((verdict(&asks), verdict(&goes), verdict(&late)), (vec!["went_back"], vec!["went_back"], vec!["gone"]));
    assert!(!told.contains_key(&ended), "it had ended before the backup: {told:?}");
    assert_eq!(until(&api, &ended, |_| true).await, over, "what the backup holds is as it was");

    // It asks again, with the value from the blobs of the backup behind it.
    until(&api, &asks, |run| !run.interrupts.is_empty()).await;
    approve(&api, &asks).await;
    assert_eq!(output(&until(&api, &asks, is_over).await), json!({ "counted": BYTES }), "{}", cluster.logs());
    assert_eq!(output(&until(&api, &goes, is_over).await), json!({ "turns": LONG }), "{}", cluster.logs());
    // Whoever submits again what is gone gets it, under the same name.
    assert_eq!(api.submitted("turns", &json!({"turns": 1}), "late").await.unwrap(), late);
    assert_eq!(output(&until(&api, &late, is_over).await), json!({ "turns": 1 }));
}

async fn bed() -> (Cluster, Api) {
    let redis = Redis::start(RedisOptions { appendfsync: "always".to_owned(), ..RedisOptions::default() }).unwrap();
    let rabbit = Rabbit::start(RabbitOptions::default()).unwrap();
    let options = ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::over(&options, redis, rabbit).await.unwrap();
    cluster.run_all().await.unwrap();
    let api = Api::new(&[cluster.orchestrators[0].address.clone().unwrap()]).unwrap();
    for graph in [ASKS, TURNS] {
        api.apply(graph).await.unwrap();
    }
    (cluster, api)
}

/// A run that has its large value and asks.
async fn asking(api: &Api, name: &str) -> String {
    let run = api.submitted("asks", &json!({ "bytes": BYTES }), name).await.unwrap();
    until(api, &run, |run| !run.interrupts.is_empty()).await;
    run
}

async fn approve(api: &Api, run: &str) {
    let began = Instant::now();
    loop {
        match api.answer(0, run, "approve", &json!({"action": "approve"})).await {
            Told::Ok(_) => return,
            Told::Unknown if began.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(50)).await,
            other => panic!("{other:?}"),
        }
    }
}

fn is_over(run: &Run) -> bool {
    assert!(!matches!(run.status(), RunStatus::Failed | RunStatus::Cancelled | RunStatus::Stuck), "{run:?}");
    run.status() == RunStatus::Succeeded
}

fn output(run: &Run) -> Value {
    serde_json::from_str(run.output_json.as_deref().unwrap()).unwrap()
}

/// The run as soon as it looks like that.
async fn until(api: &Api, run: &str, ready: impl Fn(&Run) -> bool) -> Run {
    let began = Instant::now();
    loop {
        let seen = api.got(run).await.unwrap();
        if ready(&seen) {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "never: {seen:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the audit log says went back, by run, once it speaks of all of these.
async fn told_back(api: &Api, runs: &[&String]) -> BTreeMap<String, Vec<AuditEntry>> {
    let began = Instant::now();
    loop {
        let mut told: BTreeMap<String, Vec<AuditEntry>> = BTreeMap::new();
        for entry in api.audit("setback", 0).await.unwrap() {
            told.entry(entry.run_id.clone()).or_default().push(entry);
        }
        if runs.iter().all(|run| told.contains_key(*run)) {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "the audit log tells of {told:?} only");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Copies a folder with everything beneath it.
fn copy(from: &Path, into: &Path) {
    std::fs::create_dir_all(into).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = into.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}
