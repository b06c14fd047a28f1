//! What tests may rely on: servers come up, keep their data, and leave nothing behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use baton_testbed::{Rabbit, RabbitOptions, Redis, RedisOptions, wait_until};

fn alive(pid: u32) -> bool {
    // A process that ended and was not yet collected counts as gone.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn redis_keeps_its_data_over_a_kill_and_loses_what_is_cut() {
    let mut redis = Redis::start(RedisOptions { appendfsync: "always".to_owned(), ..RedisOptions::default() }).unwrap();
    redis.cli(&["SET", "first", "1"]).unwrap();
    let kept = redis.aof_len().unwrap();
    redis.cli(&["SET", "second", "2"]).unwrap();
    let cut = redis.aof_len().unwrap() - kept;
    let port = redis.port();

    redis.restart().unwrap();
    assert_eq!((redis.port(), redis.cli(&["GET", "second"]).unwrap().as_str()), (port, "2"));

    redis.kill();
    redis.cut_aof_tail(cut - 1).unwrap();
    redis.restart().unwrap();
    assert_eq!(redis.cli(&["GET", "first"]).unwrap(), "1");
    assert_eq!(redis.cli(&["GET", "second"]).unwrap(), "");
}

#[test]
fn a_panicking_test_leaves_no_server_behind() {
    let seen = std::sync::Mutex::new(None);
    let outcome = std::panic::catch_unwind(|| {
        let redis = Redis::start(RedisOptions::default()).unwrap();
        *seen.lock().unwrap() = Some((redis.pid().unwrap(), redis.folder().to_owned()));
        panic!("on purpose");
    });
    assert!(outcome.is_err());
    let (pid, folder) = seen.into_inner().unwrap_or_else(|poison| poison.into_inner()).unwrap();
    assert!(!alive(pid) && !folder.exists());
}

/// Not a promise by itself: the child half of the next test, which calls it by name.
#[test]
fn child_that_is_killed() {
    let Ok(path) = std::env::var("TESTBED_CHILD") else { return };
    let redis = Redis::start(RedisOptions::default()).unwrap();
    let line = format!("{} {}", redis.pid().unwrap(), redis.folder().display());
    std::fs::write(format!("{path}.part"), line).unwrap();
    std::fs::rename(format!("{path}.part"), path).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_leaves_no_server_behind() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed"])
        .env("TESTBED_CHILD", &note)
        .spawn()
        .unwrap();
    wait_until("the child's server", Duration::from_secs(30), || Ok(note.exists())).unwrap();
    let text = std::fs::read_to_string(&note).unwrap();
    let (pid, data) = text.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(alive(pid));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the server is gone", Duration::from_secs(10), || Ok(!alive(pid) && !Path::new(data).exists())).unwrap();
}

#[test]
fn rabbitmq_keeps_its_queues_over_a_kill_and_gives_each_test_its_own_host() {
    let mut rabbit = Rabbit::start(RabbitOptions::default()).unwrap();
    let (one, two) = (rabbit.new_vhost().unwrap(), rabbit.new_vhost().unwrap());
    assert_ne!(one, two);
    let declare = format!(
        "rabbit_amqqueue:declare({{resource, <<\"{one}\">>, queue, <<\"kept\">>}}, true, false, [], none, <<\"guest\">>), ok."
    );
    rabbit.ctl(&["eval", &declare]).unwrap();
    let port = rabbit.port();
    rabbit.restart().unwrap();
    assert_eq!(rabbit.port(), port);
    assert!(rabbit.ctl(&["list_queues", "-p", &one, "name"]).unwrap().contains("kept"));
    assert!(!rabbit.ctl(&["list_queues", "-p", &two, "name"]).unwrap().contains("kept"));
}
