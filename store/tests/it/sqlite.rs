//! The SQLite adapter against the suite, and what only it promises.

use baton_common::settings::Timings;
use baton_store::suite::{conformance, differential};
use baton_store::{Error, Registry, SqliteOptions, SqliteStore, Store};

fn open(folder: &std::path::Path) -> Result<SqliteStore, Error> {
    SqliteStore::open(&SqliteOptions { folder: folder.to_owned(), timings: differential::timings() })
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
        let store = open(folder.path()).unwrap();
        differential::differential(&store, seed, 250).await;
        store.close().await;
    }
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
