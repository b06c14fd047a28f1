//! The crash matrix: real processes on Redis and RabbitMQ, one of which aborts at a named
//! point between two adjacent steps of the protocol. The run ends all the same, and each
//! key was executed to its end once.

use std::time::Duration;

use baton_common::failpoint;
use baton_integration_tests::cluster::{Cluster, ClusterOptions, ledger};
use serde_json::json;

const GRAPH: &str = include_str!("crash.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_any_two_steps_loses_and_doubles_nothing() {
    let options = ClusterOptions { orchestrators: 2, io_workers: 2, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::start(&options).await.unwrap();
    cluster.run_all().await.unwrap();
    cluster.client.apply(GRAPH, &[]).await.unwrap();
    for point in failpoint::ORCHESTRATOR {
        // Both replicas are told, so that whoever comes by dies; one at a time comes back.
        for place in 0..2 {
            rearm(&mut cluster, Role::Orchestrator, place, Some(point));
        }
        one_run(&mut cluster, Role::Orchestrator, point).await;
    }
    for point in failpoint::WORKER {
        for place in 0..2 {
            rearm(&mut cluster, Role::Worker, place, Some(point));
        }
        one_run(&mut cluster, Role::Worker, point).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Orchestrator,
    Worker,
}

/// Starts a process again, with or without a point to die at.
fn rearm(cluster: &mut Cluster, role: Role, place: usize, point: Option<&str>) {
    let process = match role {
        Role::Orchestrator => &mut cluster.orchestrators[place],
        Role::Worker => &mut cluster.workers[place],
    };
    process.kill();
    match point {
        Some(point) => process.env("BATON_FAIL", &format!("{point}:crash")),
        None => process.unset("BATON_FAIL"),
    }
    process.start().unwrap();
}

/// One run during which whoever passes the point dies and comes back.
async fn one_run(cluster: &mut Cluster, role: Role, point: &str) {
    let file = format!("{point}.jsonl");
    let client = cluster.client.clone();
    let input = json!({"file": file.clone()});
    let request = format!("crash-{point}");
    let run = tokio::spawn(async move {
        let run = client.submit("crash", &input, &request).await?;
        client.settled(&run, Duration::from_secs(60)).await
    });
    // Marks are only made of jobs that nobody claims at once.
    let idle = point == "before_mark";
    if idle {
        cluster.workers.iter_mut().for_each(|worker| worker.kill());
    }
    let mut deaths = 0;
    while !run.is_finished() {
        if idle && deaths > 0 {
            cluster.workers.iter_mut().for_each(|worker| worker.start().unwrap());
        }
        for place in 0..2 {
            let dead = match role {
                Role::Orchestrator => !cluster.orchestrators[place].is_running(),
                Role::Worker => !cluster.workers[place].is_running(),
            };
            if dead {
                deaths += 1;
                rearm(cluster, role, place, None);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = match run.await.unwrap() {
        Ok(seen) => seen,
        Err(error) => panic!("{point}: {error:#}\n{}", cluster.logs()),
    };
    assert_eq!(seen.status, "succeeded", "{point}: {seen:?}\n{}", cluster.logs());
    assert_eq!(seen.output, Some(json!({"ends": 5})), "{point}");
    assert!(deaths > 0, "{point}: nobody died, so nothing was shown\n{}", cluster.logs());
    let executions = ledger::read(&cluster.ledger_folder()).unwrap();
    let here: Vec<_> = executions.values().filter(|it| it.job.contains("first#") || it.job.contains("many#")).collect();
    assert!(here.len() >= 5, "{point}: {executions:?}");
    for execution in executions.values() {
        assert_eq!(execution.ends, 1, "{point}: {execution:?}");
    }
}
