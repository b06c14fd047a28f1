//! `baton run`: a graph to its end, in this process.

use std::io::{IsTerminal, stderr, stdin};
use std::path::PathBuf;

use baton_proto::v1;
use serde_json::{Value, json};

use super::json_or_file;
use crate::answers::Answers;
use crate::args::RunArgs;
use crate::client::{Client, call};
use crate::exit::{Exit, Failed};
use crate::follow::{End, Follow};
use crate::graph_file::GraphFile;
use crate::history::History;
use crate::local::Local;
use crate::paint::Paint;
use crate::setup::Setup;
use crate::view;

pub(super) async fn run(args: &RunArgs, setup: &Setup) -> Result<Exit, Failed> {
    let file = GraphFile::read(&args.graph)?;
    if let Err(failed) = file.parse() {
        return Ok(setup.output.failed(&failed, &file.sources()));
    }
    let input =
        args.input.as_deref().map(|text| json_or_file("--input", text)).transpose()?.unwrap_or_else(|| "{}".into());
    let answers = Answers::parse(&args.answer)?;
    let key = uuid::Uuid::new_v4().to_string();
    let roots = roots(&view::parsed(&input));
    let local = Local::start(setup, setup.data_dir(args.data_dir.as_ref())?, roots, None, Some(&key)).await?;
    let client = local.client(Some(&key))?;
    let outcome = follow(args, setup, &client, &file, input, answers).await;
    local.stop().await;
    outcome
}

async fn follow(
    args: &RunArgs,
    setup: &Setup,
    client: &Client,
    file: &GraphFile,
    input: String,
    answers: Answers,
) -> Result<Exit, Failed> {
    let request_id = args.request_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let request = v1::SubmitRequest {
        source: file.text().to_owned(),
        includes: file.includes(),
        input_json: input,
        request_id: request_id.clone(),
        thread: args.thread.clone().unwrap_or_default(),
        record: args.record,
        ..v1::SubmitRequest::default()
    };
    let submitted = call!(client, runs, submit, request).map_err(|failed| hint_at_debug_tools(setup, failed))?;
    let paint = Paint::stderr();
    let goes_on = if submitted.existed { "goes on with run" } else { "run" };
    eprintln!("{}", paint.dim(format!("{goes_on} {}  thread {}", submitted.run_id, submitted.thread)));
    let mut follow = Follow::new(client, submitted.run_id.clone(), answers);
    follow.asks = stdin().is_terminal() && stderr().is_terminal() && !setup.output.json;
    let end = follow.until_the_end().await?;
    if setup.debug_tools()? {
        follow.look_into_called().await?;
    }
    let artifacts = call!(client, operate, artifacts, v1::ArtifactsRequest { run_id: submitted.run_id })?.artifacts;
    match end {
        End::Ended(run) => Ok(ended(setup, &run, &artifacts, &follow.history)?),
        End::Waiting(run) => {
            tell_how_to_answer(args, setup, &run, &request_id);
            setup
                .output
                .result(&result(setup, &run, &artifacts, &follow.history)?, |paint| view::run_text(&run, paint));
            Ok(Exit::Waiting)
        }
    }
}

/// Tools for tests are there only where somebody asked for them.
fn hint_at_debug_tools(setup: &Setup, mut failed: Failed) -> Failed {
    if failed.code == "unknown_tool" && failed.cause.contains(" debug.") && !setup.debug_tools().unwrap_or(true) {
        failed.cure = "set BATON_DEBUG_TOOLS=1: debug.* tools are for tests".to_owned();
    }
    failed
}

fn ended(setup: &Setup, run: &v1::Run, artifacts: &[v1::Artifact], history: &History) -> Result<Exit, Failed> {
    let paint = Paint::stderr();
    let took = crate::output::duration(u64::try_from(run.ended_at_ms.unwrap_or(0) - run.created_at_ms).unwrap_or(0));
    eprintln!("{}  {}", paint.status(view::status(run)), paint.dim(format!("in {took}")));
    for artifact in artifacts {
        let place = if artifact.file.is_empty() { &artifact.path } else { &artifact.file };
        eprintln!("{} {}", paint.dim("artifact"), crate::paint::plain(place));
    }
    setup.output.result(&result(setup, run, artifacts, history)?, |paint| {
        let output = run.output_json.as_deref().map(view::parsed);
        match (&run.failure, output) {
            (Some(failure), _) => view::failure_text(failure, paint),
            (None, Some(output)) => view::output_text(&output, paint),
            (None, None) => String::new(),
        }
    });
    Ok(if run.status() == v1::RunStatus::Succeeded { Exit::Succeeded } else { Exit::Failed })
}

