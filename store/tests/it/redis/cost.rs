//! What the scripts cost the server. Figures are printed, only counts are promised.

use baton_common::records::RunInfo;
use baton_common::settings::Timings;
use baton_common::{Fence, JobId};
use baton_store::{RedisOptions, RedisStore};
use baton_testbed::Redis;
use futures_util::{StreamExt as _, stream};

use super::world;

const RUNS: u64 = 1_000;

/// Microseconds of the server's main thread so far, sockets, parsing and log included.
pub(super) fn cpu_usec(server: &Redis) -> f64 {
    let pid = server.pid().unwrap();
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1_000.0
}

/// Commands that scripts made since the last call or the last look at their time.
pub(super) fn commands(server: &Redis) -> u64 {
    let stats = server.cli(&["info", "commandstats"]).unwrap();
    server.cli(&["config", "resetstat"]).unwrap();
    let own = ["cmdstat_evalsha", "cmdstat_info", "cmdstat_config"];
    let lines = stats.lines().filter(|line| !own.iter().any(|name| line.starts_with(name)));
    lines.filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok()).sum()
}

/// Microseconds per script since the last reset.
fn usec_per_call(server: &Redis) -> f64 {
    let stats = server.cli(&["info", "commandstats"]).unwrap();
    server.cli(&["config", "resetstat"]).unwrap();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
    let value = line.split(',').find_map(|part| part.strip_prefix("usec_per_call=")).unwrap();
    value.parse().unwrap()
}

/// Does something for each, 50 at once.
async fn each<'a, T, F: Future>(items: &'a [T], work: impl Fn(&'a T) -> F) -> Vec<F::Output> {
    stream::iter(items.iter().map(work)).buffered(50).collect().await
}

#[tokio::test]
async fn a_tool_step_takes_at_most_four_scripts() {
    let server = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    let store = RedisStore::connect(RedisOptions::new(server.url(), Timings::default())).await.unwrap();
    let infos: Vec<RunInfo> = (0..RUNS).map(world::run_info).collect();
    let group = |step| world::group_id("node", step);
    each(&infos, |info| world::submit(&store, info)).await;
    println!("SUBMIT {:.1}", usec_per_call(&server));
    each(&infos, |info| {
        let open = vec![world::new_group(info.id, world::group_info(group(1), 1))];
        world::advance(&store, world::commit(info, 0, Vec::new(), open))
    })
    .await;
    println!("ADVANCE first {:.1}", usec_per_call(&server));
    let before: u64 = store.script_counts().values().sum();
    let (cpu, log) = (cpu_usec(&server), server.aof_len().unwrap());
    let mut total = 0.0;
    let jobs: Vec<JobId> = infos.iter().map(|info| world::job(info.id, &group(1), 0)).collect();
    assert!(each(&jobs, |job| world::mark(&store, job)).await.into_iter().all(|marked| marked));
    let cost = usec_per_call(&server);
    println!("MARK {cost:.1}");
    total += cost;
    each(&jobs, |job| world::claim(&store, job)).await;
    let cost = usec_per_call(&server);
    println!("CLAIM {cost:.1}");
    total += cost;
    each(&jobs, |job| world::record(&store, job, Fence(1), world::ok())).await;
    let cost = usec_per_call(&server);
    println!("RECORD {cost:.1}");
    total += cost;
    each(&infos, |info| {
        let open = vec![world::new_group(info.id, world::group_info(group(2), 1))];
        world::advance(&store, world::commit(info, 1, vec![group(1)], open))
    })
    .await;
    let cost = usec_per_call(&server);
    println!("ADVANCE {cost:.1}");
    total += cost;
    let cpu = (cpu_usec(&server) - cpu) / RUNS as f64;
    let log = (server.aof_len().unwrap() - log) / RUNS;
    println!("one step {total:.1} µs of scripts, {cpu:.1} µs of the server, {log} bytes of log");
    let scripts = store.script_counts().values().sum::<u64>() - before;
    assert!(scripts <= 4 * RUNS, "{:?}", store.script_counts());
    assert!(total < 5_000.0, "a step takes {total} µs");
}

#[tokio::test]
async fn a_lone_step_takes_few_commands() {
    let server = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    let store = RedisStore::connect(RedisOptions::new(server.url(), Timings::default())).await.unwrap();
    let info = world::run_info(1);
    let group = |step| world::group_id("node", step);
    let open = |step| vec![world::new_group(info.id, world::group_info(group(step), 1))];
    world::submit(&store, &info).await;
    world::advance(&store, world::commit(&info, 0, Vec::new(), open(1))).await;
    let job = world::job(info.id, &group(1), 0);
    let mut step = Vec::new();
    commands(&server);
    world::mark(&store, &job).await;
    step.push(commands(&server));
    world::claim(&store, &job).await;
    step.push(commands(&server));
    world::record(&store, &job, Fence(1), world::ok()).await;
    step.push(commands(&server));
    world::advance(&store, world::commit(&info, 1, vec![group(1)], open(2))).await;
    step.push(commands(&server));
    println!("MARK, CLAIM, RECORD and ADVANCE make {step:?} commands");
    assert!(step.iter().zip([8, 8, 9, 14]).all(|(made, most)| *made <= most), "{step:?}");
}

#[tokio::test]
async fn a_suspended_run_is_small() {
    let server = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
    let store = RedisStore::connect(RedisOptions::new(server.url(), Timings::default())).await.unwrap();
    let used = || -> f64 {
        let info = server.cli(&["info", "memory"]).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().to_owned();
        line.trim().parse().unwrap()
    };
    let infos: Vec<RunInfo> = (0..RUNS).map(world::run_info).collect();
    let before = used();
    for info in &infos {
        world::submit(&store, info).await;
        let open = vec![world::new_group(info.id, world::group_info(world::group_id("node", 1), 1))];
        world::advance(&store, world::commit(info, 0, Vec::new(), open)).await;
    }
    let each = (used() - before) / RUNS as f64;
    println!("a run with one checkpoint and one task {each:.0} bytes");
    let first = &infos[0];
    let (tag, uuid) = (format!("{{p{}}}", first.id.partition), first.id.uuid.simple());
    for key in [format!("r:{uuid}"), format!("b:{uuid}"), format!("t:{}", first.thread), format!("x:{}", first.thread)]
    {
        println!("{key} {}", server.cli(&["memory", "usage", &format!("{tag}{key}")]).unwrap());
    }
    assert!(each < 10_000.0, "{each} bytes");
}
