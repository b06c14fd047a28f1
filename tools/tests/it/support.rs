//! Calls a built-in tool the way a worker does.

use std::path::Path;

use baton_common::Failure;
use baton_tools::{Call, Catalogue, Config, builtin, document, read_value, testing};
use serde_json::{Value, json};

/// Runs one attempt.
pub(crate) async fn run(config: &Config, name: &str, args: Value, call: &Call) -> Result<Value, Failure> {
    let catalogue = Catalogue::new(builtin(config)).unwrap();
    testing::run(&catalogue, name, args, call).await
}

/// Documents beneath that folder, read by the program that does nothing else; drills are
/// obeyed.
pub(crate) fn documents(root: &Path) -> Config {
    let program = Some(env!("CARGO_BIN_EXE_baton-read-document").into());
    let documents = document::Settings { program, ..document::Settings::default() };
    Config { file_roots: vec![root.to_owned()], documents, debug_tools: true, ..Config::default() }
}

/// What `doc.extract` says of a document, and the text of its pages.
pub(crate) async fn extract(config: &Config, path: &str) -> Result<(Value, Vec<String>), Failure> {
    let call = testing::call();
    let result = run(config, "doc.extract", json!({ "path": path }), &call).await?;
    let pages = read_value(result["text"].clone(), &call).await?;
    let pages = pages.as_array().unwrap().iter().enumerate().map(|(index, page)| {
        assert_eq!(page["page"], index + 1);
        page["text"].as_str().unwrap().to_owned()
    });
    let pages = pages.collect();
    Ok((result, pages))
}