/// The run for programs, with its files, and with its jobs where debug tools are on.
fn result(setup: &Setup, run: &v1::Run, artifacts: &[v1::Artifact], history: &History) -> Result<Value, Failed> {
    let mut value = view::run_json(run);
    value["artifacts"] = artifacts.iter().map(view::artifact_json).collect();
    if setup.debug_tools()? {
        value["jobs"] = history.json();
    }
    Ok(value)
}

/// The command that goes on with the run and brings the answers.
fn tell_how_to_answer(args: &RunArgs, setup: &Setup, run: &v1::Run, request_id: &str) {
    let paint = Paint::stderr();
    eprintln!("\n{} go on with", paint.yellow("waits for an answer:"));
    let mut words = vec![format!("baton run {}", quoted(&args.graph.display().to_string()))];
    if let Some(input) = &args.input {
        words.push(format!("--input {}", quoted(input)));
    }
    if let Some(file) = &setup.config {
        words.push(format!("--config {}", quoted(&file.display().to_string())));
    }
    if let Some(folder) = &args.data_dir {
        words.push(format!("--data-dir {}", quoted(&folder.display().to_string())));
    }
    if args.thread.is_some() {
        words.push(format!("--thread {}", quoted(&run.thread)));
    }
    words.push(format!("--request-id {}", quoted(request_id)));
    for answer in args.answer.iter().map(|answer| quoted(answer)).chain(run.interrupts.iter().map(example)) {
        words.push(format!("--answer {answer}"));
    }
    eprintln!("  {}\n", words.join(" \\\n    "));
}

/// An answer that would do for an approval, or what an answer looks like.
fn example(question: &v1::Interrupt) -> String {
    let approves = view::parsed(&question.question_json)["form"]["approval"].is_object();
    let decision =
        if approves { json!({ "action": "approve" }).to_string() } else { blank(&view::parsed(&question.schema_json)) };
    let node =
        if question.index > 0 { format!("{}[{}]", question.node, question.index) } else { question.node.clone() };
    quoted(&format!("{node}={decision}"))
}

/// JSON of the right form, to be filled in.
fn blank(schema: &Value) -> String {
    let value = |schema: &Value| match schema["type"].as_str() {
        Some("integer" | "number") => Value::from(0),
        Some("boolean") => Value::Bool(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => Value::from("…"),
    };
    match schema["properties"].as_object() {
        Some(fields) => fields.iter().map(|(name, field)| (name.clone(), value(field))).collect::<Value>().to_string(),
        None => value(schema).to_string(),
    }
}

fn quoted(text: &str) -> String {
    let simple = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@".contains(letter);
    if text.chars().all(simple) && !text.is_empty() {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What tools may read: this folder, and the folders that the input names.
fn roots(input: &Value) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = std::env::current_dir().into_iter().collect();
    let mut left = vec![input];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) => {
                let path = PathBuf::from(text);
                if path.is_dir() {
                    roots.push(path);
                } else if path.is_file() {
                    roots.extend(path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(PathBuf::from));
                }
            }
            Value::Array(items) => left.extend(items),
            Value::Object(members) => left.extend(members.values()),
            _ => {}
        }
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_input_may_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "x").expect("a file");
        let input = json!({ "docs": [folder.path()], "file": file, "question": "what is a.txt?" });
        let roots = roots(&input);
        assert_eq!(roots.iter().filter(|root| *root == folder.path()).count(), 2);
        assert_eq!(roots.len(), 3);
    }

    #[test]
    fn words_for_the_shell_are_quoted() {
        assert_eq!(quoted("a/b.yaml"), "a/b.yaml");
        assert_eq!(quoted(r#"it's {"a":1}"#), r#"'it'\''s {"a":1}'"#);
    }
}
