//! The commands, a file for each family.

mod answer;
mod archive;
mod audit;
mod blobs;
mod bulk;
pub(crate) mod config;
pub(crate) mod dev;
mod graph;
mod graph_test;
mod history;
mod migrate;
mod operate;
mod quotas;
mod run;
mod runs;
mod schedules;

use crate::args::{Command, RetryArgs};
use crate::exit::{Exit, Failed};
use crate::operate_args::SelectArgs;
use crate::setup::Setup;

/// Does what was asked.
pub(crate) async fn execute(command: &Command, setup: &Setup) -> Result<Exit, Failed> {
    match command {
        Command::Run(args) => run::run(args, setup).await,
        Command::Dev(args) => dev::dev(args, setup).await,
        Command::Graph(command) => graph::graph(command, setup).await,
        Command::Submit(args) => runs::submit(args, setup).await,
        Command::Watch(args) => runs::watch(args, setup).await,
        Command::Get { run } => runs::get(run, setup).await,
        Command::List(args) => runs::list(args, setup).await,
        Command::Answer(args) => answer::answer(args, setup).await,
        Command::Cancel { run: Some(run), select } if select.matches_all() => runs::cancel(run, setup).await,
        Command::Cancel { run, select } => {
            bulk::many("cancel", &SelectArgs { run: run.clone(), ..select.clone() }, setup).await
        }
        Command::Dead(command) => bulk::dead(command, setup).await,
        Command::Signal(args) => runs::signal(args, setup).await,
        Command::History(args) => history::history(args, setup).await,
        Command::State(args) => history::state(args, setup).await,
        Command::Diff(args) => history::diff(args, setup).await,
        Command::Edit(args) => history::edit(args, setup).await,
        Command::Fork(args) => history::fork(args, setup).await,
        Command::Retry(RetryArgs { run: Some(run), from, .. }) => history::retry(run, *from, setup).await,
        Command::Retry(args) => bulk::many("retry", &args.select, setup).await,
        Command::Replay { run } => history::replay(run, setup).await,
        Command::Unpark { run } => operate::unpark(run, setup).await,
        Command::Schedules(command) => schedules::schedules(command, setup).await,
        Command::Workers => operate::workers(setup).await,
        Command::Queues => operate::queues(setup).await,
        Command::Artifacts(args) => operate::artifacts(args, setup).await,
        Command::Audit(command) => audit::audit(command, setup).await,
        Command::Archive(command) => archive::archive(command, setup).await,
        Command::Blobs(command) => blobs::blobs(command, setup).await,
        Command::Keys(command) => operate::keys(command, setup).await,
        Command::Quotas(command) => quotas::quotas(command, setup).await,
        Command::Health => operate::health(setup).await,
        // Told before settings are read.
        Command::Config(_) => Ok(Exit::Succeeded),
    }
}

/// A JSON text, or what stands in @FILE.
fn json_or_file(name: &str, text: &str) -> Result<String, Failed> {
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Failed::usage(
                "input_unreadable",
                format!("{name} {path} cannot be read: {error}"),
                "name a file with JSON behind @",
            )
        })?,
        None => text.to_owned(),
    };
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => Ok(value.to_string()),
        Err(error) => {
            let cure = format!("write {name} as JSON in single quotes, or @FILE");
            Err(Failed::usage("invalid_json", format!("{name} is no JSON: {error}"), cure))
        }
    }
}
