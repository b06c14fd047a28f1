//! The audit: who did what, and whether the log still says what it said.

use baton_proto::v1;
use serde_json::{Value, json};

use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::operate_args::{AuditArgs, AuditCommand, AuditList};
use crate::output::{ago, now_ms, table};
use crate::paint::Paint;
use crate::setup::Setup;

pub(super) async fn audit(args: &AuditArgs, setup: &Setup) -> Result<Exit, Failed> {
    match &args.command {
        None => list(&args.list, setup).await,
        Some(AuditCommand::List(wanted)) => list(wanted, setup).await,
        Some(AuditCommand::Verify { against, save }) => verify(against.as_deref(), save.as_deref(), setup).await,
    }
}

async fn list(wanted: &AuditList, setup: &Setup) -> Result<Exit, Failed> {
    let request = v1::AuditRequest {
        run_id: wanted.run.clone().unwrap_or_default(),
        page_size: wanted.limit,
        actor: wanted.actor.clone().unwrap_or_default(),
        operation: wanted.operation.clone().unwrap_or_default(),
        since_ms: wanted.since.map(|ms| now_ms().saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX))),
        ..v1::AuditRequest::default()
    };
    let client = setup.client()?;
    let entries = call!(client, operate, audit, request)?.entries;
    let each = entries.iter().map(|entry| {
        json!({
            "at_ms": entry.at_ms, "actor": entry.actor, "operation": entry.operation, "run": entry.run_id,
            "subject": entry.subject, "before": entry.before, "after": entry.after, "verdict": entry.verdict,
            "number": entry.number,
        })
    });
    setup.output.result(&json!({ "entries": each.collect::<Vec<_>>() }), |paint| {
        let row = |entry: &v1::AuditEntry| {
            vec![
                ago(entry.at_ms),
                entry.actor.clone(),
                paint.bold(&entry.operation),
                entry.run_id.clone(),
                entry.verdict.clone(),
                entry.subject.clone(),
            ]
        };
        let rows: Vec<_> = entries.iter().map(row).collect();
        if rows.is_empty() {
            "no entries".to_owned()
        } else {
            table(paint, &["WHEN", "WHO", "WHAT", "RUN", "VERDICT", "ABOUT"], &rows)
        }
    });
    Ok(Exit::Succeeded)
}

async fn verify(
    against: Option<&std::path::Path>,
    save: Option<&std::path::Path>,
    setup: &Setup,
) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let heads = match against {
        Some(file) => kept(file)?,
        None => Vec::new(),
    };
    let held_against = heads.len();
    let found = call!(client, operations, verify_audit, v1::VerifyAuditRequest { heads: heads.clone() })?;
    let heads: Vec<Value> = found
        .heads
        .iter()
        .map(|head| json!({ "partition": head.partition, "number": head.number, "link": head.link }))
        .collect();
    let whole = found.breaks.is_empty();
    if let Some(file) = save.filter(|_| whole) {
        let text = json!({ "heads": heads }).to_string() + "\n";
        std::fs::write(file, text).map_err(|error| {
            Failed::usage(
                "file_unreadable",
                format!("{} cannot be written: {error}", file.display()),
                "name another file",
            )
        })?;
    }
    let value = json!({
        "whole": whole, "chained": found.chained, "unchained": found.unchained, "unjudged": found.unjudged,
        "held_against": held_against, "heads": heads,
        "breaks": found.breaks.iter().map(|broken| json!({
            "partition": broken.partition, "number": broken.number, "fault": broken.fault, "text": broken.text,
        })).collect::<Vec<_>>(),
    });
    setup.output.result(&value, |paint| told(&found, held_against, paint));
    Ok(if whole { Exit::Succeeded } else { Exit::Failed })
}

fn told(found: &v1::VerifyAuditResponse, held_against: usize, paint: Paint) -> String {
    let mut text = String::new();
    for broken in &found.breaks {
        let place = format!("partition {}, entry {}", broken.partition, broken.number);
        text += &format!("{} {place}: {}, {}\n", paint.red("✗"), paint.bold(&broken.fault), broken.text);
    }
    if found.breaks.is_empty() {
        text += &format!("{} {} entries hold", paint.green("✓"), found.chained);
        text += &match held_against {
            0 => "\n".to_owned(),
            heads => format!(", held against {heads} heads that were kept\n"),
        };
    }
    if found.unchained > 0 {
        text += &paint.dim(format!("{} entries are older than the chain: nothing protects them\n", found.unchained));
    }
    if found.unjudged > 0 {
        text += &paint.dim(format!("{} heads are older than what is kept: they tell nothing\n", found.unjudged));
    }
    if held_against == 0 {
        text += &paint.dim("a log cut off or written anew by whoever may write the store shows only against heads kept elsewhere: --save, later --against\n");
    }
    text
}

/// Heads that an earlier look saved.
fn kept(file: &std::path::Path) -> Result<Vec<v1::AuditHead>, Failed> {
    let broken = |why: String| {
        Failed::usage("input_unreadable", format!("{}: {why}", file.display()), "name a file that --save wrote")
    };
    let text = std::fs::read_to_string(file).map_err(|error| broken(error.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let heads = value["heads"].as_array().ok_or_else(|| broken("it holds no heads".to_owned()))?;
    let head = |head: &Value| {
        Some(v1::AuditHead {
            partition: u32::try_from(head["partition"].as_u64()?).ok()?,
            number: head["number"].as_u64()?,
            link: head["link"].as_str()?.to_owned(),
        })
    };
    heads.iter().map(|each| head(each).ok_or_else(|| broken("a head is not one".to_owned()))).collect()
}
