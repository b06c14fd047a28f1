//! From extracted documents to passages that name their file and page.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, like tests")]

use std::sync::Arc;

use baton_common::Failure;
use baton_tools::{Call, Catalogue, blob_value, testing};
use serde_json::{Value, json};

async fn run(name: &str, args: Value, call: &Call) -> Result<Value, Failure> {
    let catalogue = Catalogue::new(baton_rag::tools()).unwrap();
    testing::run(&catalogue, name, args, call).await
}

async fn document(call: &Call, path: &str, pages: &[&str]) -> Value {
    let pages: Vec<Value> =
        (1..).zip(pages).map(|(page, text): (u32, _)| json!({ "page": page, "text": text })).collect();
    let blob = call.blobs.put("application/json", serde_json::to_vec(&pages).unwrap().into()).await.unwrap();
    let name = path.rsplit('/').next().unwrap();
    json!({ "path": path, "name": name, "media_type": "application/pdf", "pages": pages.len(), "text": blob_value(&blob) })
}

fn sources(hits: &Value) -> Vec<(String, u64)> {
    let hits = hits["hits"].as_array().unwrap().iter();
    hits.map(|hit| (hit["source"]["file"].as_str().unwrap().to_owned(), hit["source"]["page"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_question_finds_the_page_that_answers_it() {
    let call = testing::call();
    let fares = document(&call, "docs/fares.pdf", &["A car costs nine crowns.", "Dogs travel free of charge."]).await;
    let crew = document(&call, "docs/crew.pdf", &["The mate keeps the log."]).await;
    let args = json!({ "documents": [fares, null, crew] });
    let index = run("search.index", args, &call).await.unwrap();
    assert_eq!((&index["documents"], &index["skipped"], &index["chunks"]), (&json!(2), &json!(1), &json!(3)));
    // Any worker can query it: these are tools of their own, over the same blobs.
    let other = testing::call_with(Arc::clone(&call.blobs));
    let args = json!({ "index": index["index"], "query": "What does a dog pay?", "limit": 2 });
    let found = run("search.query", args.clone(), &other).await.unwrap();
    assert_eq!(sources(&found)[0], ("fares.pdf".to_owned(), 2));
    assert_eq!(found["hits"][0]["text"], "Dogs travel free of charge.");
    assert!(found["hits"][0]["score"].as_f64().unwrap() > 0.0);
    assert_eq!(run("search.query", args, &other).await.unwrap(), found);
}

#[tokio::test]
async fn equal_documents_give_the_same_index() {
    let call = testing::call();
    let documents = json!([document(&call, "a.pdf", &["one two", "three"]).await]);
    let first = run("search.index", json!({ "documents": documents }), &call).await.unwrap();
    assert_eq!(run("search.index", json!({ "documents": documents }), &call).await.unwrap(), first);
}

#[tokio::test]
async fn documents_of_one_name_are_told_apart_by_their_paths() {
    let call = testing::call();
    let documents = [document(&call, "a/rules.pdf", &["red"]).await, document(&call, "b/rules.pdf", &["green"]).await];
    let index = run("search.index", json!({ "documents": documents }), &call).await.unwrap();
    let found = run("search.query", json!({ "index": index["index"], "query": "green" }), &call).await.unwrap();
    assert_eq!(sources(&found), [("b/rules.pdf".to_owned(), 1)]);
}

#[tokio::test]
async fn a_list_of_documents_may_itself_lie_in_a_blob() {
    let call = testing::call();
    let documents = json!([document(&call, "a.pdf", &["one"]).await, null]);
    let blob = call.blobs.put("application/json", documents.to_string().into()).await.unwrap();
    let index = run("search.index", json!({ "documents": blob_value(&blob) }), &call).await.unwrap();
    assert_eq!(index["documents"], 1);
}

#[tokio::test]
async fn what_cannot_be_searched_says_why() {
    let call = testing::call();
    let failure = run("search.index", json!({ "documents": [null, null] }), &call).await.unwrap_err();
    assert_eq!(failure.code, "nothing_to_index");
    let blob = call.blobs.put("application/json", "[]".into()).await.unwrap();
    let args = json!({ "index": blob_value(&blob), "query": "x" });
    assert_eq!(run("search.query", args, &call).await.unwrap_err().code, "not_an_index");
    let args = json!({ "index": {}, "query": "x" });
    assert_eq!(run("search.query", args, &call).await.unwrap_err().code, "bad_arguments");
}

#[tokio::test]
async fn a_chunk_keeps_its_page_and_its_bounds() {
    let call = testing::call();
    let long = "A sentence of some length stands here. ".repeat(20);
    let pages = json!([{ "page": 1, "text": long }, { "page": 2, "text": "short" }]);
    let args = json!({ "text": pages, "file": "x.pdf", "size": 200 });
    let chunks = run("text.chunk", args, &call).await.unwrap();
    let chunks = chunks["chunks"].as_array().unwrap();
    assert!(chunks.len() > 4);
    assert!(chunks.iter().all(|chunk| chunk["text"].as_str().unwrap().chars().count() <= 200));
    assert_eq!(chunks.last().unwrap(), &json!({ "text": "short", "source": { "file": "x.pdf", "page": 2 } }));
    let plain = run("text.chunk", json!({ "text": "just this" }), &call).await.unwrap();
    assert_eq!(plain["chunks"][0]["text"], "just this");
}
