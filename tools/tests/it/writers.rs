//! Documents that nobody has seen before, made by several PDF writers with facts that are
//! invented anew in each run: the page that a search cites holds the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use baton_tools::{Call, Config, Tool, testing};
use serde_json::{Value, json};

use crate::support::{documents, run};

/// What is asked and where the answer stands.
struct Fact {
    question: String,
    answer: String,
    file: String,
    page: usize,
}

/// Invents places, numbers and the sentences that join them. No place comes twice: a question
/// about it would have two answers.
struct Inventor {
    seed: u64,
    places: BTreeSet<String>,
}

impl Inventor {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed =
            std::env::var("BATON_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(since.as_nanos() as u64);
        println!("seed {seed}: set BATON_SEED to invent the same facts again");
        Self { seed, places: BTreeSet::new() }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % limit
    }

    fn name(&mut self) -> String {
        let parts =
            ["bal", "dor", "fen", "gri", "hul", "jor", "kel", "mur", "nis", "pol", "rav", "sto", "tem", "vor", "wick"];
        let name: String = (0..3).map(|_| parts[self.below(parts.len() as u64) as usize]).collect();
        name[..1].to_uppercase() + &name[1..]
    }

    fn place(&mut self) -> String {
        loop {
            let name = self.name();
            if self.places.insert(name.clone()) {
                return name;
            }
        }
    }

    /// The pages of one document, with two facts on each.
    fn pages(&mut self, file: &str, count: usize, facts: &mut Vec<Fact>) -> Vec<Vec<String>> {
        let filler = "The rules of this house are read aloud on the first day of each season, and everybody who \
                      signs the book has heard them. What is not written here is left to good sense.";
        let mut pages = Vec::new();
        for page in 1..=count {
            let (place, fee, keeper) = (self.place(), 1000 + self.below(9000), self.name());
            facts.push(Fact {
                question: format!("How high is the harbour fee at {place}?"),
                answer: format!("{fee} crowns"),
                file: file.to_owned(),
                page,
            });
            facts.push(Fact {
                question: format!("Who keeps the lighthouse of {place}?"),
                answer: format!("keeper {keeper}"),
                file: file.to_owned(),
                page,
            });
            let fee = format!("The harbour fee at {place} amounts to {fee} crowns.");
            let keeper = format!("The lighthouse of {place} is kept by keeper {keeper}.");
            pages.push(vec![filler.to_owned(), fee, keeper]);
        }
        pages
    }
}

