//! Tools of one's own without a fork: the package in `examples/custom-worker` is built from
//! outside the workspace, and its two programs are the only workers of a real cluster.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use baton_integration_tests::cluster::{Cluster, ClusterOptions, example, program};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_tools_of_ones_own_run_a_graph() {
    let folder = example("custom-worker").unwrap();
    build(&folder);
    let options = ClusterOptions {
        orchestrators: 1,
        io_program: "words-worker-io".to_owned(),
        cpu_program: "words-worker-cpu".to_owned(),
        ..ClusterOptions::default()
    };
    let mut cluster = Cluster::start(&options).await.unwrap();
    cluster.workers[0].env("WORDS_FILE", &folder.join("words.txt").display().to_string());
    cluster.run_all().await.unwrap();
    let source = std::fs::read_to_string(folder.join("spelling.yaml")).unwrap();
    cluster.client.apply(&source, &[]).await.unwrap();
    let input = json!({"words": ["fery", "harbor", "timetable", "wich"]});
    let run = cluster.client.submit("spelling", &input, "spelling").await.unwrap();
    let seen = cluster.client.settled(&run, Duration::from_secs(60)).await.unwrap();
    assert_eq!(seen.status, "succeeded", "{seen:?}\n{}", cluster.logs());
    let corrected = ["ferry", "harbour", "timetable", "which"];
    assert_eq!(seen.output, Some(json!({"corrected": corrected, "changes": 3, "report": "corrected.txt"})));
}

/// Builds the package with what the workspace has locked and built already. The folder of
/// the example stays as it is: it has no lock file of its own.
fn build(folder: &Path) {
    let root = folder.ancestors().nth(2).unwrap();
    let binaries = program("baton").unwrap();
    let target = binaries.ancestors().nth(2).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--offline", "--bins"]).current_dir(folder).env("CARGO_TARGET_DIR", target);
    // What cargo told this test of its own package would make that one be built anew.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output().unwrap();
    let _ = std::fs::remove_file(folder.join("Cargo.lock"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
