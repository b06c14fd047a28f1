//! `baton`: runs graphs here, and speaks with servers. Decides nothing about graphs.

mod answers;
mod args;
mod ask;
mod client;
mod commands;
mod config_args;
mod exit;
mod follow;
mod graph_file;
mod history;
mod local;
mod operate_args;
mod output;
mod overview;
mod paint;
mod problems;
mod progress;
mod quota_args;
mod schedule_args;
mod setup;
mod skill_folder;
mod view;
mod why;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{Cli, Command};
use exit::{Exit, Failed};
use output::Output;
use setup::Setup;

/// Small values of many threads come and go with every step: this one serves them quicker
/// than the system's (`docs/adr/0012`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Documents are read by children of this very program.
    baton_embedded::run_if_asked();
    let cli = Cli::parse();
    let output = Output { json: cli.json };
    match start(&cli) {
        Ok(exit) => exit.into(),
        Err(failed) => output.failed(&failed, &[]).into(),
    }
}

fn start(cli: &Cli) -> Result<Exit, Failed> {
    // What is wrong with settings is to be told, and not to end this.
    if let Command::Config(args) = &cli.command {
        return commands::config::config(args, cli);
    }
    let setup = Setup::new(cli)?;
    baton_common::failpoint::from_env().map_err(anyhow::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).max(2))
        .thread_name("baton")
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)?;
    let outcome = runtime.block_on(async {
        let telemetry = baton_telemetry::init(&telemetry(cli, &setup)?).map_err(anyhow::Error::from)?;
        let outcome = commands::execute(&cli.command, &setup).await;
        telemetry.shutdown().await;
        outcome
    });
    // Tools that were left behind must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

/// Logs are for servers: other commands show results and progress, unless asked for more.
fn telemetry(cli: &Cli, setup: &Setup) -> anyhow::Result<baton_telemetry::Options> {
    let mut options = baton_telemetry::Options::from_env("baton");
    let serves = matches!(cli.command, Command::Dev(_));
    match setup.sources.get("BATON_LOG") {
        Some(filter) => options.filter = filter,
        None if !serves => options.filter = "off".to_owned(),
        None => options.filter = "warn".to_owned(),
    }
    options.trace_ratio = baton_telemetry::trace_ratio(&setup.sources)?.unwrap_or(options.trace_ratio);
    Ok(options)
}