/// Makes documents with the Python writers.
fn write_by_python(jobs: &[Value]) {
    let cure = "run `cargo xtask test`, or set BATON_TEST_VENV to a Python virtual environment with reportlab and typst \
                (python3 -m venv DIR && DIR/bin/pip install reportlab typst)";
    let environment = PathBuf::from(std::env::var_os("BATON_TEST_VENV").unwrap_or_else(|| panic!("{cure}")));
    let mut python = Command::new(environment.join("bin/python"))
        .args(["-c", include_str!("make_documents.py")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: {cure}"));
    python.stdin.take().unwrap().write_all(json!(jobs).to_string().as_bytes()).unwrap();
    assert!(python.wait().unwrap().success(), "a Python writer failed: {cure}");
}

/// Makes a document with Ghostscript; the device decides whether it holds text.
fn write_by_ghostscript(path: &Path, device: &str, pages: &[Vec<String>]) {
    let mut source = "%!PS\n/Times-Roman findfont 11 scalefont setfont\n".to_owned();
    for lines in pages {
        // A line holds what fits on it; sentences go on in the next.
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split(' ')).collect();
        for (row, words) in words.chunks(11).enumerate() {
            source += &format!("60 {} moveto ({}) show\n", 780 - 15 * row, words.join(" "));
        }
        source += "showpage\n/Times-Roman findfont 11 scalefont setfont\n";
    }
    let cure = "install Ghostscript (apt-get install ghostscript)";
    let mut ghostscript = Command::new("gs")
        .args(["-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", &format!("-sDEVICE={device}")])
        .arg(format!("-sOutputFile={}", path.display()))
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: {cure}"));
    ghostscript.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(ghostscript.wait().unwrap().success(), "Ghostscript failed");
}

/// Lists and extracts a folder: the results by path, and the codes of what failed.
async fn extract_all(config: &Config, call: &Call) -> (Vec<Value>, BTreeMap<String, String>) {
    let listed = run(config, "file.list", json!({ "folder": "." }), call).await.unwrap();
    let (mut results, mut codes) = (Vec::new(), BTreeMap::new());
    for file in listed["files"].as_array().unwrap() {
        match run(config, "doc.extract", json!({ "path": file["path"] }), call).await {
            Ok(result) => results.push(result),
            Err(failure) => {
                codes.insert(file["name"].as_str().unwrap().to_owned(), failure.code);
                results.push(Value::Null);
            }
        }
    }
    (results, codes)
}

async fn search(call: &Call, name: &str, args: Value) -> Value {
    let tool = baton_rag::tools().into_iter().find(|tool| tool.spec().name == name).unwrap();
    match tool {
        Tool::Io(tool) => tool.call(args, call).await.unwrap(),
        Tool::Cpu(tool) => {
            let (call, runtime) = (call.clone(), tokio::runtime::Handle::current());
            tokio::task::spawn_blocking(move || tool.call(args, &call, &runtime)).await.unwrap().unwrap()
        }
    }
}

/// Asks each question; the first passage must hold the answer and cite its place.
async fn check(call: &Call, documents: &[Value], facts: &[Fact]) {
    let built = search(call, "search.index", json!({ "documents": documents })).await;
    let call = testing::call_with(Arc::clone(&call.blobs));
    for fact in facts {
        let args = json!({ "index": built["index"], "query": fact.question, "limit": 3 });
        let found = search(&call, "search.query", args).await;
        let hit = &found["hits"][0];
        let said = hit["text"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(hit["source"], json!({ "file": fact.file, "page": fact.page }), "{}: {found:#}", fact.question);
        assert!(said.contains(&fact.answer), "{}: {} is not in {said}", fact.question, fact.answer);
    }
}

#[tokio::test]
async fn the_cited_page_of_an_unseen_document_holds_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (mut inventor, mut facts) = (Inventor::new(), Vec::new());
    let mut job = |kind: &str, name: &str, count: usize, facts: &mut Vec<Fact>| {
        let pages = inventor.pages(name, count, facts);
        json!({ "kind": kind, "path": path(name), "pages": pages, "bytes": 200_000_000 })
    };
    let mut unread = Vec::new();
    let jobs = [
        job("reportlab", "reportlab.pdf", 4, &mut facts),
        job("typst", "typst.pdf", 5, &mut facts),
        job("large", "large.pdf", 3, &mut facts),
        job("encrypted", "locked.pdf", 2, &mut unread),
        job("typst", "cut.pdf", 3, &mut unread),
    ];
    write_by_python(&jobs);
    write_by_ghostscript(&path("ghostscript.pdf"), "pdfwrite", &inventor.pages("ghostscript.pdf", 4, &mut facts));
    write_by_ghostscript(&path("scan.pdf"), "pdfimage8", &inventor.pages("scan.pdf", 2, &mut unread));
    let whole = fs::read(path("cut.pdf")).unwrap();
    fs::write(path("cut.pdf"), &whole[..whole.len() / 2]).unwrap();
    assert!(fs::metadata(path("large.pdf")).unwrap().len() > 200_000_000);
    let call = testing::call();
    let (results, codes) = extract_all(&documents(folder.path()), &call).await;
    let expected =
        [("cut.pdf", "document_damaged"), ("locked.pdf", "document_encrypted"), ("scan.pdf", "document_without_text")];
    assert_eq!(codes, expected.map(|(file, code)| (file.to_owned(), code.to_owned())).into());
    check(&call, &results, &facts).await;
}

#[tokio::test]
async fn a_document_above_the_limit_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("huge.pdf")).unwrap().set_len(300 * 1024 * 1024).unwrap();
    fs::write(folder.path().join("small.txt"), "The harbour fee at Small amounts to 5 crowns.").unwrap();
    let call = testing::call();
    let (results, codes) = extract_all(&documents(folder.path()), &call).await;
    assert_eq!(codes, [("huge.pdf".to_owned(), "document_too_large".to_owned())].into());
    let fact = Fact {
        question: "How high is the harbour fee at Small?".to_owned(),
        answer: "5 crowns".to_owned(),
        file: "small.txt".to_owned(),
        page: 1,
    };
    check(&call, &results, &[fact]).await;
}

#[tokio::test]
async fn the_example_documents_answer_on_one_page_each() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/documents");
    let call = testing::call();
    let (results, codes) = extract_all(&documents(&folder), &call).await;
    assert!(codes.is_empty(), "{codes:?}");
    let facts = [
        (
            "How long may a ferry wait for late passengers, and who decides?",
            "duty master alone decides",
            "operations-handbook.pdf",
            2,
        ),
        ("At which wind do sailings to Little Tarn stop?", "32 knots", "operations-handbook.pdf", 3),
        ("How often does a fire drill take place?", "every week", "safety-drills.pdf", 2),
        ("How many passengers does the Petrel carry?", "95 passengers", "vessel-particulars.pdf", 2),
        ("What does a motorcycle cost?", "11.00 crowns", "fares-2026.pdf", 1),
        ("What supplement does work on a Sunday earn?", "35 per cent", "crew-agreement.pdf", 2),
        ("When is the bow thruster greased?", "250 running hours", "fuel-and-maintenance.pdf", 2),
        ("How long is lost property kept?", "ninety days", "lost-property.html", 1),
        ("How much does a bicycle cost?", "2.20 crowns", "dogs-and-bicycles.md", 1),
        ("What is the call sign of the Marigold?", "SKMA4", "radio-procedures.md", 1),
        ("Where does the Petrel lie overnight?", "berth three", "night-berth-orders.txt", 1),
        ("When is hot soup served?", "October to March", "catering-notes.txt", 1),
    ];
    let facts = facts.map(|(question, answer, file, page)| Fact {
        question: question.to_owned(),
        answer: answer.to_owned(),
        file: file.to_owned(),
        page,
    });
    check(&call, &results, &facts).await;
}
