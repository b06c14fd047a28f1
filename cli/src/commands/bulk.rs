//! Operations over many: a preview first, and with `--yes` what it listed, a share at a time.

use baton_proto::v1;
use serde_json::{Value, json};

use crate::client::{Client, call};
use crate::exit::{Exit, Failed};
use crate::operate_args::{DeadCommand, SelectArgs};
use crate::output::{ago, table};
use crate::paint::plain;
use crate::setup::Setup;

/// Items applied by one call, so that progress shows.
const SHARE: usize = 100;
/// Items that a preview shows.
const SHOWN: usize = 20;

/// What does not come through by itself.
pub(super) async fn dead(command: &DeadCommand, setup: &Setup) -> Result<Exit, Failed> {
    match command {
        DeadCommand::List { select } => list(select, setup).await,
        DeadCommand::Show { run } => {
            let select = SelectArgs { run: Some(run.clone()), ..SelectArgs::default() };
            list(&select, setup).await
        }
        DeadCommand::Redrive { run, select } => many("redrive", &of(run.as_ref(), select), setup).await,
        DeadCommand::Drop { run, select } => many("drop", &of(run.as_ref(), select), setup).await,
    }
}

fn of(run: Option<&String>, select: &SelectArgs) -> SelectArgs {
    SelectArgs { run: run.cloned(), ..select.clone() }
}

async fn list(select: &SelectArgs, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let found = preview(&client, "redrive", select).await?;
    let value = json!({
        "items": found.items.iter().map(item_json).collect::<Vec<_>>(), "looked_at": found.looked_at, "more": found.more,
    });
    setup.output.result(&value, |paint| {
        if found.items.is_empty() {
            return format!("nothing is dead among {} runs", found.looked_at);
        }
        let mut text = rows(&found.items, paint);
        if found.more {
            text += &paint.dim("\nthere may be more; narrow it with --graph, --kind or --older-than\n");
        }
        text + &paint.dim("\nput to work again with `baton dead redrive RUN`, given up with `baton dead drop RUN`\n")
    });
    Ok(Exit::Succeeded)
}

/// Previews, and with `--yes` does it.
pub(super) async fn many(action: &str, select: &SelectArgs, setup: &Setup) -> Result<Exit, Failed> {
    if select.matches_all() {
        let cure = "name a run or a filter: --graph, --status, --older-than, --why; --all means all";
        return Err(Failed::usage("nothing_selected", format!("nothing says what to {action}"), cure));
    }
    let client = setup.client()?;
    let found = preview(&client, action, select).await?;
    if !select.yes || found.items.is_empty() {
        let value = json!({
            "operation": found.operation, "action": action, "count": found.items.len(), "applied": false,
            "items": found.items.iter().map(item_json).collect::<Vec<_>>(), "more": found.more,
        });
        setup.output.result(&value, |paint| {
            if found.items.is_empty() {
                return format!("nothing to {action} among {} runs", found.looked_at);
            }
            let shown = &found.items[..found.items.len().min(SHOWN)];
            let rest = found.items.len() - shown.len();
            let mut text = rows(shown, paint);
            if rest > 0 {
                text += &paint.dim(format!("… and {rest} more\n"));
            }
            let more = if found.more { " at least" } else { "" };
            let count = found.items.len();
            text + &format!("\nwould {action}{more} {}; add {} to do it\n", paint.bold(count), paint.bold("--yes"))
        });
        return Ok(Exit::Succeeded);
    }
    apply(&client, action, found, setup).await
}

async fn apply(client: &Client, action: &str, found: v1::PreviewResponse, setup: &Setup) -> Result<Exit, Failed> {
    let mut results = Vec::with_capacity(found.items.len());
    let all = found.items.len();
    for share in found.items.chunks(SHARE) {
        let request = v1::ApplyOperationRequest {
            operation: found.operation.clone(),
            action: action.to_owned(),
            items: share.to_vec(),
        };
        results.extend(call!(client, operations, apply, request)?.results);
        if all > SHARE && !setup.output.json {
            eprintln!("{} of {all}", results.len());
        }
    }
    let count = |wanted: &str| results.iter().filter(|result| result.result == wanted).count();
    let (done, already, refused) = (count("done"), count("already"), count("refused"));
    let value = json!({
        "operation": found.operation, "action": action, "applied": true, "done": done, "already": already,
        "refused": refused, "more": found.more,
        "results": results.iter().map(|result| json!({
            "run": result.run_id, "job": some(&result.job), "result": result.result, "code": some(&result.code),
            "text": some(&result.text),
        })).collect::<Vec<_>>(),
    });
    setup.output.result(&value, |paint| {
        let mut text = format!("{} {action}: {done} done", paint.green("✓"));
        if already > 0 {
            text += &format!(", {already} done before");
        }
        text.push('\n');
        for result in results.iter().filter(|result| result.result == "refused").take(SHOWN) {
            let what = if result.job.is_empty() { &result.run_id } else { &result.job };
            text += &format!("{} {what}  {}: {}\n", paint.red("✗"), result.code, plain(&result.text));
        }
        if refused > 0 {
            text += &format!("{refused} refused\n");
        }
        text + &paint
            .dim(format!("operation {}; `baton audit list --operation` with it tells of each\n", found.operation))
    });
    Ok(if refused > 0 { Exit::Failed } else { Exit::Succeeded })
}

async fn preview(client: &Client, action: &str, select: &SelectArgs) -> Result<v1::PreviewResponse, Failed> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let request = v1::PreviewRequest {
        action: action.to_owned(),
        run_id: text(&select.run),
        graph: text(&select.graph),
        status: text(&select.status),
        why: text(&select.why),
        tool: text(&select.tool),
        node: text(&select.node),
        class: text(&select.class),
        older_than_ms: select.older_than.unwrap_or(0),
        limit: 0,
    };
    call!(client, operations, preview, request)
}

fn item_json(item: &v1::OperationItem) -> Value {
    json!({
        "run": item.run_id, "generation": item.generation, "job": some(&item.job), "kind": item.kind,
        "graph": item.graph, "status": item.status, "tool": some(&item.tool), "text": item.text,
        "since_ms": item.since_ms,
    })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn rows(items: &[v1::OperationItem], paint: crate::paint::Paint) -> String {
    let row = |item: &v1::OperationItem| {
        // The run stands in a column of its own.
        let job = item.job.split('/').skip(2).collect::<Vec<_>>().join("/");
        let what = if item.kind == "run" { paint.status(&item.status) } else { paint.red(&item.kind) };
        vec![
            item.run_id.clone(),
            what,
            item.graph.clone(),
            job,
            item.tool.clone(),
            ago(item.since_ms),
            plain(&item.text),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    table(paint, &["RUN", "IS", "GRAPH", "JOB", "TOOL", "SINCE", "WHY"], &rows)
}
