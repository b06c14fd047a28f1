//! io and cpu apart, in real processes: with every cpu thread spinning and hundreds of io
//! jobs asleep, an io job still starts at once.
//!
//! Measured is what lies between the transition that opens a job and its first line in the
//! ledger, so with the publication, the delivery, the claim and the acknowledgement. Both
//! times are of one machine's clock, in milliseconds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use baton_integration_tests::cluster::{Cluster, ClusterOptions};
use baton_integration_tests::grpc::Happened;
use baton_testbed::{Rabbit, RabbitOptions, Redis, RedisOptions};
use serde_json::{Value, json};

use crate::patience::until;

const SLEEPERS: usize = 200;
const PROBES: usize = 200;
const START_MS_MAX: i64 = 50;

const SLEEP: &str = "
baton: 1
graph: sleepers
input: { count: array }
start: many
nodes:
  many:
    tool: { name: debug.ledger, args: { file: sleepers.jsonl, effect: pure, ms: 600000 } }
    timeout: 20m
    for_each: input.count
    max_parallel: 200
    then: end
";

const SPIN: &str = "
baton: 1
graph: spinners
input: { count: array }
start: many
nodes:
  many:
    tool: { name: debug.spin, args: { ms: 600000 } }
    timeout: 20m
    for_each: input.count
    max_parallel: 200
    then: end
";

const PROBE: &str = "
baton: 1
graph: probes
input: { turns: integer, file: string }
state: { turns: { type: integer, default: 0 } }
start: turn
nodes:
  turn:
    tool: { name: debug.ledger, args: { file: '{{ input.file }}', effect: pure } }
    save: { turns: state.turns + 1 }
    then: [ { when: state.turns < input.turns, to: turn }, { to: end } ]
";

#[tokio::test(flavor = "multi_thread")]
async fn an_io_job_starts_at_once_while_every_cpu_thread_spins() {
    let options =
        ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 1, hurry: 5, ..ClusterOptions::default() };
    // The disk is not what is measured: Redis syncs every second, unless somebody wants to
    // see the other.
    let appendfsync = std::env::var("BATON_TEST_APPENDFSYNC").unwrap_or_else(|_| "everysec".to_owned());
    let redis = Redis::start(RedisOptions { appendfsync, ..RedisOptions::default() }).unwrap();
    let rabbit = Rabbit::start(RabbitOptions::default()).unwrap();
    let mut cluster = Cluster::over(&options, redis, rabbit).await.unwrap();
    let ledger = in_memory();
    cluster.workers[0].env("BATON_SLOTS", &(SLEEPERS + 56).to_string());
    cluster.workers[0].env("BATON_DEBUG_DIR", &ledger.path().display().to_string());
    cluster.run_all().await.unwrap();
    for graph in [SLEEP, SPIN, PROBE] {
        cluster.client.apply(graph, &[]).await.unwrap();
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let (io, cpu) = (cluster.workers[0].pid().unwrap(), cluster.workers[1].pid().unwrap());
    let many = |count: usize| json!({"count": (0..count).collect::<Vec<_>>()});
    let sleepers = cluster.client.submit("sleepers", &many(SLEEPERS), "sleepers").await.unwrap();
    let spinners = cluster.client.submit("spinners", &many(2 * cores), "spinners").await.unwrap();
    let folder = ledger.path();
    let asleep = || starts(&folder.join("sleepers.jsonl")).len() == SLEEPERS;
    until(&cluster, "every sleeper sleeps", async || asleep().then_some(())).await;
    let is_busy = || pool_threads(cpu).len() == cores && cpu_ticks(cpu) > 20;
    until(&cluster, "every cpu thread is busy", async || is_busy().then_some(())).await;

    let (io_ticks, cpu_ticks_before, began) = (cpu_ticks(io), cpu_ticks(cpu), Instant::now());
    // The machine may be busy with other things: the best of a few rounds counts.
    let (mut best, mut started) = (i64::MAX, Vec::new());
    for round in 0..3 {
        let file = format!("probes-{round}.jsonl");
        let [late, claimed] = probe(&cluster, folder, &file).await;
        started.extend(starts(&folder.join(&file)));
        let at = |sorted: &[i64], share: usize| sorted[(sorted.len() - 1) * share / 100];
        let told = |sorted: &[i64]| format!("{} / {} / {} ms", at(sorted, 50), at(sorted, 99), at(sorted, 100));
        println!("p50 / p99 / slowest: started after {}, claimed after {}", told(&late), told(&claimed));
        best = best.min(at(&late, 99));
        if best <= START_MS_MAX {
            break;
        }
    }
    let (io_ticks, spun, took) = (cpu_ticks(io) - io_ticks, cpu_ticks(cpu) - cpu_ticks_before, began.elapsed());

    assert_eq!(pool_threads(cpu).len(), cores, "cpu threads equal cores");
    assert_eq!(pool_threads(io).len(), 0, "an io process has no cpu threads");
    assert!(spun > 2 * io_ticks, "{spun} ticks of the cpu process, {io_ticks} of the io process in {took:?}");
    assert!(best <= START_MS_MAX, "p99 of {PROBES} starts: {best} ms");

    let everywhere = started.iter().chain(&starts(&folder.join("sleepers.jsonl"))).all(|line| line["pid"] == io);
    assert!(everywhere, "io jobs run in the io process");
    cluster.client.cancel(&spinners).await.unwrap();
    cluster.client.cancel(&sleepers).await.unwrap();
    for run in [&spinners, &sleepers] {
        let seen = cluster.client.settled(run, Duration::from_secs(60)).await.unwrap();
        assert_eq!(seen.status, "cancelled", "{}", cluster.logs());
    }
    let spun_by = claimed_by(&cluster.client.events(&spinners).await.unwrap());
    let slept_by = claimed_by(&cluster.client.events(&sleepers).await.unwrap());
    assert_eq!(spun_by.values().sum::<usize>(), cores, "no more cpu jobs at once than cores");
    assert_eq!((spun_by.len(), slept_by.len()), (1, 1), "{spun_by:?} {slept_by:?}");
    assert!(spun_by.keys().all(|worker| !slept_by.contains_key(worker)), "no cpu job runs in an io process");
}

