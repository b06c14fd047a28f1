//! More than one plain server: sentinels and promoted replicas, TLS, logins with few rights.

use std::sync::Arc;
use std::time::Duration;

use baton_common::ids::Actor;
use baton_common::settings::Timings;
use baton_common::transition::{AdvanceAnswer, Op, Reply};
use baton_common::{RunId, Version};
use baton_store::{Error, Live, Reader, RedisOptions, RedisStore, Registry, Store};
use baton_testbed::{Authority, Proxy, Redis, SentinelOptions, Sentinels, Validity};
use tokio::time::{Instant, sleep};

use super::world;

fn options(url: impl Into<String>) -> RedisOptions {
    RedisOptions { response_timeout_ms: 1_000, ..RedisOptions::new(url, Timings::default()) }
}

fn server(args: &[&str]) -> Redis {
    let args = args.iter().map(ToString::to_string).collect();
    Redis::start(baton_testbed::RedisOptions { args, ..Default::default() }).unwrap()
}

async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ready().await {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_on_the_replica_that_sentinels_promote() {
    let (mut primary, replica) = (server(&[]), server(&[]));
    replica.follow(&primary).unwrap();
    let sentinels = Sentinels::start(primary.port(), 1, &SentinelOptions::default()).unwrap();
    let url = format!("redis+sentinel://{}", sentinels.hosts());
    let store = RedisStore::connect(options(url)).await.unwrap();
    assert_eq!(store.incarnation(), 0);
    let info = world::run_info(1);
    world::submit(&store, &info).await;
    world::advance(&store, world::commit(&info, 0, Vec::new(), Vec::new())).await;
    until("the replica is in step", async || {
        replica.cli(&["hget", &format!("{{p{}}}r:{}", info.id.partition, info.id.uuid.simple()), "s"]).unwrap()
            == primary.cli(&["hget", &format!("{{p{}}}r:{}", info.id.partition, info.id.uuid.simple()), "s"]).unwrap()
    })
    .await;

    primary.kill();
    let second = world::commit(&info, 1, Vec::new(), Vec::new());
    until("the run goes on", async || match store.apply(Op::Advance(second.clone().into())).await {
        Ok(Reply::Advance(AdvanceAnswer::Advanced { .. } | AdvanceAnswer::Already { .. })) => true,
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(matches!(error, Error::Unavailable(_)), "{error}");
            false
        }
    })
    .await;
    assert_eq!(sentinels.primary().unwrap(), replica.port());
    until("the change of servers is noticed", async || store.incarnation() == 1).await;

    // The old one is back: nobody writes to it, and it becomes a replica.
    primary.restart().unwrap();
    let third = world::commit(&info, 2, Vec::new(), Vec::new());
    assert_eq!(
        world::advance(&store, third).await,
        AdvanceAnswer::Advanced { ver: Version(4), again: false, next: None, children: Vec::new(), parent: None }
    );
    until("the old primary follows", async || {
        primary.cli(&["info", "replication"]).is_ok_and(|info| info.contains("role:slave"))
    })
    .await;
    assert_eq!(store.run(info.id).await.unwrap().unwrap().state.ver, Version(4));
    assert_eq!(store.incarnation(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_and_servers_behind_tls_and_passwords_are_reached() {
    let authority = Authority::new().unwrap();
    let port = baton_testbed::free_port().unwrap();
    let mut args = authority.redis_args(port);
    args.extend(["--requirepass", "p@ss"].map(str::to_owned));
    let login = ["-a", "p@ss", "--no-auth-warning"].map(str::to_owned).to_vec();
    let primary = Redis::start(baton_testbed::RedisOptions { args, login, ..Default::default() }).unwrap();
    let mut lines: Vec<String> = vec!["tls-port PORT".to_owned(), "tls-replication yes".to_owned()];
    lines.push(format!("tls-ca-cert-file {}", authority.roots().display()));
    lines.push(format!("tls-cert-file {}", authority.certificate().display()));
    lines.push(format!("tls-key-file {}", authority.key().display()));
    lines.push("tls-auth-clients no".to_owned());
    lines.push("requirepass watch".to_owned());
    lines.push("sentinel sentinel-pass watch".to_owned());
    let roots = authority.roots().display().to_string();
    let login = ["--tls", "--cacert", &roots, "-a", "watch", "--no-auth-warning"].map(str::to_owned).to_vec();
    let server_login = Some(("default".to_owned(), "p@ss".to_owned()));
    let sentinels = Sentinels::start(port, 0, &SentinelOptions { lines, tls: true, login, server_login }).unwrap();
    let url = format!("rediss+sentinel://:p%40ss@{}?ca_file={roots}&sentinel_password=watch", sentinels.hosts());
    let store = RedisStore::connect(options(url)).await.unwrap();
    world::submit(&store, &world::run_info(1)).await;
    assert_eq!(primary.cli(&["exists", "baton:meta"]).unwrap(), "1");
    let wrong = format!("rediss+sentinel://:wrong@{}?ca_file={roots}&sentinel_password=watch", sentinels.hosts());
    let refused = RedisStore::connect(options(wrong)).await.err().unwrap().to_string();
    assert!(!refused.contains("wrong") && refused.contains("login"), "{refused}");
}

#[tokio::test]
async fn a_server_with_an_authority_of_its_own_may_want_to_see_a_certificate() {
    let authority = Authority::new().unwrap();
    let port = baton_testbed::free_port().unwrap();
    let mut args = authority.redis_args(port);
    args.extend(["--tls-auth-clients", "yes"].map(str::to_owned));
    let _server = Redis::start(baton_testbed::RedisOptions { args, ..Default::default() }).unwrap();
    let shown = |path: std::path::PathBuf| path.display().to_string();
    let base = format!("rediss://127.0.0.1:{port}/?ca_file={}", shown(authority.roots()));
    let (certificate, key) = authority.client(Validity::Now).unwrap();
    let (certificate, key) = (shown(certificate), shown(key));
    let store = RedisStore::connect(options(format!("{base}&cert_file={certificate}&key_file={key}"))).await.unwrap();
    world::submit(&store, &world::run_info(1)).await;
    assert!(RedisStore::connect(options(base)).await.is_err());
    assert!(RedisStore::connect(options(format!("rediss://127.0.0.1:{port}/"))).await.is_err());
}

/// The line that docs/operations/redis.md gives.
fn acl_line() -> String {
    let page = include_str!("../../../../docs/operations/redis.md");
    let line = page.lines().find_map(|line| line.strip_prefix("user baton on >PASSWORD "));
    line.expect("the line of the rights").to_owned()
}

#[tokio::test]
async fn the_documented_rights_are_enough_and_fewer_are_told() {
    let server = server(&[]);
    let rights = acl_line();
    let mut set = vec!["acl", "setuser", "baton", "on", ">hush"];
    set.extend(rights.split_whitespace());
    server.cli(&set).unwrap();
    let url = |user: &str, password: &str| format!("redis://{user}:{password}@127.0.0.1:{}/", server.port());
    let store = RedisStore::connect(options(url("baton", "hush"))).await.unwrap();
    baton_store::suite::conformance::all(&store).await;
    let (live, run) = (store.live().unwrap(), world::run_info(1).id);
    live.listen(run);
    live.show(run, "{}".to_owned());

    let refused = RedisStore::connect(options(url("baton", "wrong"))).await.err().unwrap().to_string();
    assert!(refused.contains("USER:PASSWORD") && !refused.contains("wrong"), "{refused}");
    server.cli(&["config", "set", "requirepass", "hush"]).unwrap();
    let none = RedisStore::connect(options(server.url())).await.err().unwrap().to_string();
    assert!(none.contains("USER:PASSWORD"), "{none}");
}

#[tokio::test]
async fn a_login_that_may_not_call_scripts_is_told_so() {
    let server = server(&[]);
    server.cli(&["acl", "setuser", "weak", "on", ">hush", "~*", "+@all", "-evalsha", "-script"]).unwrap();
    let url = format!("redis://weak:hush@127.0.0.1:{}/", server.port());
    let refused = RedisStore::connect(options(url)).await.err().unwrap().to_string();
    assert!(refused.contains("docs/operations/redis.md") && !refused.contains("hush"), "{refused}");
}

#[tokio::test]
async fn a_store_that_is_gone_from_its_server_is_not_begun_anew_behind_its_back() {
    let server = server(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let name = store.cluster().await.unwrap();
    server.cli(&["flushall"]).unwrap();
    let unpark = Op::Unpark { run: world::run_info(1).id, actor: Actor::local(), operation: String::new() };
    until("the loss is noticed", async || matches!(store.apply(unpark.clone()).await, Err(Error::Broken(_)))).await;
    server.cli(&["hset", "baton:meta", "cluster", &name]).unwrap();
    until("the store is back", async || store.apply(unpark.clone()).await.is_ok()).await;
}

#[tokio::test]
async fn servers_that_took_over_while_nobody_looked_are_others() {
    let mut server = server(&[]);
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    assert_eq!(store.incarnation(), 0);
    let second = RedisStore::connect(options(server.url())).await.unwrap();
    assert_eq!(second.incarnation(), 0);
    store.close().await;
    second.close().await;
    drop((store, second));
    server.restart().unwrap();
    assert_eq!(RedisStore::connect(options(server.url())).await.unwrap().incarnation(), 1);
    assert_eq!(RedisStore::connect(options(server.url())).await.unwrap().incarnation(), 0);
}

/// The next time that somebody is told of the run.
async fn told(live: &Arc<dyn Live>) -> RunId {
    tokio::time::timeout(Duration::from_secs(20), live.changed()).await.expect("in time").expect("open")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_are_written_and_a_cut_loses_none() {
    let server = server(&[]);
    let proxy = Proxy::start(server.port()).unwrap();
    let url = format!("redis://127.0.0.1:{}/", proxy.port());
    let watching = RedisStore::connect(options(url)).await.unwrap();
    let writing = RedisStore::connect(options(server.url())).await.unwrap();
    let (first, second) = (world::run_info(1), world::run_info(2));
    for info in [&first, &second] {
        world::submit(&writing, info).await;
    }
    let live = watching.live().unwrap();
    live.listen(first.id);
    assert_eq!(told(&live).await, first.id, "who begins to listen is told to look");
    world::advance(&writing, world::commit(&first, 0, Vec::new(), Vec::new())).await;
    assert_eq!(told(&live).await, first.id);

    // Another partition joins a read that is under way already, which is ended for that.
    live.listen(second.id);
    let begun = Instant::now();
    assert_eq!(told(&live).await, second.id);
    assert!(begun.elapsed() < Duration::from_secs(3), "it waited for the read to end by itself");
    world::advance(&writing, world::commit(&second, 0, Vec::new(), Vec::new())).await;
    assert_eq!(told(&live).await, second.id);

    proxy.cut();
    world::advance(&writing, world::commit(&first, 1, Vec::new(), Vec::new())).await;
    world::advance(&writing, world::commit(&second, 1, Vec::new(), Vec::new())).await;
    let mut both = [told(&live).await, told(&live).await];
    both.sort();
    let mut expected = [first.id, second.id];
    expected.sort();
    assert_eq!(both, expected);
    live.leave(first.id);
}
