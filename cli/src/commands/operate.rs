//! What operators look at: workers, queues, files of runs, audit, keys, health.

use std::io::Write;

use anyhow::Context as _;
use baton_proto::v1;
use serde_json::json;

use crate::args::{ArtifactsArgs, KeysCommand};
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::output::{ago, table, until};
use crate::paint::plain;
use crate::setup::Setup;
use crate::view;

pub(super) async fn workers(setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let workers = call!(client, operate, workers, v1::WorkersRequest {})?.workers;
    let each = workers.iter().map(|worker| {
        json!({
            "id": worker.id, "class": worker.class, "slots": worker.slots, "tools": worker.tools,
            "place": worker.place, "version": worker.version, "seen_at_ms": worker.seen_at_ms,
        })
    });
    setup.output.result(&json!({ "workers": each.collect::<Vec<_>>() }), |paint| {
        let row = |worker: &v1::Worker| {
            let tools = worker.tools.len().to_string();
            vec![
                worker.id.clone(),
                paint.cyan(&worker.class),
                worker.slots.to_string(),
                tools,
                plain(&worker.place),
                worker.version.clone(),
                ago(worker.seen_at_ms),
            ]
        };
        let rows: Vec<_> = workers.iter().map(row).collect();
        if rows.is_empty() {
            "no workers".to_owned()
        } else {
            table(paint, &["WORKER", "CLASS", "SLOTS", "TOOLS", "PLACE", "VERSION", "SEEN"], &rows)
        }
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn queues(setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let queues = call!(client, operate, queues, v1::QueuesRequest {})?.queues;
    let each =
        queues.iter().map(|queue| json!({ "queue": queue.name, "ready": queue.ready, "consumers": queue.consumers }));
    setup.output.result(&json!({ "queues": each.collect::<Vec<_>>() }), |paint| {
        let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let rows: Vec<_> =
            queues.iter().map(|queue| vec![queue.name.clone(), number(queue.ready), number(queue.consumers)]).collect();
        table(paint, &["QUEUE", "READY", "CONSUMERS"], &rows)
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn artifacts(args: &ArtifactsArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    if let Some(path) = &args.path {
        return fetch(args, path, setup).await;
    }
    let artifacts = call!(client, operate, artifacts, v1::ArtifactsRequest { run_id: args.run.clone() })?.artifacts;
    let value = json!({ "artifacts": artifacts.iter().map(view::artifact_json).collect::<Vec<_>>() });
    setup.output.result(&value, |paint| {
        if artifacts.is_empty() { "no files".to_owned() } else { view::artifacts_text(&artifacts, paint) }
    });
    Ok(Exit::Succeeded)
}

async fn fetch(args: &ArtifactsArgs, path: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::GetArtifactRequest { run_id: args.run.clone(), path: path.to_owned() };
    let mut pieces = call!(client, operate, get_artifact, request)?;
    let mut target: Box<dyn Write + Send> = match &args.output {
        Some(file) => {
            Box::new(std::fs::File::create(file).with_context(|| format!("{} cannot be written", file.display()))?)
        }
        None => Box::new(std::io::stdout()),
    };
    let mut bytes = 0;
    while let Some(piece) = pieces.message().await? {
        bytes += piece.data.len();
        target.write_all(&piece.data).context("the file cannot be written")?;
    }
    target.flush().context("the file cannot be written")?;
    if let Some(file) = &args.output {
        let value = json!({ "path": path, "bytes": bytes, "file": file });
        setup.output.result(&value, |paint| format!("{} {}", paint.green("✓"), file.display()));
    }
    Ok(Exit::Succeeded)
}

pub(super) async fn keys(command: &KeysCommand, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    match command {
        KeysCommand::Create { actor, scope, days, tenant } => {
            let request = v1::CreateKeyRequest {
                actor: actor.clone(),
                scopes: scope.clone(),
                ttl_ms: u64::from(days.unwrap_or(0)) * 86_400_000,
                tenant: tenant.clone().unwrap_or_default(),
            };
            let created = call!(client, operate, create_key, request)?;
            let key = created.key.unwrap_or_default();
            let mut value = key_json(&key);
            value["secret"] = created.secret.as_str().into();
            setup.output.result(&value, |paint| {
                format!(
                    "{}\n{}",
                    created.secret,
                    paint.dim("shown this once; from now on every call needs a key: set BATON_API_KEY")
                )
            });
        }
        KeysCommand::List => {
            let keys = call!(client, operate, list_keys, v1::ListKeysRequest {})?.keys;
            setup.output.result(&json!({ "keys": keys.iter().map(key_json).collect::<Vec<_>>() }), |paint| {
                let row = |key: &v1::Key| {
                    let ends = key.expires_at_ms.map_or_else(|| "never".to_owned(), until);
                    vec![key.id.clone(), key.actor.clone(), key.scopes.join(","), ago(key.created_at_ms), ends]
                };
                let rows: Vec<_> = keys.iter().map(row).collect();
                if rows.is_empty() {
                    "no keys: callers on this machine need none".to_owned()
                } else {
                    table(paint, &["KEY", "ACTOR", "SCOPES", "MADE", "ENDS"], &rows)
                }
            });
        }
        KeysCommand::Revoke { id } => {
            if !call!(client, operate, revoke_key, v1::RevokeKeyRequest { id: id.clone() })?.revoked {
                return Err(Failed::new(
                    Exit::NotFound,
                    "key_not_found",
                    format!("there is no key {id}"),
                    "look with `baton keys list`",
                ));
            }
            setup
                .output
                .result(&json!({ "id": id, "revoked": true }), |paint| format!("{} {id} is revoked", paint.green("✓")));
        }
    }
    Ok(Exit::Succeeded)
}

fn key_json(key: &v1::Key) -> serde_json::Value {
    json!({ "id": key.id, "tenant": key.tenant, "actor": key.actor, "scopes": key.scopes, "created_at_ms": key.created_at_ms, "expires_at_ms": key.expires_at_ms })
}

pub(super) async fn unpark(run: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let unparked = call!(client, operate, unpark, v1::UnparkRequest { run_id: run.to_owned() })?.unparked;
    setup.output.result(&json!({ "run": run, "unparked": unparked }), |paint| {
        let what = if unparked { "goes on" } else { "was not stuck" };
        format!("{run} {}", paint.dim(what))
    });
    Ok(Exit::Succeeded)
}

pub(super) async fn health(setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::ListRunsRequest { page_size: 1, ..v1::ListRunsRequest::default() };
    call!(client, runs, list, request)?;
    setup.output.result(&json!({ "serving": true }), |_| "serving".to_owned());
    Ok(Exit::Succeeded)
}
