//! A run's past: its checkpoints, states and differences, and going on from them.

use baton_proto::v1;
use serde_json::{Map, Value, json};

use super::json_or_file;
use crate::args::{DiffArgs, EditArgs, ForkArgs, HistoryArgs, StateArgs};
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::output::{ago, bytes, table};
use crate::paint::{Paint, plain};
use crate::setup::Setup;
use crate::view::parsed;

pub(super) async fn history(args: &HistoryArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::ListCheckpointsRequest {
        run_id: args.run.clone(),
        before: args.before.unwrap_or_default(),
        page_size: args.limit,
    };
    let page = call!(client, history, list_checkpoints, request)?;
    let next = Some(page.next_before).filter(|next| *next != 0);
    let value =
        json!({ "checkpoints": page.checkpoints.iter().map(checkpoint_json).collect::<Vec<_>>(), "next": next });
    setup.output.result(&value, |paint| {
        let rows: Vec<_> = page.checkpoints.iter().map(|checkpoint| row(checkpoint, paint)).collect();
        let mut text = match rows.is_empty() {
            true => "no checkpoints yet\n".to_owned(),
            false => table(paint, &["SEQ", "FROM", "WHEN", "WROTE", "UNDER WAY", "SIZE"], &rows),
        };
        if let Some(next) = next {
            text += &paint.dim(format!("\nmore with --before {next}\n"));
        }
        text
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn state(args: &StateArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::GetStateRequest { run_id: args.run.clone(), at: args.at.unwrap_or_default() };
    let found = call!(client, history, get_state, request)?;
    let values = parsed(&found.values_json);
    let checkpoint = found.checkpoint.unwrap_or_default();
    let value = json!({ "at": checkpoint.seq, "hash": checkpoint.hash, "values": values });
    setup.output.result(&value, |paint| {
        let head =
            paint.dim(format!("checkpoint {} of {}, {}", checkpoint.seq, checkpoint.run_id, ago(checkpoint.at_ms)));
        format!("{head}\n{}", channels(&values, &checkpoint, paint))
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn diff(args: &DiffArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::DiffRequest { run_id: args.run.clone(), from: args.from, to: args.to.unwrap_or_default() };
    let diff = call!(client, history, diff, request)?;
    let value = json!({
        "from": diff.from, "to": diff.to, "changes": diff.changes.iter().map(change_json).collect::<Vec<_>>(),
    });
    setup.output.result(&value, |paint| match diff.changes.is_empty() {
        true => "the same\n".to_owned(),
        false => diff.changes.iter().map(|change| change_text(change, paint)).collect(),
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn edit(args: &EditArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let expected = match args.expected {
        Some(seq) => seq,
        None => {
            let seen = call!(client, history, get_state, v1::GetStateRequest { run_id: args.run.clone(), at: 0 })?;
            seen.checkpoint.unwrap_or_default().seq
        }
    };
    let request = v1::EditRequest { run_id: args.run.clone(), expected, set_json: set(&args.set)? };
    let edited = call!(client, history, edit, request)?;
    let value = json!({ "checkpoint": edited.seq, "existed": edited.existed });
    setup.output.result(&value, |paint| format!("{} checkpoint {}", paint.green("✓"), edited.seq));
    Ok(Exit::Succeeded)
}

pub(super) async fn fork(args: &ForkArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::ForkRequest {
        run_id: args.run.clone(),
        from: args.from.unwrap_or_default(),
        set_json: set(&args.set)?,
        thread: args.thread.clone().unwrap_or_default(),
        // A call that is repeated on another server must not start a second run.
        request_id: args.request_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
    };
    let made = call!(client, history, fork, request)?;
    let value = json!({ "run": made.run_id, "thread": made.thread, "existed": made.existed });
    setup.output.result(&value, |paint| {
        let note = if made.existed { "  was forked before" } else { "" };
        let hint = paint.dim(format!("follow it with `baton watch {}`", made.run_id));
        format!("{}{}\n{hint}", made.run_id, paint.dim(note))
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn retry(run: &str, from: Option<u64>, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::RetryRequest { run_id: run.to_owned(), from: from.unwrap_or_default() };
    let retried = call!(client, history, retry, request)?;
    let value = json!({ "run": run, "generation": retried.generation, "existed": retried.existed });
    setup.output.result(&value, |paint| {
        let what = if retried.existed { "goes on already" } else { "goes on" };
        format!("{} {run} {what}", paint.green("✓"))
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn replay(run: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let done = call!(client, history, replay, v1::ReplayRequest { run_id: run.to_owned() })?;
    let difference = done.difference.as_ref().map(|difference| {
        json!({
            "checkpoint": difference.seq, "recorded": parsed(&difference.recorded_json),
            "computed": parsed(&difference.computed_json),
        })
    });
    let value = json!({ "advances": done.advances, "checkpoints": done.checkpoints, "difference": difference });
    setup.output.result(&value, |paint| match &done.difference {
        None => format!(
            "{} {} advances computed again, {} checkpoints the same byte for byte",
            paint.green("✓"),
            done.advances,
            done.checkpoints
        ),
        Some(difference) => format!(
            "{} checkpoint {} differs\nrecorded {}\ncomputed {}",
            paint.red("✗"),
            difference.seq,
            plain(&difference.recorded_json),
            plain(&difference.computed_json)
        ),
    });
    Ok(if done.difference.is_none() { Exit::Succeeded } else { Exit::Failed })
}

/// `CHANNEL=JSON` arguments as one object. What is no JSON is a text.
fn set(arguments: &[String]) -> Result<String, Failed> {
    let mut members = Map::new();
    for argument in arguments {
        let Some((channel, text)) = argument.split_once('=') else {
            let cure = "write --set CHANNEL=JSON, or --set CHANNEL=@FILE";
            return Err(Failed::usage("invalid_set", format!("{argument:?} names no value"), cure));
        };
        let value = match text.starts_with('@') {
            true => parsed(&json_or_file("--set", text)?),
            false => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        };
        members.insert(channel.trim().to_owned(), value);
    }
    Ok(Value::Object(members).to_string())
}

fn checkpoint_json(checkpoint: &v1::Checkpoint) -> Value {
    let wrote: std::collections::BTreeMap<_, _> = checkpoint.wrote.iter().collect();
    json!({
        "seq": checkpoint.seq, "parent": checkpoint.parent, "run": checkpoint.run_id,
        "generation": checkpoint.generation, "superstep": checkpoint.superstep, "at_ms": checkpoint.at_ms,
        "hash": checkpoint.hash, "wrote": wrote, "open": checkpoint.open, "waiting": checkpoint.waiting,
        "bytes": checkpoint.bytes,
    })
}

fn row(checkpoint: &v1::Checkpoint, paint: Paint) -> Vec<String> {
    let mut wrote: Vec<_> = checkpoint
        .wrote
        .iter()
        .map(|(channel, node)| format!("{channel} {}", paint.dim(format!("by {node}"))))
        .collect();
    wrote.sort();
    let open = checkpoint.open.iter().cloned();
    let open = open.chain(checkpoint.waiting.iter().map(|node| format!("{node} (joins)")));
    vec![
        checkpoint.seq.to_string(),
        if checkpoint.parent + 1 == checkpoint.seq { String::new() } else { checkpoint.parent.to_string() },
        ago(checkpoint.at_ms),
        wrote.join(", "),
        open.collect::<Vec<_>>().join(", "),
        bytes(checkpoint.bytes),
    ]
}

fn channels(values: &Value, checkpoint: &v1::Checkpoint, paint: Paint) -> String {
    let Value::Object(members) = values else { return String::new() };
    let line = |(name, value): (&String, &Value)| {
        let by = checkpoint.wrote.get(name).map(|node| paint.dim(format!("  written by {node}"))).unwrap_or_default();
        format!("{}{by}\n{}\n", paint.bold(name), indented(&shown(value)))
    };
    members.iter().map(line).collect()
}

fn change_json(change: &v1::ChannelChange) -> Value {
    json!({
        "channel": change.channel, "before": change.before_json.as_deref().map(parsed),
        "after": change.after_json.as_deref().map(parsed), "kept": change.kept,
    })
}

fn change_text(change: &v1::ChannelChange, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&change.channel));
    let after = change.after_json.as_deref().map(parsed);
    if let (Some(kept), Some(Value::Array(elements))) = (change.kept, &after) {
        text += &paint.dim(format!("    {kept} elements the same\n"));
        for element in elements.iter().skip(usize::try_from(kept).unwrap_or(usize::MAX)) {
            text += &format!("{}\n", paint.green(signed('+', &shown(element))));
        }
        return text;
    }
    if let Some(before) = &change.before_json {
        text += &format!("{}\n", paint.red(signed('-', &shown(&parsed(before)))));
    }
    if let Some(after) = after {
        text += &format!("{}\n", paint.green(signed('+', &shown(&after))));
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => serde_json::to_string_pretty(other).map(|text| plain(&text)).unwrap_or_default(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn signed(sign: char, text: &str) -> String {
    text.lines().map(|line| format!("  {sign} {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_to_set_are_json_or_text() {
        let text = set(&["n=2".to_owned(), "name=Ada Lovelace".to_owned(), "gone=null".to_owned()]).unwrap();
        assert_eq!(parsed(&text), json!({"n": 2, "name": "Ada Lovelace", "gone": null}));
        assert_eq!(set(&["n".to_owned()]).unwrap_err().code, "invalid_set");
    }
}
