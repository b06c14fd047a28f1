//! `baton graph migrate`: open runs of a graph go on with another version of it. Whether one
//! fits there, the server says.

use baton_proto::v1::{self, MigrationResult};
use serde_json::{Value, json};

use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::output::table;
use crate::paint::Paint;
use crate::setup::Setup;

/// Runs the server looks at in one call.
const PAGE: i32 = 200;

pub(super) async fn migrate(graph: &str, to: Option<&str>, dry_run: bool, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let (name, from) = graph.split_once('@').unwrap_or((graph, ""));
    let to = to.map(|to| to.rsplit('@').next().unwrap_or(to)).unwrap_or_default();
    let mut request = v1::MigrateGraphRequest {
        graph: name.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        dry_run,
        page_size: PAGE,
        page_token: String::new(),
    };
    let mut runs = Vec::new();
    loop {
        let page = call!(client, graphs, migrate, request.clone())?;
        runs.extend(page.runs);
        // Should the name come to mean another version meanwhile, all still go on with one.
        (request.to, request.page_token) = (page.to, page.next_page_token);
        if request.page_token.is_empty() {
            break;
        }
    }
    let value = json!({
        "graph": name, "to": request.to, "dry_run": dry_run, "runs": runs.iter().map(one).collect::<Vec<_>>(),
    });
    setup.output.result(&value, |paint| text(name, &request.to, &runs, paint));
    let stays = |run: &v1::RunMigration| matches!(run.result(), MigrationResult::Misfit | MigrationResult::MovedOn);
    Ok(if runs.iter().any(stays) { Exit::Failed } else { Exit::Succeeded })
}

fn word(run: &v1::RunMigration) -> &'static str {
    match run.result() {
        MigrationResult::Fits => "fits",
        MigrationResult::Misfit => "misfit",
        MigrationResult::Migrated => "migrated",
        MigrationResult::MovedOn => "moved_on",
        MigrationResult::Unspecified => "",
    }
}

fn one(run: &v1::RunMigration) -> Value {
    let misfits = run.misfits.iter().map(|misfit| {
        json!({
            "code": misfit.code, "node": misfit.node, "channel": misfit.channel,
            "cause": misfit.cause, "cure": misfit.cure,
        })
    });
    json!({
        "run": run.run_id, "thread": run.thread, "status": run.status, "from": run.from,
        "result": word(run), "misfits": misfits.collect::<Vec<_>>(),
    })
}

fn text(graph: &str, to: &str, runs: &[v1::RunMigration], paint: Paint) -> String {
    if runs.is_empty() {
        return format!("no open run of {} has another version than {to}", paint.bold(graph));
    }
    let rows: Vec<_> = runs.iter().map(|run| row(run, paint)).collect();
    let mut text = table(paint, &["RUN", "STATUS", "VERSION", "RESULT"], &rows);
    for run in runs {
        for misfit in &run.misfits {
            text.push_str(&format!("\n{} {}\n", paint.red(&run.run_id), crate::paint::plain(&misfit.cause)));
            text.push_str(&format!("{}  {}\n", paint.cyan("help:"), crate::paint::plain(&misfit.cure)));
            text.push_str(&format!("{}\n", paint.dim(format!("code:  {}", misfit.code))));
        }
    }
    text
}

fn row(run: &v1::RunMigration, paint: Paint) -> Vec<String> {
    let result = match run.result() {
        MigrationResult::Fits => paint.green("fits"),
        MigrationResult::Migrated => paint.green("migrated"),
        MigrationResult::MovedOn => paint.red("moved on: try again"),
        MigrationResult::Misfit => paint.red("does not fit"),
        MigrationResult::Unspecified => String::new(),
    };
    vec![run.run_id.clone(), run.status.clone(), run.from.clone(), result]
}
