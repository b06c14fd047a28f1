//! Archives, from outside: a program that dies between writing one and removing its run does
//! both once more, and what was written can be read when the run is gone.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use baton_integration_tests::cluster::program;
use serde_json::Value;

const GRAPH: &str = "
baton: 1
graph: kept
output: { said: state.said }
state: { said: string }
start: say
nodes:
  say: { tool: { name: debug.echo, args: { text: hello } }, save: { said: output.text }, then: end }
";

const PATIENCE: Duration = Duration::from_secs(60);

/// A program that ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `baton dev` on that folder, with short retention, and where it serves.
fn dev(folder: &Path, fail: Option<&str>) -> (Serving, String) {
    let address = folder.join("address");
    let _ = std::fs::remove_file(&address);
    let mut command = Command::new(program("baton").unwrap());
    command
        .args(["dev", "--data-dir"])
        .arg(folder.join("data"))
        .current_dir(folder)
        .env("BATON_GRPC_ADDR", "127.0.0.1:0")
        .env("BATON_HTTP_ADDR", "127.0.0.1:0")
        .env("BATON_ADDR_FILE", &address)
        .env("BATON_DEBUG_TOOLS", "1")
        .env("BATON_DEBUG_DIR", folder)
        .env("BATON_TIMING_RETENTION_MS", "500")
        .env("BATON_ARCHIVE_MS", "3600000")
        .env_remove("BATON_FAIL")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(fail) = fail {
        command.env("BATON_FAIL", fail);
    }
    let serving = Serving(command.spawn().unwrap());
    let started = Instant::now();
    loop {
        if let Ok(bound) = std::fs::read_to_string(&address)
            && let Some(first) = bound.lines().next()
        {
            return (serving, format!("http://{}", first.trim()));
        }
        assert!(started.elapsed() < PATIENCE, "it does not serve");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn baton(folder: &Path, at: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program("baton").unwrap());
    command.args(args).current_dir(folder).env("BATON_ORCHESTRATOR", at).output().unwrap()
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_run_whose_removal_was_cut_off_is_written_down_and_removed_after_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kept.yaml"), GRAPH).unwrap();
    let (mut dies, at) = dev(folder.path(), Some("after_archive:crash:1"));
    let applied = baton(folder.path(), &at, &["graph", "apply", "kept.yaml"]);
    assert!(applied.status.success(), "{applied:?}");
    let submitted = baton(folder.path(), &at, &["submit", "kept", "--json"]);
    let run = json(&submitted)["run"].as_str().expect("its id").to_owned();
    let began = Instant::now();
    let ended = loop {
        if let Some(ended) = dies.0.try_wait().unwrap() {
            break ended;
        }
        assert!(began.elapsed() < PATIENCE, "it was to die");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(ended.code(), None, "it should have aborted");

    let (_lives, at) = dev(folder.path(), None);
    let began = Instant::now();
    while baton(folder.path(), &at, &["get", &run]).status.code() != Some(4) {
        assert!(began.elapsed() < PATIENCE, "the run stays");
        std::thread::sleep(Duration::from_millis(50));
    }
    let listed = json(&baton(folder.path(), &at, &["archive", "list", "--json"]));
    let archives = listed["archives"].as_array().unwrap();
    assert_eq!(archives.len(), 1, "{listed}");
    assert_eq!(archives[0]["run"], Value::from(run.clone()));
    let shown = baton(folder.path(), &at, &["archive", "show", &run]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of("run"), of("state"), of("audit")), (1, 1, 1), "{text}");
    assert!(of("checkpoint") > 1 && of("event") > 3, "{text}");
    let unknown = baton(folder.path(), &at, &["archive", "show", "017-00000000-0000-0007-0000-000000000001"]);
    assert_eq!(unknown.status.code(), Some(4), "{unknown:?}");
}
