//! `baton graph`: validate, apply, list, show, draw, schema. What pictures look like is
//! `engine`'s part; `test` has a file of its own.

use std::path::Path;

use baton_engine::graph::Graph;
use baton_engine::{draw, spec};
use baton_proto::v1;
use serde_json::json;

use crate::args::GraphCommand;
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::graph_file::GraphFile;
use crate::output::{ago, table};
use crate::setup::Setup;
use crate::{overview, problems};

pub(super) async fn graph(command: &GraphCommand, setup: &Setup) -> Result<Exit, Failed> {
    match command {
        GraphCommand::Validate { graph, server: false } => validate(&file(graph, setup).await?, setup),
        GraphCommand::Validate { graph, server: true } => ask_to_validate(&GraphFile::read(graph)?, setup).await,
        GraphCommand::Apply { graph } => apply(&GraphFile::read(graph)?, setup).await,
        GraphCommand::List => list(setup).await,
        GraphCommand::Show { graph, source } => show(graph, *source, setup).await,
        GraphCommand::Draw { graph, format, out } => draw(graph, format, out.as_deref(), setup).await,
        GraphCommand::Test { files } => super::graph_test::test(files, setup),
        GraphCommand::Migrate { graph, to, dry_run } => {
            super::migrate::migrate(graph, to.as_deref(), *dry_run, setup).await
        }
        GraphCommand::Schema => {
            println!("{}", spec::SCHEMA.trim_end());
            Ok(Exit::Succeeded)
        }
    }
}

/// A file, with the applied graphs it calls as the server knows them.
async fn file(path: &Path, setup: &Setup) -> Result<GraphFile, Failed> {
    let mut file = GraphFile::read(path)?;
    for name in file.calls() {
        // One that is not there is a problem of the graph, with its place.
        match applied(&name, setup).await {
            Ok(graph) => file.know(name, graph.source),
            Err(failed) if failed.code == "graph_not_found" => {}
            Err(failed) => return Err(failed),
        }
    }
    Ok(file)
}

async fn applied(name: &str, setup: &Setup) -> Result<v1::Graph, Failed> {
    let client = setup.client()?;
    Ok(call!(client, graphs, get, v1::GetGraphRequest { graph: name.to_owned() })?.graph.unwrap_or_default())
}

/// What a file or an applied graph is: its graph, and when it was applied. The error shows
/// what is wrong with the file.
async fn named(name: &str, setup: &Setup) -> Result<Result<(Graph, Option<i64>), Exit>, Failed> {
    let path = Path::new(name);
    if path.is_file() || path.extension().is_some() && name.contains(['/', '\\']) {
        let file = file(path, setup).await?;
        return Ok(match file.parse() {
            Ok(graph) => Ok((graph, None)),
            Err(failed) => Err(setup.output.failed(&failed, &file.sources())),
        });
    }
    let kept = applied(name, setup).await?;
    let graph = spec::parse_canonical(&kept.source).map_err(|problems| {
        let why = problems.first().map(ToString::to_string).unwrap_or_default();
        let cause = format!("the graph {name} does not read: {why}");
        Failed::new(Exit::Failed, "invalid_graph", cause, "apply it again")
    })?;
    Ok(Ok((graph, Some(kept.applied_at_ms))))
}

async fn draw(name: &str, format: &str, out: Option<&Path>, setup: &Setup) -> Result<Exit, Failed> {
    let graph = match named(name, setup).await? {
        Ok((graph, _)) => graph,
        Err(exit) => return Ok(exit),
    };
    let svg = format == "svg" || out.is_some_and(|out| out.extension().is_some_and(|extension| extension == "svg"));
    let (format, drawn) = if svg { ("svg", draw::svg(&graph)) } else { ("mermaid", draw::mermaid(&graph)) };
    if let Some(out) = out {
        std::fs::write(out, &drawn).map_err(|error| {
            let cause = format!("{} cannot be written: {error}", out.display());
            Failed::usage("file_unwritable", cause, "name a file in a folder that is there")
        })?;
    }
    let file = out.map(|out| out.display().to_string());
    let shown = if file.is_none() { Some(&drawn) } else { None };
    let value = json!({ "graph": graph.name, "version": graph.hash.to_string(), "format": format, "file": file, "drawing": shown });
    setup.output.result(&value, |paint| match &file {
        Some(file) => format!("{} {} is drawn in {file}", paint.green("✓"), paint.bold(&graph.name)),
        None => drawn.trim_end().to_owned(),
    });
    Ok(Exit::Succeeded)
}

