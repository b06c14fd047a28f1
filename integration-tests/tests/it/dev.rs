//! `baton dev` is there at once and weighs little.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use baton_integration_tests::cluster::program;
use baton_integration_tests::grpc::Client;

/// From the start of the process to its first answer over gRPC; the best of a few, since
/// the machine may be busy with other things.
#[tokio::test(flavor = "multi_thread")]
async fn it_serves_within_300_ms_and_weighs_little() {
    let mut best = Duration::MAX;
    let mut least = u64::MAX;
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let address = folder.path().join("address");
        let started = Instant::now();
        let mut child = Command::new(program("baton").unwrap())
            .args(["dev", "--data-dir"])
            .arg(folder.path().join("data"))
            .env("BATON_GRPC_ADDR", "127.0.0.1:0")
            .env("BATON_ADDR_FILE", &address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bound = loop {
            if let Ok(bound) = std::fs::read_to_string(&address) {
                break bound;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "it does not serve");
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        let client = Client::new(&[format!("http://{}", bound.trim())]).unwrap();
        client.workers("io").await.unwrap();
        best = best.min(started.elapsed());
        while client.workers("io").await.unwrap() + client.workers("cpu").await.unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        least = least.min(resident_kib(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    println!("serving after {best:?}, {least} KiB of its own");
    assert!(best < Duration::from_millis(300), "{best:?}");
    assert!(least < 15 * 1024, "{least} KiB");
}

/// Memory of its own. The pages of the program's file come on top: in an unoptimised build
/// they alone are about 32 MB, in a released one a third of that.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
