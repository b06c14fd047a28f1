//! The SQLite adapter against the suite, and what only it promises.

use baton_common::Timestamp;
use baton_common::ids::{JobId, RunId};
use baton_common::records::{DueKind, TaskState};
use baton_common::settings::Timings;
use baton_common::transition::{Expire, ExpireAnswer, Op, Reply, SubmitAnswer};
use baton_store::suite::{Subject as _, broken, conformance, differential, golden, meters};
use baton_store::{Error, Reader as _, Registry, SqliteOptions, SqliteStore, Store};

fn open(folder: &std::path::Path) -> Result<SqliteStore, Error> {
    open_with(folder, differential::timings())
}

fn open_with(folder: &std::path::Path, timings: Timings) -> Result<SqliteStore, Error> {
    SqliteStore::open(&SqliteOptions { folder: folder.to_owned(), timings })
}

#[tokio::test]
async fn keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    conformance::all(&store).await;
    store.close().await;
}

#[tokio::test]
async fn does_what_the_machine_does() {
    for seed in 0..25 {
        let folder = tempfile::tempdir().unwrap();
        let store = open_with(folder.path(), differential::timings_of(seed)).unwrap();
        differential::differential(&store, seed, 250).await;
        store.close().await;
    }
}

#[tokio::test]
async fn meters_do_what_they_promise() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    meters::meters(&store).await;
    meters::differential(&store, 1, 200).await;
    store.close().await;
}

#[tokio::test]
async fn a_folder_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let name = store.cluster().await.unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Unavailable(_))));
    store.close().await;
    drop(store);
    let again = open(folder.path()).unwrap();
    assert_eq!(again.cluster().await.unwrap(), name, "the store keeps its name");
    again.close().await;
}

#[tokio::test]
async fn a_store_of_another_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.close().await;
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("baton.sqlite")).unwrap();
    file.execute("UPDATE meta SET value = '99' WHERE name = 'layout'", []).unwrap();
    drop(file);
    let options = SqliteOptions { folder: folder.path().to_owned(), timings: Timings::default() };
    assert!(matches!(SqliteStore::open(&options), Err(Error::Broken(_))));
}

/// The job that the golden history leaves claimed, and its due entries other than leases.
async fn claimed(store: &SqliteStore, run: RunId) -> (JobId, usize) {
    let detail = store.detail(run).await.unwrap().unwrap();
    let jobs = detail.groups.iter().flat_map(|(group, tasks)| {
        let claimed = tasks.iter().zip(0..).filter(|(task, _)| matches!(task.state, TaskState::Claimed { .. }));
        claimed.map(|(_, index)| JobId { run, r#gen: detail.run.state.r#gen, group: group.info.id.clone(), index })
    });
    let due = store.due(run.partition).await.unwrap();
    (jobs.last().unwrap(), due.iter().filter(|(at, due)| due.key.kind != DueKind::Lease && at.0 > 0).count())
}

#[tokio::test]
async fn who_opens_a_folder_takes_the_claims_of_the_process_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    golden::fill(&store).await;
    let run: RunId = golden::RUN.parse().unwrap();
    let (job, others) = claimed(&store, run).await;
    // A second after the claim, whose lease lasts a minute.
    let moment = Timestamp(1_760_000_001_000);
    let expire = Op::Expire(Expire { job: job.clone() });
    let kept = store.apply_when(&expire, moment).await.unwrap();
    assert_eq!(kept, Reply::Expire(ExpireAnswer::Kept), "its process may still be there");
    store.close().await;
    drop(store);

    let store = open(folder.path()).unwrap();
    assert_eq!(claimed(&store, run).await, (job, others), "nothing but leases moved");
    let due = store.due(run.partition).await.unwrap();
    let leases: Vec<Timestamp> =
        due.iter().filter(|(_, due)| due.key.kind == DueKind::Lease).map(|(at, _)| *at).collect();
    assert_eq!(leases, [Timestamp(0)], "the sweeper finds it at once");
    let again = store.apply_when(&expire, moment).await.unwrap();
    assert!(matches!(again, Reply::Expire(ExpireAnswer::Again { .. })), "{again:?}");
    store.close().await;
}

#[tokio::test]
async fn what_is_broken_breaks_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let (submit, broken, others) = broken::broken_among_others();
    store.apply(submit).await.unwrap();
    let others = futures_util::future::join_all(others.into_iter().map(|op| store.apply(op)));
    let (broken, others) = tokio::join!(store.apply(broken), others);
    assert!(matches!(broken, Err(Error::Broken(_))), "{broken:?}");
    assert!(others.iter().all(|reply| *reply == Ok(Reply::Submit(SubmitAnswer::Accepted))), "{others:?}");
    store.close().await;
}

#[tokio::test]
async fn whoever_changes_the_audit_in_the_file_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    golden::fill_second(&store).await;
    store.close().await;
    let partition = baton_common::Partition(17);
    let walked = async || {
        let store = open(folder.path()).unwrap();
        let head = store.audit_head(partition).await.unwrap();
        let mut walk = baton_store::audit::Walk::new(partition, None);
        let mut after = None;
        loop {
            let page = store.audit_page(partition, after.as_deref(), 2, false).await.unwrap();
            page.entries.iter().for_each(|entry| walk.step(entry));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        store.close().await;
        walk.end(head.as_ref())
    };
    let whole = walked().await;
    assert!(whole.broken.is_none() && whole.chained >= 3, "{whole:?}");
    let change = |sql: &str| {
        let file = rusqlite::Connection::open(folder.path().join("baton.sqlite")).unwrap();
        assert_eq!(file.execute(sql, [17]).unwrap(), 1, "{sql}");
    };
    change("UPDATE audit SET row = replace(row, 'signal', 'cancel') WHERE part = ?1 AND number = 1");
    let broken = walked().await.broken.unwrap();
    assert_eq!((broken.number, broken.fault), (2, baton_store::audit::Fault::Altered));
    change("DELETE FROM audit WHERE part = ?1 AND number = 1");
    let broken = walked().await.broken.unwrap();
    assert_eq!((broken.number, broken.fault), (2, baton_store::audit::Fault::Missing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_folder_opens_again_while_children_are_started() {
    let folder = tempfile::tempdir().unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let stores = async {
        for _ in 0..100 {
            let store = open(folder.path())?;
            store.close().await;
        }
        Ok::<(), Error>(())
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    std::process::Command::new("true").status().unwrap();
                }
            });
        }
        let opened = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(stores));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        opened.unwrap();
    });
}