fn validate(file: &GraphFile, setup: &Setup) -> Result<Exit, Failed> {
    match file.parse() {
        Ok(graph) => Ok(valid(file, (&graph.name, &graph.hash.to_string(), Some(graph.nodes.len())), setup)),
        Err(failed) => Ok(setup.output.failed(&failed, &file.sources())),
    }
}

async fn ask_to_validate(file: &GraphFile, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::ValidateGraphRequest {
        source: file.text().to_owned(),
        includes: file.includes(),
        origin: file.name().to_owned(),
    };
    let answer = call!(client, graphs, validate, request)?;
    if answer.problems.is_empty() {
        return Ok(valid(file, (&answer.name, &answer.hash, None), setup));
    }
    let mut failed = file.refused();
    failed.problems = answer.problems;
    Ok(setup.output.failed(&failed, &file.sources()))
}

fn valid(file: &GraphFile, (name, version, nodes): (&str, &str, Option<usize>), setup: &Setup) -> Exit {
    let notes = file.notes();
    setup.output.notes(&notes, &file.sources());
    let mut value = json!({ "valid": true, "graph": name, "version": version });
    if let Some(nodes) = nodes {
        value["nodes"] = json!(nodes);
    }
    if !notes.is_empty() {
        value["notes"] = problems::json(&notes);
    }
    setup.output.result(&value, |paint| {
        let count = match nodes {
            Some(1) => "1 node  ".to_owned(),
            Some(nodes) => format!("{nodes} nodes  "),
            None => String::new(),
        };
        format!("{} {}  {}", paint.green("✓"), paint.bold(name), paint.dim(format!("{count}{version}")))
    });
    Exit::Succeeded
}

async fn apply(file: &GraphFile, setup: &Setup) -> Result<Exit, Failed> {
    // Of a graph that calls applied ones only the server can tell.
    if file.calls().is_empty()
        && let Err(failed) = file.parse()
    {
        return Ok(setup.output.failed(&failed, &file.sources()));
    }
    let client = setup.client()?;
    let request = v1::ApplyGraphRequest {
        source: file.text().to_owned(),
        includes: file.includes(),
        origin: file.name().to_owned(),
    };
    let applied: Result<_, Failed> = call!(client, graphs, apply, request);
    let applied = match applied {
        Ok(applied) => applied,
        Err(failed) if !failed.problems.is_empty() => return Ok(setup.output.failed(&failed, &file.sources())),
        Err(failed) => return Err(failed),
    };
    let graph = applied.graph.unwrap_or_default();
    setup.output.notes(&file.notes(), &file.sources());
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

async fn show(name: &str, source: bool, setup: &Setup) -> Result<Exit, Failed> {
    let (graph, applied_at_ms) = match named(name, setup).await? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let mut value = overview::json(&graph);
    value["applied_at_ms"] = json!(applied_at_ms);
    value["source"] = json!(graph.source);
    setup.output.result(&value, |paint| {
        if source {
            // The canonical text is JSON on one line, which is YAML too.
            let text = serde_json::to_string_pretty(&crate::view::parsed(&graph.source)).unwrap_or_default();
            return crate::paint::plain(&text);
        }
        overview::text(&graph, applied_at_ms, paint)
    });
    Ok(Exit::Succeeded)
}
