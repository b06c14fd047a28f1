//! Servers that are unfit, restart, forget or are full.

use std::time::Duration;

use baton_common::ids::{Actor, InterruptId};
use baton_common::records::TaskKind;
use baton_common::settings::Timings;
use baton_common::transition::{AdvanceAnswer, OnBusy, Op, RecordVerdict, Reply, Submit};
use baton_common::{ErrorClass, Fence, Gen, JobId, Version};
use baton_store::{Error, Reader, RedisOptions, RedisStore, Registry, Store, machine};
use baton_testbed::{Proxy, Redis};

use super::{url, world};

fn start(args: &[&str]) -> Redis {
    let args = args.iter().map(ToString::to_string).collect();
    Redis::start(baton_testbed::RedisOptions { args, ..Default::default() }).unwrap()
}

fn options(url: impl Into<String>) -> RedisOptions {
    RedisOptions::new(url, Timings::default())
}

#[tokio::test]
async fn a_server_that_evicts_or_keeps_no_log_is_refused() {
    let server = start(&["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]);
    let refused = RedisStore::connect(options(server.url())).await.err().unwrap();
    assert!(matches!(&refused, Error::Broken(why) if why.contains("noeviction")), "{refused}");
    let server = start(&["--appendonly", "no"]);
    let refused = RedisStore::connect(options(server.url())).await.err().unwrap();
    assert!(matches!(&refused, Error::Broken(why) if why.contains("appendonly")), "{refused}");
    let accepted = RedisOptions { allow_no_aof: true, ..options(server.url()) };
    assert!(RedisStore::connect(accepted).await.is_ok());
}

#[tokio::test]
async fn a_store_of_another_layout_is_refused_and_its_name_stays() {
    let url = url();
    let name = RedisStore::connect(options(&url)).await.unwrap().cluster().await.unwrap();
    assert_eq!(RedisStore::connect(options(&url)).await.unwrap().cluster().await.unwrap(), name);
    let mut connection = redis::Client::open(url.as_str()).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("HSET").arg("baton:meta").arg("layout").arg("99").exec_async(&mut connection).await.unwrap();
    assert!(matches!(RedisStore::connect(options(&url)).await, Err(Error::Broken(_))));
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let refused = RedisStore::connect(options("redis://127.0.0.1:1/")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn forgotten_scripts_are_loaded_again() {
    let server = start(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    server.cli(&["script", "flush"]).unwrap();
    world::submit(&store, &world::run_info(1)).await;
    server.cli(&["script", "flush"]).unwrap();
    let partition = world::run_info(1).id.partition;
    let pages = store.pop_due(&[partition], 10, 1_000).await.unwrap();
    assert_eq!(pages[0].due.len(), 1);
}

#[tokio::test]
async fn a_killed_server_is_unavailable_and_then_has_everything() {
    let mut server = start(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    server.kill();
    // Longer than any series of attempts to connect.
    for _ in 0..8 {
        let lost = store.apply(Op::Unpark { run: info.id, actor: Actor::local(), operation: String::new() }).await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    }
    server.restart().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let reply = loop {
        match store.apply(Op::Unpark { run: info.id, actor: Actor::local(), operation: String::new() }).await {
            Ok(reply) => break reply,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(reply, Reply::Changed(false));
    assert_eq!(store.run(info.id).await.unwrap().unwrap().info, info);
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_and_nothing_is_done_twice() {
    let server = start(&[]);
    let patience = RedisOptions { response_timeout_ms: 300, connections: 8, ..options(server.url()) };
    let store = RedisStore::connect(patience).await.unwrap();
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let commit = world::commit(&info, 0, Vec::new(), Vec::new());
    server.freeze().unwrap();
    let unknown = store.apply(Op::Advance(commit.clone().into())).await;
    assert!(matches!(unknown, Err(Error::Unavailable(_))), "{unknown:?}");
    server.thaw().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let ver = loop {
        match store.apply(Op::Advance(commit.clone().into())).await {
            Ok(Reply::Advance(AdvanceAnswer::Already { ver } | AdvanceAnswer::Advanced { ver, .. })) => break ver,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(ver, Version(2));
    assert_eq!(store.run(info.id).await.unwrap().unwrap().state.ver, Version(2));
}

#[tokio::test]
async fn a_connection_whose_other_end_is_gone_is_replaced() {
    let server = start(&[]);
    let proxy = Proxy::start(server.port()).unwrap();
    let url = format!("redis://127.0.0.1:{}/", proxy.port());
    let patience = RedisOptions { response_timeout_ms: 300, ..options(url) };
    let store = RedisStore::connect(patience).await.unwrap();
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    proxy.silence();
    let lost = store.run(info.id).await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    assert_eq!(store.run(info.id).await.unwrap().unwrap().info, info);
}

#[tokio::test]
async fn a_demoted_server_is_unavailable_until_a_primary_is_there() {
    let server = start(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let info = world::run_info(1);
    server.cli(&["replicaof", "127.0.0.1", "1"]).unwrap();
    let submit = Op::Submit(Box::new(Submit::new(info.clone(), OnBusy::Reject)));
    assert!(matches!(store.apply(submit).await, Err(Error::Unavailable(_))));
    server.cli(&["replicaof", "no", "one"]).unwrap();
    world::submit(&store, &info).await;
}

#[tokio::test]
async fn a_clock_that_steps_back_moves_no_moment_back() {
    let server = start(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let info = world::run_info(1);
    let later = store.now().await.unwrap().plus_ms(3_600_000);
    server.cli(&["set", &format!("{{p{}}}c", info.id.partition), &later.to_string()]).unwrap();
    world::submit(&store, &info).await;
    assert_eq!(store.run(info.id).await.unwrap().unwrap().state.created_at, later);
    assert_eq!(store.load(info.id).await.unwrap().unwrap().now, later);
}

#[tokio::test]
async fn questions_are_named_by_the_generation_the_run_has() {
    let server = start(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let script = "local s = {cmsgpack.unpack(redis.call('HGET', KEYS[1], 's'))} s[2] = 3
                  return redis.call('HSET', KEYS[1], 's', cmsgpack.pack(unpack(s)))";
    let key = format!("{{p{}}}r:{}", info.id.partition, info.id.uuid.simple());
    server.cli(&["eval", script, "1", &key]).unwrap();
    let mut group = world::group_info(world::group_id("ask", 1), 1);
    group.kind = TaskKind::Ask;
    let open = vec![world::new_group(info.id, group.clone())];
    world::advance(&store, world::commit(&info, 0, Vec::new(), open)).await;
    let job = JobId { r#gen: Gen(3), ..world::job(info.id, &group.id, 0) };
    let inbox = store.inbox(&info.thread.tenant, 10).await.unwrap();
    assert_eq!(inbox.len(), 1);
    assert_eq!((inbox[0].id, &inbox[0].job), (InterruptId::of(&job, 0), &job));
}

#[tokio::test]
async fn a_full_server_says_so_and_changes_nothing() {
    let server = start(&["--maxmemory", "3mb"]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let mut number = 0;
    let refused = loop {
        let mut info = world::run_info(number);
        info.input = "x".repeat(50_000);
        let op = Submit::new(info, OnBusy::Reject);
        match store.apply(Op::Submit(Box::new(op))).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
        assert!(number < 1_000, "the server never fills");
    };
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    assert_eq!(store.run(world::run_info(number).id).await.unwrap(), None);
}

#[tokio::test]
async fn a_row_of_another_type_is_broken() {
    let server = start(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let info = world::run_info(1);
    let key = format!("{{p{}}}r:{}", info.id.partition, info.id.uuid.simple());
    server.cli(&["set", &key, "text"]).unwrap();
    assert!(matches!(
        store.apply(Op::Unpark { run: info.id, actor: Actor::local(), operation: String::new() }).await,
        Err(Error::Broken(_))
    ));
}

#[tokio::test]
async fn a_backoff_is_the_one_of_the_machine() {
    let url = url();
    let store = RedisStore::connect(options(&url)).await.unwrap();
    for number in 0..20 {
        let info = world::run_info(number);
        world::submit(&store, &info).await;
        let mut group = world::group_info(world::group_id("node", 1), 1);
        group.policy.attempts_max = 30;
        group.policy.backoff_min_ms = 1 + number % 3;
        group.policy.backoff_max_ms = 37;
        let policy = group.policy.clone();
        let job = world::job(info.id, &group.id, 0);
        let open = vec![world::new_group(info.id, group)];
        world::advance(&store, world::commit(&info, 0, Vec::new(), open)).await;
        for attempt in 1..8 {
            let fence = granted(&store, &job, attempt).await;
            let verdict = world::record(&store, &job, fence, world::failed(ErrorClass::Timeout)).await;
            let RecordVerdict::Retry { at } = verdict else { panic!("{verdict:?}") };
            let events = store.events(info.id, 0, 1_000).await.unwrap();
            let now = events.last().unwrap().at;
            let tries = u32::try_from(attempt).unwrap();
            assert_eq!(at, machine::retry_at(now, &policy, &job, tries, None), "run {number}, attempt {attempt}");
        }
    }
}

/// Claims until the backoff is over.
async fn granted(store: &RedisStore, job: &JobId, attempt: u64) -> Fence {
    use baton_common::transition::ClaimVerdict;
    loop {
        match store.apply(world::claim_op(job)).await.unwrap() {
            Reply::Claim(ClaimVerdict::Granted(granted)) => {
                assert_eq!(granted.fence, Fence(attempt));
                return granted.fence;
            }
            Reply::Claim(ClaimVerdict::Busy) => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    }
}
