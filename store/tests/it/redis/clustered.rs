//! A store over a cluster of three nodes: the same promises, and slots that move while runs do.

use std::time::Duration;

use baton_common::transition::{OnBusy, Op, RecordVerdict, Submit};
use baton_store::suite::{conformance, differential, meters};
use baton_store::{Error, Reader, RedisOptions, RedisStore, Registry, Store};
use baton_testbed::RedisCluster;
use tokio::time::Instant;

use super::{options, world};

fn start() -> (RedisCluster, String) {
    let cluster = RedisCluster::start(&baton_testbed::RedisOptions::default()).unwrap();
    let url = format!("redis+cluster://{}", cluster.hosts());
    (cluster, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_promises_and_does_what_the_machine_does() {
    let (cluster, url) = start();
    let store = RedisStore::connect(options(&url)).await.unwrap();
    conformance::all(&store).await;
    meters::meters(&store).await;
    for seed in 0..4 {
        for node in cluster.nodes() {
            node.cli(&["flushall"]).unwrap();
        }
        let options = RedisOptions { timings: differential::timings_of(seed), ..options(&url) };
        let store = RedisStore::connect(options).await.unwrap();
        differential::differential(&store, seed, 150).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_many_slots_is_listed_and_taken_together() {
    let (_cluster, url) = start();
    let store = RedisStore::connect(options(&url)).await.unwrap();
    let runs: Vec<_> = (0..40).map(world::run_info).collect();
    for info in &runs {
        world::submit(&store, info).await;
    }
    let partitions: Vec<_> = baton_common::Partition::all().collect();
    let pages = store.pop_due(&partitions, 10, 1_000).await.unwrap();
    assert_eq!(pages.iter().map(|page| page.due.len()).sum::<usize>(), runs.len());
    let filter = baton_store::RunFilter { limit: 100, ..Default::default() };
    assert_eq!(store.runs(&runs[0].thread.tenant, &filter).await.unwrap().len(), runs.len());
    store.put_worker("w", "{}".to_owned()).await.unwrap();
    assert_eq!(store.workers(baton_common::Timestamp(0)).await.unwrap().len(), 1);
    let name = store.cluster().await.unwrap();
    assert_eq!(RedisStore::connect(options(&url)).await.unwrap().cluster().await.unwrap(), name);
}

/// Repeats until the store answers.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(mut call: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match call().await {
            Ok(reply) => return reply,
            Err(Error::Unavailable(why)) => assert!(Instant::now() < deadline, "{why}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_in_the_middle_of_a_run_loses_nothing() {
    let (cluster, url) = start();
    let store = RedisStore::connect(options(&url)).await.unwrap();
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let group = world::group_info(world::group_id("node", 1), 3);
    let job = |index| world::job(info.id, &group.id, index);
    let open = vec![world::new_group(info.id, group.clone())];
    world::advance(&store, world::commit(&info, 0, Vec::new(), open)).await;
    let granted = world::claim(&store, &job(0)).await;

    let tag = format!("{{p{}}}c", info.id.partition);
    let (from, slot) = cluster.place_of(&tag).unwrap();
    let to = (from + 1) % cluster.nodes().len();
    cluster.begin_move(slot, from, to).unwrap();
    // Half of the keys are here and half there: what would see a part of them is refused whole.
    assert_eq!(cluster.move_keys(slot, from, to, 3).unwrap(), 3);
    let before = store.run(info.id).await.unwrap().unwrap();
    let refused = store.apply(world::claim_op(&job(1))).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let again = Op::Submit(Box::new(Submit::new(info.clone(), OnBusy::Reject)));
    let refused = store.apply(again).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert_eq!(store.run(info.id).await.unwrap().unwrap(), before);

    let recording = {
        let (store, job, fence) = (store.clone(), job(0), granted.fence);
        let op = baton_common::transition::Record { digest: job.digest(), job, fence, outcome: world::ok() };
        tokio::spawn(async move { patiently(|| store.apply(Op::Record(Box::new(op.clone())))).await })
    };
    while cluster.move_keys(slot, from, to, 100).unwrap() > 0 {}
    cluster.end_move(slot, to).unwrap();
    let recorded = recording.await.unwrap();
    assert!(
        matches!(recorded, baton_common::transition::Reply::Record(RecordVerdict::Ok(_) | RecordVerdict::Duplicate)),
        "{recorded:?}"
    );
    assert_eq!(cluster.place_of(&tag).unwrap(), (to, slot));
    for index in 1..3 {
        let granted = world::claim(&store, &job(index)).await;
        world::record(&store, &job(index), granted.fence, world::ok()).await;
    }
    let (group, _) = store.group(info.id, &group.id).await.unwrap().unwrap();
    assert_eq!(group.state.ok, 3);
    let events = store.events(info.id, 0, 1_000).await.unwrap();
    assert!((1..).zip(&events).all(|(seq, event)| event.seq == seq), "{events:?}");
    let run = store.run(info.id).await.unwrap().unwrap();
    assert_eq!((run.state.events, run.state.closed), (events.len() as u64, 1));
}
