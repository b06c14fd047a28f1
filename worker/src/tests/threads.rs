//! What only real threads show.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_common::Payload;
use baton_common::job::Outcome;
use baton_common::tool::QueueClass;
use serde_json::json;

use super::tools::SPINNING_MAX;
use crate::settings::cores;
use crate::testing::{Bench, LEASE_MS};
use crate::{CpuPool, Renewal, wiring};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_cpu_jobs_compute_as_there_are_cores() {
    let mut bench = Bench::new(QueueClass::Cpu);
    bench.settings.slots = cores();
    bench.cpu = wiring::cpu_pool(cores(), bench.settings.cpu_nice).unwrap();
    for index in 0..u32::try_from(cores() * 4).unwrap() {
        // The first jobs spin until every core has one: fewer threads would never end.
        bench.submit(index, "t.cpu", json!({ "together": cores() })).await;
    }
    bench.submit(9_999, "t.cpu", json!({ "panic": true })).await;
    let worker = bench.start();
    bench.until_done().await;
    assert_eq!(SPINNING_MAX.load(Ordering::SeqCst), cores());
    let mut threads = std::collections::BTreeSet::new();
    for row in bench.control.book().jobs.values() {
        if let Some(Outcome::Ok(Payload::Inline(value))) = &row.outcome {
            threads.insert(value["thread"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(threads.len(), cores(), "{threads:?}");
    assert!(threads.iter().all(|name| name.starts_with("baton-cpu-")), "{threads:?}");
    bench.shutdown.cancel();
    worker.await.unwrap().unwrap();
}

/// How nice the calling thread is.
#[cfg(target_os = "linux")]
fn niceness() -> i64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn cpu_threads_yield_to_the_rest_of_their_process() {
    for nice in [0, 10] {
        let CpuPool::Rayon(pool) = wiring::cpu_pool(1, nice).unwrap() else { panic!("no threads") };
        assert_eq!(pool.install(niceness), (niceness() + i64::from(nice)).min(19));
    }
}

#[tokio::test]
async fn leases_are_renewed_while_the_runtime_is_busy() {
    let mut bench = Bench::new(QueueClass::Io);
    let control = bench.control.clone();
    bench.renewal = Renewal::Thread(Arc::new(move || Arc::new(control.clone())));
    let job = bench.submit(0, "t.io", json!({ "ms": 3_600_000 })).await;
    let worker = bench.start();
    bench.until("it is claimed", |book| book.claims.len() == 1).await;
    let claimed = bench.control.book().jobs[&job].renewed;
    // The one thread of this runtime does nothing else for longer than a renewal takes.
    std::thread::sleep(Duration::from_millis(LEASE_MS));
    assert!(bench.control.book().jobs[&job].renewed > claimed);
    worker.abort();
}
