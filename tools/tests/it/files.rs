//! Files are listed beneath the roots and nowhere else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use baton_tools::{Config, testing};
use serde_json::{Value, json};

use crate::support::run;

async fn list(root: &Path, args: Value) -> Result<Vec<String>, String> {
    let config = Config { file_roots: vec![root.to_owned()], ..Config::default() };
    let result = run(&config, "file.list", args, &testing::call()).await.map_err(|failure| failure.code)?;
    Ok(result["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn files_are_listed_by_path_with_their_media_types() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("docs/sub")).unwrap();
    for (name, text) in [("docs/b.pdf", "1"), ("docs/a.MD", "22"), ("docs/sub/c.txt", ""), ("docs/.hidden", "")] {
        fs::write(root.path().join(name), text).unwrap();
    }
    let all = list(root.path(), json!({ "folder": "docs" })).await.unwrap();
    assert_eq!(all, ["docs/a.MD", "docs/b.pdf", "docs/sub/c.txt"]);
    let some = list(root.path(), json!({ "folder": "docs/", "extensions": [".pdf", "md"] })).await.unwrap();
    assert_eq!(some, ["docs/a.MD", "docs/b.pdf"]);
    let absolute = root.path().join("docs").display().to_string();
    let found = list(root.path(), json!({ "folder": absolute })).await.unwrap();
    assert_eq!(found[0], format!("{absolute}/a.MD"));
    let config = Config { file_roots: vec![root.path().to_owned()], ..Config::default() };
    let result = run(&config, "file.list", json!({ "folder": "docs" }), &testing::call()).await.unwrap();
    let first = json!({ "path": "docs/a.MD", "name": "a.MD", "bytes": 2, "media_type": "text/markdown" });
    assert_eq!(result["files"][0], first);
}

#[tokio::test]
async fn nothing_outside_the_roots_is_listed() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret.txt"), "x").unwrap();
    fs::create_dir(root.path().join("docs")).unwrap();
    fs::write(root.path().join("docs/real.txt"), "x").unwrap();
    symlink(outside.path().join("secret.txt"), root.path().join("docs/link.txt")).unwrap();
    symlink(outside.path(), root.path().join("docs/out")).unwrap();
    symlink("..", root.path().join("docs/circle")).unwrap();
    assert_eq!(list(root.path(), json!({ "folder": "docs" })).await.unwrap(), ["docs/real.txt"]);
    let outside = outside.path().display().to_string();
    for folder in ["docs/out", "..", "docs/../..", "/", "/etc", outside.as_str()] {
        assert_eq!(list(root.path(), json!({ "folder": folder })).await.unwrap_err(), "path_outside_roots", "{folder}");
    }
    assert_eq!(list(root.path(), json!({ "folder": "docs/none" })).await.unwrap_err(), "file_not_found");
    assert_eq!(list(root.path(), json!({ "folder": "docs/real.txt" })).await.unwrap_err(), "not_a_folder");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_link_that_stays_inside_is_followed() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("..data")).unwrap();
    fs::write(root.path().join("..data/page.md"), "x").unwrap();
    symlink("..data/page.md", root.path().join("page.md")).unwrap();
    assert_eq!(list(root.path(), json!({ "folder": "." })).await.unwrap(), ["page.md"]);
}

#[tokio::test]
async fn without_roots_nothing_is_readable() {
    let config = Config::default();
    for folder in [".", "/etc"] {
        let failure = run(&config, "file.list", json!({ "folder": folder }), &testing::call()).await.unwrap_err();
        assert_eq!(failure.code, "path_outside_roots");
        assert!(failure.message.contains("BATON_FILE_ROOTS"));
    }
}
