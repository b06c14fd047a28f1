//! `baton graph`: validate, apply, list, show.

use baton_proto::v1;
use serde_json::json;

use crate::args::GraphCommand;
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::graph_file::GraphFile;
use crate::output::{ago, table};
use crate::setup::Setup;

pub(super) async fn graph(command: &GraphCommand, setup: &Setup) -> Result<Exit, Failed> {
    match command {
        GraphCommand::Validate { graph } => validate(&GraphFile::read(graph)?, setup),
        GraphCommand::Apply { graph } => apply(&GraphFile::read(graph)?, setup).await,
        GraphCommand::List => list(setup).await,
        GraphCommand::Show { name } => show(name, setup).await,
    }
}

fn validate(file: &GraphFile, setup: &Setup) -> Result<Exit, Failed> {
    let graph = match file.parse() {
        Ok(graph) => graph,
        Err(failed) => return Ok(setup.output.failed(&failed, &file.sources())),
    };
    let version = graph.hash.to_string();
    let value = json!({ "valid": true, "graph": graph.name, "version": version, "nodes": graph.nodes.len() });
    setup.output.result(&value, |paint| {
        let nodes = if graph.nodes.len() == 1 { "node" } else { "nodes" };
        format!(
            "{} {}  {}",
            paint.green("✓"),
            paint.bold(&graph.name),
            paint.dim(format!("{} {nodes}  {version}", graph.nodes.len()))
        )
    });
    Ok(Exit::Succeeded)
}

async fn apply(file: &GraphFile, setup: &Setup) -> Result<Exit, Failed> {
    if let Err(failed) = file.parse() {
        return Ok(setup.output.failed(&failed, &file.sources()));
    }
    let client = setup.client()?;
    let request = v1::ApplyGraphRequest {
        source: file.text().to_owned(),
        includes: file.includes(),
        origin: file.name().to_owned(),
    };
    let applied = call!(client, graphs, apply, request)?;
    let graph = applied.graph.unwrap_or_default();
    let value = json!({ "graph": graph.name, "version": graph.hash, "changed": applied.changed });
    setup.output.result(&value, |paint| {
        let what = if applied.changed { "applied" } else { "is as it was" };
        format!("{} {} {what}  {}", paint.green("✓"), paint.bold(&graph.name), paint.dim(&graph.hash))
    });
    Ok(Exit::Succeeded)
}

async fn list(setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let (mut graphs, mut page_token) = (Vec::new(), String::new());
    loop {
        let page =
            call!(client, graphs, list, v1::ListGraphsRequest { page_size: 500, page_token: page_token.clone() })?;
        graphs.extend(page.graphs);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let each = graphs
        .iter()
        .map(|graph| json!({ "graph": graph.name, "version": graph.hash, "applied_at_ms": graph.applied_at_ms }));
    setup.output.result(&json!({ "graphs": each.collect::<Vec<_>>() }), |paint| {
        let rows: Vec<_> = graphs
            .iter()
            .map(|graph| vec![paint.bold(&graph.name), graph.hash.clone(), ago(graph.applied_at_ms)])
            .collect();
        if rows.is_empty() {
            "no graphs yet: `baton graph apply GRAPH.yaml`".to_owned()
        } else {
            table(paint, &["GRAPH", "VERSION", "APPLIED"], &rows)
        }
    });
    Ok(Exit::Succeeded)
}

async fn show(name: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let graph = call!(client, graphs, get, v1::GetGraphRequest { graph: name.to_owned() })?.graph.unwrap_or_default();
    let value = json!({ "graph": graph.name, "version": graph.hash, "applied_at_ms": graph.applied_at_ms, "source": graph.source });
    // The canonical text is JSON on one line, which is YAML too.
    setup.output.result(&value, |_| {
        crate::paint::plain(&serde_json::to_string_pretty(&crate::view::parsed(&graph.source)).unwrap_or_default())
    });
    Ok(Exit::Succeeded)
}
