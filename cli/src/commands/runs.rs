//! Runs on a server: submit, watch, get, list, cancel.

use std::io::Write;

use baton_proto::v1;
use serde_json::json;
use v1::watch_response::Item;

use super::json_or_file;
use crate::answers::Answers;
use crate::args::{ListArgs, SignalArgs, SubmitArgs, WatchArgs};
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::follow::{End, Follow};
use crate::output::{ago, table};
use crate::setup::Setup;
use crate::{view, why};

pub(super) async fn submit(args: &SubmitArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let input = args.input.as_deref().map(|text| json_or_file("--input", text)).transpose()?;
    let request = v1::SubmitRequest {
        graph: args.graph.clone(),
        input_json: input.unwrap_or_default(),
        thread: args.thread.clone().unwrap_or_default(),
        // A call that is repeated on another server must not start a second run.
        request_id: args.request_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        record: args.record,
        ..v1::SubmitRequest::default()
    };
    let submitted = call!(client, runs, submit, request)?;
    if args.wait {
        let mut follow = Follow::new(&client, submitted.run_id, Answers::default());
        return Ok(match follow.until_the_end().await? {
            End::Ended(run) => show(setup, &run),
            End::Waiting(run) => {
                show(setup, &run);
                Exit::Waiting
            }
        });
    }
    let value = json!({
        "run": submitted.run_id, "thread": submitted.thread, "version": submitted.graph_hash,
        "existed": submitted.existed, "queued": submitted.queued,
    });
    setup.output.result(&value, |paint| {
        let note = match (submitted.existed, submitted.queued) {
            (true, _) => "  was submitted before",
            (false, true) => "  waits for its thread",
            (false, false) => "",
        };
        format!(
            "{}{}\n{}",
            submitted.run_id,
            paint.dim(note),
            paint.dim(format!("follow it with `baton watch {}`", submitted.run_id))
        )
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn get(run: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let found = call!(client, runs, get, v1::GetRunRequest { run_id: run.to_owned() })?;
    let run = found.run.unwrap_or_default();
    setup.output.result(&view::run_json(&run), |paint| view::run_text(&run, paint));
    Ok(Exit::Succeeded)
}

pub(super) async fn watch(args: &WatchArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    if setup.output.json {
        return stream(args, &client).await;
    }
    let mut follow = Follow::new(&client, args.run.clone(), Answers::default());
    (follow.after, follow.stops) = (args.after, false);
    match follow.until_the_end().await? {
        End::Ended(run) | End::Waiting(run) => Ok(show(setup, &run)),
    }
}

/// Every item as a line of JSON, for programs that follow along.
async fn stream(args: &WatchArgs, client: &crate::client::Client) -> Result<Exit, Failed> {
    let request = v1::WatchRequest { run_id: args.run.clone(), after: args.after, state: false };
    let mut items = call!(client, runs, watch, request)?;
    while let Some(item) = items.message().await?.and_then(|item| item.item) {
        let (line, ended) = match item {
            Item::Event(event) => {
                let value = json!({
                    "seq": event.seq, "at_ms": event.at_ms, "kind": event.kind, "group": event.group,
                    "index": event.index, "number": event.number, "text": event.text,
                });
                (json!({ "event": value }), None)
            }
            Item::Gap(gap) => (json!({ "gap": { "first": gap.first, "last": gap.last } }), None),
            Item::Live(live) => (json!({ "live": { "job": live.job, "body": view::parsed(&live.body_json) } }), None),
            Item::Ended(run) => (json!({ "ended": view::run_json(&run) }), Some(exit_of(&run))),
        };
        if writeln!(std::io::stdout().lock(), "{line}").is_err() {
            return Ok(Exit::Succeeded);
        }
        if let Some(exit) = ended {
            return Ok(exit);
        }
    }
    Err(Failed::new(Exit::Unreachable, "watch_ended", "the server ended the stream", "watch again, with --after"))
}

pub(super) async fn list(args: &ListArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let status = match &args.status {
        None => v1::RunStatus::Unspecified,
        Some(name) => view::status_named(name).ok_or_else(|| {
            let known = "queued, running, cancelling, undoing, succeeded, failed, cancelled or stuck";
            Failed::usage("unknown_status", format!("there is no status {name:?}"), format!("use {known}"))
        })?,
    };
    let request = v1::ListRunsRequest {
        page_size: args.limit,
        page_token: args.page.clone().unwrap_or_default(),
        status: status as i32,
        thread: args.thread.clone().unwrap_or_default(),
        why: args.why,
    };
    let page = call!(client, runs, list, request)?;
    let next = Some(&page.next_page_token).filter(|token| !token.is_empty());
    let value = json!({ "runs": page.runs.iter().map(view::run_json).collect::<Vec<_>>(), "next_page": next });
    setup.output.result(&value, |paint| {
        let row = |run: &v1::Run| {
            let mut row = vec![
                run.id.clone(),
                paint.status(view::status(run)),
                run.graph.clone(),
                ago(run.created_at_ms),
                run.actor.clone(),
            ];
            if args.why {
                row.truncate(4);
                row.push(why::line(&run.waits, paint));
            }
            row
        };
        let rows: Vec<_> = page.runs.iter().map(row).collect();
        let mut text = if rows.is_empty() {
            "no runs\n".to_owned()
        } else {
            let last = if args.why { "WHY" } else { "BY" };
            table(paint, &["RUN", "STATUS", "GRAPH", "SUBMITTED", last], &rows)
        };
        if let Some(token) = next {
            text += &paint.dim(format!("\nmore with --page {token}\n"));
        }
        text
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn cancel(run: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let cancelled = call!(client, runs, cancel, v1::CancelRequest { run_id: run.to_owned() })?;
    let value = json!({ "run": run, "existed": cancelled.existed });
    setup.output.result(&value, |paint| {
        let what = if cancelled.existed { "was over or being cancelled already" } else { "is being cancelled" };
        format!("{run} {}", paint.dim(what))
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn signal(args: &SignalArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let value = args.value.as_deref().map(|text| json_or_file("the value", text)).transpose()?;
    // A run's id is a partition, a dash and a uuid; everything else names a thread.
    let is_run = args.target.parse::<baton_common::RunId>().is_ok();
    let target = |wanted: bool| if wanted { args.target.clone() } else { String::new() };
    let request = v1::SignalRequest {
        thread: target(!is_run),
        run_id: target(is_run),
        name: args.name.clone(),
        // A call that is repeated on another server must not signal twice.
        id: args.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        value_json: value.unwrap_or_default(),
    };
    let sent = call!(client, runs, signal, request)?;
    let value = json!({ "id": sent.id, "existed": sent.existed, "taken": sent.taken });
    setup.output.result(&value, |paint| {
        let what = match (sent.existed, sent.taken) {
            (true, _) => "was sent before",
            (false, true) => "was taken",
            (false, false) => "waits to be taken",
        };
        format!("{} {} {what}", paint.green("✓"), args.name)
    });
    Ok(Exit::Succeeded)
}

fn show(setup: &Setup, run: &v1::Run) -> Exit {
    setup.output.result(&view::run_json(run), |paint| view::run_text(run, paint));
    exit_of(run)
}

fn exit_of(run: &v1::Run) -> Exit {
    if run.status() == v1::RunStatus::Succeeded { Exit::Succeeded } else { Exit::Failed }
}
