//! Reading what the scripts wrote: runs, listings, events, graphs and keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use baton_common::ids::{Actor, GraphHash, RunId, Seq, TenantId};
use baton_common::records::{Span, TaskState};
use baton_common::settings::Timings;
use baton_common::transition::AdvanceAnswer;
use baton_common::{Digest, ErrorClass, Fence, Partition, Timestamp, Version};
use baton_store::{ApiKey, Reader, RedisOptions, RedisStore, Registry, RunFilter, Store, StoredGraph};

use super::{url, world};

async fn store() -> RedisStore {
    RedisStore::connect(RedisOptions::new(url(), Timings::default())).await.unwrap()
}

#[tokio::test]
async fn a_load_gives_what_the_next_step_needs() {
    let store = store().await;
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let (done, open) = (world::group_id("a", 1), world::group_id("b", 1));
    let groups = [&done, &open].map(|id| world::new_group(info.id, world::group_info(id.clone(), 2)));
    world::advance(&store, world::commit(&info, 0, Vec::new(), groups.to_vec())).await;
    for index in 0..2 {
        let job = world::job(info.id, &done, index);
        let granted = world::claim(&store, &job).await;
        assert_eq!(granted.body, world::task(info.id, &done, index).body);
        world::record(&store, &job, granted.fence, world::ok()).await;
    }
    let loaded = store.load(info.id).await.unwrap().unwrap();
    assert_eq!(loaded.run.info, info);
    assert_eq!(loaded.thread.head, Seq(1));
    assert_eq!(loaded.thread.channels["state"], Seq(1));
    assert_eq!(loaded.open, [open]);
    assert_eq!(loaded.closed.len(), 1);
    let outcomes = loaded.closed[0].outcomes.as_ref().unwrap();
    assert!(outcomes.len() == 2 && outcomes.iter().all(Option::is_some));
    assert!(loaded.now >= loaded.run.state.ready_at);
    let checkpoint = store.checkpoint(&info.thread, Seq(1)).await.unwrap().unwrap();
    assert_eq!(checkpoint, *world::commit(&info, 0, Vec::new(), Vec::new()).checkpoints[0]);
    let pieces = store.segments(&info.thread, "log", Span { base: 0, end: 1 }).await.unwrap();
    assert_eq!(pieces.len(), 1);
}

/// Whoever reads a run between two moments of it, and finds that what it folds has no outcomes, must
/// not take that for their end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_is_of_one_moment_however_fast_the_run_goes_on() {
    let store = store().await;
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, over) = (store.clone(), over.clone());
            tokio::spawn(async move {
                let mut folded = 0;
                while !over.load(Ordering::Relaxed) {
                    // It may move on too often for a whole read.
                    let Ok(loaded) = store.load(world::run_info(1).id).await else { continue };
                    for group in loaded.unwrap().closed {
                        let outcomes = group.outcomes.unwrap();
                        assert!(outcomes.iter().all(Option::is_some), "{} without its outcome", group.info.id);
                        folded += 1;
                    }
                }
                folded
            })
        })
        .collect();
    let mut consumed = Vec::new();
    for step in 0..400 {
        let next = world::group_id("a", step + 1);
        let open = vec![world::new_group(info.id, world::group_info(next.clone(), 1))];
        world::advance(&store, world::commit(&info, u64::from(step), consumed, open)).await;
        let job = world::job(info.id, &next, 0);
        let granted = world::claim(&store, &job).await;
        world::record(&store, &job, granted.fence, world::ok()).await;
        consumed = vec![next];
    }
    over.store(true, Ordering::Relaxed);
    let mut folded = 0;
    for reader in readers {
        folded += reader.await.unwrap();
    }
    assert!(folded > 0, "nobody saw a group that had closed");
}

#[tokio::test]
async fn a_listing_goes_from_new_to_old_page_by_page() {
    let store = store().await;
    for number in 0..70 {
        world::submit(&store, &world::run_info(number)).await;
    }
    let tenant = TenantId::local();
    let mut seen: Vec<(Timestamp, RunId)> = Vec::new();
    loop {
        let filter = RunFilter { before: seen.last().copied(), limit: 20, ..RunFilter::default() };
        let page = store.runs(&tenant, &filter).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() == 20 || seen.len() + page.len() == 70);
        seen.extend(page.into_iter().map(|run| (run.state.created_at, run.info.id)));
    }
    assert_eq!(seen.len(), 70);
    assert!(seen.is_sorted_by(|a, b| a > b), "new ones first, each once");
    let thread = Some(world::run_info(3).thread);
    let of_thread = store.runs(&tenant, &RunFilter { thread, limit: 5, ..RunFilter::default() }).await.unwrap();
    assert_eq!(of_thread.iter().map(|run| run.info.id).collect::<Vec<_>>(), [world::run_info(3).id]);
    let status = Some(baton_common::records::RunStatus::Failed);
    let failed = store.runs(&tenant, &RunFilter { status, limit: 5, ..RunFilter::default() }).await.unwrap();
    assert_eq!(failed, Vec::new());
}

