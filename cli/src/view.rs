//! Runs, questions and files as commands show them: one JSON form, one text form.

use baton_proto::v1;
use serde_json::{Value, json};

use crate::output::{ago, bytes, duration, table};
use crate::paint::{Paint, plain};
use crate::why;

/// The name of a status, as users read it.
pub(crate) fn status(run: &v1::Run) -> &'static str {
    match run.status() {
        v1::RunStatus::Unspecified => "unknown",
        v1::RunStatus::Queued => "queued",
        v1::RunStatus::Running => "running",
        v1::RunStatus::Waiting => "waiting",
        v1::RunStatus::Cancelling => "cancelling",
        v1::RunStatus::Undoing => "undoing",
        v1::RunStatus::Succeeded => "succeeded",
        v1::RunStatus::Failed => "failed",
        v1::RunStatus::Cancelled => "cancelled",
        v1::RunStatus::Stuck => "stuck",
    }
}

/// The status of that name.
pub(crate) fn status_named(name: &str) -> Option<v1::RunStatus> {
    v1::RunStatus::from_str_name(&format!("RUN_STATUS_{}", name.to_ascii_uppercase()))
        .filter(|status| *status != v1::RunStatus::Unspecified)
}

/// A run for programs.
pub(crate) fn run_json(run: &v1::Run) -> Value {
    let failure = run.failure.as_ref().map(|failure| {
        json!({ "class": failure.class, "code": failure.code, "message": failure.message, "node": failure.node })
    });
    json!({
        "run": run.id,
        "thread": run.thread,
        "graph": run.graph,
        "version": run.graph_hash,
        "status": status(run),
        "request_id": some(&run.request_id),
        "actor": run.actor,
        "created_at_ms": run.created_at_ms,
        "ended_at_ms": run.ended_at_ms,
        "output": run.output_json.as_deref().map(parsed),
        "failure": failure,
        "questions": run.interrupts.iter().map(question_json).collect::<Vec<_>>(),
        "waits": run.waits.iter().map(why::json).collect::<Vec<_>>(),
        "nodes": run.nodes.iter().map(node_json).collect::<Vec<_>>(),
        "head": run.head,
        "superstep": run.superstep,
        "last_event": run.last_event,
    })
}

fn node_json(node: &v1::NodeProgress) -> Value {
    json!({
        "node": node.node, "activation": node.activation, "tool": some(&node.tool), "queue": node.queue,
        "count": node.count, "waiting": node.waiting, "claimed": node.claimed,
        "ok": node.ok, "failed": node.failed, "cancelled": node.cancelled,
    })
}

/// A question for programs.
pub(crate) fn question_json(question: &v1::Interrupt) -> Value {
    json!({
        "id": question.id,
        "run": question.run_id,
        "node": question.node,
        "index": question.index,
        "question": parsed(&question.question_json),
        "schema": parsed(&question.schema_json),
        "opened_at_ms": question.opened_at_ms,
        "expires_at_ms": question.expires_at_ms,
    })
}

/// A file for programs.
pub(crate) fn artifact_json(artifact: &v1::Artifact) -> Value {
    json!({ "path": artifact.path, "bytes": artifact.bytes, "file": some(&artifact.file) })
}

/// A run for people.
pub(crate) fn run_text(run: &v1::Run, paint: Paint) -> String {
    let took = run.ended_at_ms.map_or_else(
        || format!("submitted {}", ago(run.created_at_ms)),
        |end| format!("took {}", duration(u64::try_from(end - run.created_at_ms).unwrap_or(0))),
    );
    let mut text = format!("{}  {}  {}\n", paint.status(status(run)), paint.bold(&run.graph), paint.dim(took));
    text += &format!("{} {}\n{} {}\n", paint.dim("run   "), run.id, paint.dim("thread"), plain(&run.thread));
    if !run.nodes.is_empty() {
        let rows: Vec<_> = run.nodes.iter().map(node_row).collect();
        text += &format!("\n{}", table(paint, &["NODE", "TOOL", "DONE", "RUNNING", "WAITING", "FAILED"], &rows));
    }
    if !run.waits.is_empty() {
        text += &why::text(&run.waits, paint);
    }
    if let Some(failure) = &run.failure {
        text += &failure_text(failure, paint);
    }
    if let Some(output) = &run.output_json {
        text += &format!("\n{}", output_text(&parsed(output), paint));
    }
    text
}

fn node_row(node: &v1::NodeProgress) -> Vec<String> {
    let name = if node.activation > 1 { format!("{} #{}", node.node, node.activation) } else { node.node.clone() };
    let tool = if node.tool.is_empty() { "question".to_owned() } else { node.tool.clone() };
    let done = format!("{}/{}", node.ok, node.count);
    vec![name, tool, done, node.claimed.to_string(), node.waiting.to_string(), node.failed.to_string()]
}

/// Why a run failed, for people.
pub(crate) fn failure_text(failure: &v1::Failure, paint: Paint) -> String {
    let node = if failure.node.is_empty() { String::new() } else { format!(" in {}", paint.bold(&failure.node)) };
    format!(
        "\n{}{node}: {}\n{}\n",
        paint.red("failed"),
        plain(&failure.message),
        paint.dim(format!("code: {}", failure.code))
    )
}

/// An output for people: texts as they are, everything else as JSON, a lone text without
/// its name.
pub(crate) fn output_text(output: &Value, paint: Paint) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => plain(text),
        other => serde_json::to_string_pretty(other).map(|text| plain(&text)).unwrap_or_default(),
    };
    let Value::Object(members) = output else { return shown(output) + "\n" };
    let lone = members.len() == 1;
    let part = |(name, value): (&String, &Value)| {
        let text = shown(value);
        match (lone, text.contains('\n')) {
            (true, _) => format!("{text}\n"),
            (false, true) => format!("{}\n{text}\n", paint.bold(format!("{name}:"))),
            (false, false) => format!("{} {text}\n", paint.bold(format!("{name}:"))),
        }
    };
    members.iter().map(part).collect()
}

/// Files for people.
pub(crate) fn artifacts_text(artifacts: &[v1::Artifact], paint: Paint) -> String {
    let rows: Vec<_> = artifacts
        .iter()
        .map(|artifact| vec![plain(&artifact.path), bytes(artifact.bytes), paint.dim(&artifact.file)])
        .collect();
    table(paint, &["PATH", "SIZE", "FILE"], &rows)
}

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
