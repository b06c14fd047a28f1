//! What a document may take of memory holds in the programs that ship, whose allocator is
//! not the system's.

use std::path::Path;

use baton_common::Failure;
use baton_inference::Routes;
use baton_tools::{Config, testing};
use baton_worker::builtin::{self, builtin_catalogue};
use serde_json::{Value, json};

async fn extract(root: &Path, memory_bytes_max: u64, path: &str) -> Result<Value, Failure> {
    let mut tools = Config { file_roots: vec![root.to_owned()], debug_tools: true, ..Config::default() };
    tools.documents.program = Some(env!("CARGO_BIN_EXE_baton-worker-cpu").into());
    tools.documents.memory_bytes_max = memory_bytes_max;
    let catalogue = builtin_catalogue(builtin::Config { tools, routes: Routes::extractive() }).unwrap();
    testing::run(&catalogue, "doc.extract", json!({ "path": path }), &testing::call()).await
}

#[tokio::test]
async fn a_document_takes_what_it_may_and_no_more() {
    let root = tempfile::tempdir().unwrap();
    for what in ["take_64_mib", "take_512_mib"] {
        std::fs::write(root.path().join(what).with_extension("txt"), format!("%BATON-DRILL {what} ")).unwrap();
    }
    let (scarce, ample) = (256 << 20, 1 << 30);
    for (memory, what, read) in
        [(scarce, "take_64_mib.txt", true), (scarce, "take_512_mib.txt", false), (ample, "take_512_mib.txt", true)]
    {
        // Where an allocator lies is left to chance at each start.
        for _ in 0..5 {
            match extract(root.path(), memory, what).await {
                Ok(_) => assert!(read, "{what} was read within {memory} bytes"),
                Err(failure) => {
                    assert!(!read, "{what}: {failure}");
                    assert_eq!(failure.code, "document_too_large", "{failure}");
                }
            }
        }
    }
}
