//! The Redis adapter against the suite, on a private server, and what only it promises.

mod beyond;
mod clustered;
mod cost;
mod reading;
mod shares;
mod trouble;
mod wide;
mod world;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use baton_store::suite::{conformance, differential, meters};
use baton_store::{RedisOptions, RedisStore};
use baton_testbed::Redis;

/// One server for all tests; each takes a database of its own.
fn url() -> String {
    static SERVER: OnceLock<Mutex<Redis>> = OnceLock::new();
    static DATABASE: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| {
        let args = ["--databases", "64"].map(str::to_owned).to_vec();
        Mutex::new(Redis::start(baton_testbed::RedisOptions { args, ..Default::default() }).unwrap())
    });
    let number = DATABASE.fetch_add(1, Ordering::Relaxed);
    format!("{}{number}", server.lock().unwrap().url())
}

fn options(url: &str) -> RedisOptions {
    // All events are compared, so none may be cut off.
    RedisOptions { events_max: 1_000_000, ..RedisOptions::new(url, differential::timings()) }
}

async fn empty(url: &str) {
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHDB").exec_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn keeps_the_promises() {
    let url = url();
    let store = RedisStore::connect(options(&url)).await.unwrap();
    conformance::all(&store).await;
}

#[tokio::test]
async fn meters_do_what_they_promise() {
    let url = url();
    let store = RedisStore::connect(options(&url)).await.unwrap();
    meters::meters(&store).await;
    for seed in 0..20 {
        meters::differential(&store, seed, 400).await;
    }
}

#[tokio::test]
async fn does_what_the_machine_does() {
    let url = url();
    let seeds = std::env::var("BATON_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    for seed in 0..seeds {
        empty(&url).await;
        let options = RedisOptions { timings: differential::timings_of(seed), ..options(&url) };
        let store = RedisStore::connect(options).await.unwrap();
        differential::differential(&store, seed, 250).await;
    }
}