#[tokio::test]
async fn events_behind_a_place_are_read_in_order() {
    let store = store().await;
    let (info, other) = (world::run_info(1), world::run_info(2));
    world::submit(&store, &info).await;
    let group = world::group_id("a", 1);
    let open = vec![world::new_group(info.id, world::group_info(group.clone(), 40))];
    world::advance(&store, world::commit(&info, 0, Vec::new(), open)).await;
    world::submit(&store, &other).await;
    for index in 0..40 {
        let job = world::job(info.id, &group, index);
        world::claim(&store, &job).await;
        world::record(&store, &job, Fence(1), world::ok()).await;
    }
    let all = store.events(info.id, 0, 1_000).await.unwrap();
    let seqs: Vec<u64> = all.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=84).collect::<Vec<_>>());
    assert_eq!(store.events(info.id, 80, 1_000).await.unwrap(), all[80..]);
    assert_eq!(store.events(info.id, 10, 3).await.unwrap(), all[10..13]);
    assert_eq!(store.events(info.id, 84, 1_000).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn ten_thousand_tasks_are_staged_opened_and_dropped() {
    let store = store().await;
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let group = baton_common::records::GroupInfo {
        window: 100,
        need_ok: 1,
        max_failed: 9_999,
        ..world::group_info(world::group_id("wide", 1), 10_000)
    };
    let mut commit = world::commit(&info, 0, Vec::new(), Vec::new());
    commit.staged = group.count;
    commit.open.push(baton_common::commit::NewGroup { info: group.clone().into(), tasks: Vec::new() });
    assert_eq!(world::advance(&store, commit.clone()).await, AdvanceAnswer::Incomplete);
    world::stage(&store, &commit, &group).await;
    let advanced =
        AdvanceAnswer::Advanced { ver: Version(2), again: false, next: None, children: Vec::new(), parent: None };
    assert_eq!(world::advance(&store, commit).await, advanced);
    let (_, tasks) = store.group(info.id, &group.id).await.unwrap().unwrap();
    assert_eq!(tasks.len(), 10_000);
    assert!(matches!(tasks[99].state, TaskState::Publishable { .. }));
    assert_eq!(tasks[100].state, TaskState::Held);
    let job = world::job(info.id, &group.id, 0);
    world::claim(&store, &job).await;
    world::record(&store, &job, Fence(1), world::ok()).await;
    let loaded = store.load(info.id).await.unwrap().unwrap();
    assert_eq!(loaded.closed[0].state.cancelled, 9_999);
    world::advance(&store, world::commit(&info, 1, vec![group.id.clone()], Vec::new())).await;
    assert_eq!(store.group(info.id, &group.id).await.unwrap(), None);
}

#[tokio::test]
async fn graphs_keys_and_workers_are_kept() {
    let store = store().await;
    let tenant = TenantId::local();
    let graph = |name: &str, text: &str| StoredGraph {
        tenant: tenant.clone(),
        name: name.to_owned(),
        hash: GraphHash(Digest::of(text)),
        source: text.to_owned(),
        applied_at: Timestamp(5),
    };
    let (old, new, other) = (graph("b", "one"), graph("b", "two"), graph("a", "three"));
    for graph in [&old, &new, &other] {
        store.put_graph(graph.clone()).await.unwrap();
    }
    assert_eq!(store.graph(&tenant, old.hash).await.unwrap(), Some(old));
    assert_eq!(store.graph_named(&tenant, "b").await.unwrap(), Some(new.clone()));
    assert_eq!(store.graphs(&tenant).await.unwrap(), [other, new]);

    let key = ApiKey {
        id: "k1".to_owned(),
        hash: Digest::of("secret"),
        tenant: tenant.clone(),
        actor: Actor::local(),
        scopes: vec!["read".to_owned()],
        created_at: Timestamp(7),
        expires_at: Some(Timestamp(9)),
    };
    store.put_api_key(key.clone()).await.unwrap();
    assert_eq!(store.api_key(key.hash).await.unwrap(), Some(key.clone()));
    assert_eq!(store.api_keys().await.unwrap(), std::slice::from_ref(&key));
    assert!(store.remove_api_key("k1").await.unwrap());
    assert!(!store.remove_api_key("k1").await.unwrap());
    assert_eq!(store.api_key(key.hash).await.unwrap(), None);

    let before = store.now().await.unwrap();
    store.put_worker("w1", "{}".to_owned()).await.unwrap();
    assert_eq!(store.workers(before).await.unwrap().len(), 1);
    assert_eq!(store.workers(before.plus_ms(60_000)).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn one_sweeper_holds_a_partition() {
    let store = store().await;
    assert!(store.lease_partition(Partition(4), "one", 60_000).await.unwrap());
    assert!(store.lease_partition(Partition(4), "one", 60_000).await.unwrap());
    assert!(!store.lease_partition(Partition(4), "two", 60_000).await.unwrap());
    assert!(store.lease_partition(Partition(5), "two", 60_000).await.unwrap());
}

#[tokio::test]
async fn due_entries_of_many_partitions_are_taken_in_one_go() {
    let store = store().await;
    let infos: Vec<_> = (0..40).map(world::run_info).collect();
    for info in &infos {
        world::submit(&store, info).await;
    }
    let partitions: Vec<Partition> = Partition::all().collect();
    let pages = store.pop_due(&partitions, 100, 60_000).await.unwrap();
    assert_eq!(pages.len(), 256);
    let taken: usize = pages.iter().map(|page| page.due.len()).sum();
    assert_eq!(taken, infos.len());
    let again = store.pop_due(&partitions, 100, 60_000).await.unwrap();
    assert!(again.iter().all(|page| page.due.is_empty()), "they are hidden");
}

#[tokio::test]
async fn a_mark_of_an_older_publication_changes_nothing() {
    let store = store().await;
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    let group = world::group_info(world::group_id("a", 1), 1);
    let job = world::job(info.id, &group.id, 0);
    let open = vec![world::new_group(info.id, group.clone())];
    world::advance(&store, world::commit(&info, 0, Vec::new(), open)).await;
    let fence = world::claim(&store, &job).await.fence;
    world::record(&store, &job, fence, world::failed(ErrorClass::Transient)).await;
    assert!(!world::mark(&store, &job).await, "the first publication is not the newest");
    let (_, tasks) = store.group(info.id, &group.id).await.unwrap().unwrap();
    assert!(matches!(tasks[0].state, TaskState::Publishable { .. }));
}
