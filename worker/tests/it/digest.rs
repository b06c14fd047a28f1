//! Extract, index, query, draft: the tools of the digest over the documents that are
//! shipped as its example, without a model.

use std::path::PathBuf;

use baton_inference::Routes;
use baton_tools::{Call, Catalogue, testing};
use baton_worker::builtin::{Config, builtin_catalogue};
use serde_json::{Value, json};

const DOCUMENTS: [&str; 8] = [
    "operations-handbook.pdf",
    "crew-agreement.pdf",
    "fares-2026.pdf",
    "safety-drills.pdf",
    "timetable.html",
    "radio-procedures.md",
    "catering-notes.txt",
    "lost-property.html",
];

fn catalogue() -> Catalogue {
    let mut tools = baton_tools::Config {
        file_roots: vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/documents"))],
        ..baton_tools::Config::default()
    };
    tools.documents.program = Some(env!("CARGO_BIN_EXE_baton-worker-cpu").into());
    builtin_catalogue(Config { tools, routes: Routes::extractive() }).unwrap()
}

async fn run(catalogue: &Catalogue, call: &Call, name: &'static str, args: Value) -> Value {
    testing::run(catalogue, name, args, call).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_without_a_model_quotes_the_page_that_answers() {
    let catalogue = catalogue();
    let call = testing::call();
    let mut documents = Vec::new();
    for path in DOCUMENTS {
        documents.push(run(&catalogue, &call, "doc.extract", json!({ "path": path })).await);
    }
    let built = run(&catalogue, &call, "search.index", json!({ "documents": documents })).await;
    let questions = [
        (
            "How long may a ferry wait for late passengers, and who decides?",
            "seven minutes",
            "[operations-handbook.pdf, p. 2]",
        ),
        ("At what wind do sailings to Little Tarn stop?", "32 knots", "[operations-handbook.pdf, p. 3]"),
        ("When are wages paid?", "27th", "[crew-agreement.pdf, p. 2]"),
        ("How is a cancelled sailing refunded?", "in full within ten days", "[fares-2026.pdf, p. 2]"),
        ("Which channel is watched at all times?", "Channel 16", "[radio-procedures.md"),
        ("When is hot soup served?", "October to March", "[catering-notes.txt"),
    ];
    for (question, words, citation) in questions {
        let found = run(&catalogue, &call, "search.query", json!({ "index": built["index"], "query": question })).await;
        let args = json!({ "route": "writer", "user": question, "passages": found["hits"] });
        let draft = run(&catalogue, &call, "chat", args.clone()).await;
        let text = draft["text"].as_str().unwrap();
        let quotes: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
        let answer = quotes.iter().take(2).find(|line| line.contains(words));
        assert!(answer.is_some_and(|line| line.contains(citation)), "{question}\n{text}");
        assert!(quotes.iter().all(|line| line.contains(" [") && line.ends_with(']')), "each cites: {text}");
        assert_eq!(run(&catalogue, &call, "chat", args).await, draft, "equal calls give equal drafts");
    }
}
