//! The files of a run, written, listed and read back.

use baton_tools::{Config, testing};
use serde_json::json;

use crate::support::run;

#[tokio::test]
async fn what_a_run_wrote_is_listed_and_read_back() {
    let (config, call) = (Config::default(), testing::call());
    let write = |args| run(&config, "artifact.write", args, &call);
    let text = write(json!({ "path": "b/report.md", "text": "# Report" })).await.unwrap();
    assert_eq!(text, json!({ "path": "b/report.md", "bytes": 8 }));
    write(json!({ "path": "a.json", "json": { "n": 1 } })).await.unwrap();
    write(json!({ "path": "c.bin", "base64": "/wA=", "media_type": "application/x-odd" })).await.unwrap();
    let listed = run(&config, "artifact.list", json!({}), &call).await.unwrap();
    let names: Vec<&str> =
        listed["artifacts"].as_array().unwrap().iter().map(|a| a["path"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.json", "b/report.md", "c.bin"]);
    let read = run(&config, "artifact.read", json!({ "path": "b/report.md" }), &call).await.unwrap();
    assert_eq!(read["text"], "# Report");
    assert_eq!(read["media_type"], "text/markdown");
    let read = run(&config, "artifact.read", json!({ "path": "c.bin" }), &call).await.unwrap();
    assert_eq!((&read["base64"], &read["media_type"]), (&json!("/wA="), &json!("application/x-odd")));
    let missing = run(&config, "artifact.read", json!({ "path": "none" }), &call).await.unwrap_err();
    assert_eq!(missing.code, "artifact_not_found");
}

#[tokio::test]
async fn a_large_artifact_comes_by_reference() {
    let (config, call) = (Config::default(), testing::call());
    let large = "x".repeat(200_000);
    run(&config, "artifact.write", json!({ "path": "l", "text": large }), &call).await.unwrap();
    let read = run(&config, "artifact.read", json!({ "path": "l" }), &call).await.unwrap();
    assert_eq!(read["content"]["$blob"]["bytes"], 200_000);
    let copied = json!({ "path": "m", "text": read["content"] });
    assert_eq!(run(&config, "artifact.write", copied, &call).await.unwrap()["bytes"], 200_000);
}

#[tokio::test]
async fn an_artifact_has_exactly_one_content() {
    let (config, call) = (Config::default(), testing::call());
    for args in [json!({ "path": "x" }), json!({ "path": "x", "text": "a", "json": 1 })] {
        assert_eq!(run(&config, "artifact.write", args, &call).await.unwrap_err().code, "bad_arguments");
    }
}
