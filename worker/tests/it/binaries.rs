//! The two binaries: what they refuse, how they wait, how they leave.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const BINARIES: [&str; 2] = [env!("CARGO_BIN_EXE_baton-worker-io"), env!("CARGO_BIN_EXE_baton-worker-cpu")];

fn command(binary: &str, data_dir: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().env("BATON_DATA_DIR", data_dir).env("BATON_LOG", "info");
    // Nothing listens on the port of discard.
    command.env("BATON_BROKER", "amqp://127.0.0.1:9/%2f").env("BATON_ORCHESTRATOR", "http://127.0.0.1:9");
    command
}

fn refusal(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for binary in BINARIES {
        let with = |name: &str, value: &str| refusal(command(binary, folder.path()).env(name, value));
        assert!(with("BATON_FAIL", "after_claim:explode").contains("failpoint"));
        assert!(with("BATON_BROKER", "memory:").contains("baton dev"));
        assert!(with("BATON_BROKER", "http://x").contains("RabbitMQ"));
        assert!(with("BATON_ORCHESTRATOR", "::").contains("orchestrator"));
        assert!(with("BATON_CONFIG", "/no/such/baton.toml").contains("/no/such/baton.toml"));
        assert!(with("BATON_FAIL", "after_clam:crash").contains("did you mean after_claim"));
        assert!(with("BATON_SLOT", "3").contains("did you mean BATON_SLOTS"));
        assert!(with("BATON_SLOTS", "three").contains("BATON_SLOTS"));
        std::fs::write(folder.path().join("own.toml"), "[route.writer]\ncandidates = []").unwrap();
        let own = folder.path().join("own.toml").display().to_string();
        let said = with("BATON_CONFIG", &own);
        assert!(said.contains("own.toml") && said.contains("did you mean routes"), "{said}");
        assert!(refusal(command(binary, folder.path()).arg("--slot=3")).contains("--slots"));
    }
}

#[test]
fn the_probe_says_no_where_no_worker_runs() {
    let folder = tempfile::tempdir().unwrap();
    for binary in BINARIES {
        assert!(refusal(command(binary, folder.path()).arg("health")).contains("no worker runs"));
    }
}

#[cfg(unix)]
#[test]
fn a_worker_without_its_counterparts_waits_unready_and_leaves_when_told() {
    let folder = tempfile::tempdir().unwrap();
    for (binary, class) in BINARIES.iter().zip(["io", "cpu"]) {
        let mut worker = command(binary, folder.path()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let file = folder.path().join(format!("worker-{class}.health"));
        let give_up = Instant::now() + Duration::from_secs(30);
        while !file.exists() {
            assert!(Instant::now() < give_up && worker.try_wait().unwrap().is_none(), "it did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(refusal(command(binary, folder.path()).arg("health")).contains("not admitted"));
        assert!(Command::new("kill").arg(worker.id().to_string()).status().unwrap().success());
        let output = worker.wait_with_output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{log}");
        assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
        assert!(log.contains("control plane does not answer"), "{log}");
        assert!(!file.exists(), "the probe finds nothing of a worker that left");
    }
}