/// One round of probes: milliseconds from opening to starting and to the claim, each sorted.
async fn probe(cluster: &Cluster, folder: &Path, file: &str) -> [Vec<i64>; 2] {
    let input = json!({"turns": PROBES, "file": file});
    let run = cluster.client.submit("probes", &input, file).await.unwrap();
    let seen = cluster.client.settled(&run, Duration::from_secs(120)).await.unwrap();
    assert_eq!(seen.status, "succeeded", "{seen:?}\n{}", cluster.logs());
    let started = starts(&folder.join(file));
    let events = cluster.client.events(&run).await.unwrap();
    let group_of = |line: &Value| line["job"].as_str().and_then(|job| job.split('/').nth(2)).unwrap().to_owned();
    let started: BTreeMap<String, i64> =
        started.iter().map(|line| (group_of(line), line["at_ms"].as_i64().unwrap())).collect();
    let claims = events.iter().filter(|event| event.kind == "claimed");
    let claimed: BTreeMap<String, i64> = claims.map(|event| (event.group.clone(), event.at_ms)).collect();
    [lateness(&events, &started), lateness(&events, &claimed)]
}

/// Milliseconds from the opening of each turn to that moment of its group, sorted.
fn lateness(events: &[Happened], moments: &BTreeMap<String, i64>) -> Vec<i64> {
    let opened = events.iter().filter(|event| event.kind == "opened");
    let mut late: Vec<i64> = opened.map(|event| moments[&event.group] - event.at_ms).collect();
    assert_eq!(late.len(), PROBES);
    late.sort_unstable();
    late
}

/// Claims by worker.
fn claimed_by(events: &[Happened]) -> BTreeMap<String, usize> {
    let mut claims = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == "claimed") {
        *claims.entry(event.text.clone()).or_default() += 1;
    }
    claims
}

/// A folder whose syncs cost nothing where there is one: those of the ledger would be told
/// apart from those of Redis by nobody.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Start lines of a ledger file.
fn starts(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["phase"] == "start").collect()
}

/// Names of a process's threads that run cpu jobs.
fn pool_threads(pid: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("baton-cpu-")).collect()
}

/// Ticks of a core a process has used, in its own code and in the kernel's.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind_name.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}
