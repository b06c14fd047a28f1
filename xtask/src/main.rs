//! `cargo xtask`: the checks, benches and demos of the workspace, each by one command.
//!
//! It depends on next to nothing, because it compiles before anything else. What benches and
//! demos do is up to the binaries of `integration-tests`.

mod e2e;
mod fuzz;
mod model;
mod needs;
mod process;
mod python;
mod stages;
mod tally;
mod test;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks, benches and demos of Baton")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every check and every test, and installs what they need where it may.
    Test(test::Arguments),
    /// Checks the rules of the code that compilers do not know.
    Tidy,
    /// Measures, in a release build.
    #[command(disable_help_flag = true)]
    Bench(Passed),
    /// Shows the cluster at work under faults.
    #[command(disable_help_flag = true)]
    Demo(Passed),
    /// Checks the model of the hand-over whole, with and without each of its rules.
    Model,
    /// Strikes a cluster of real processes with faults, and judges what came of it.
    #[command(disable_help_flag = true)]
    Chaos(Passed),
    /// Tries the compose file in containers: up, used, struck, judged, taken down.
    E2e(e2e::Arguments),
    /// Searches for bytes that break what reads them; needs a nightly toolchain.
    Fuzz(fuzz::Arguments),
    /// Runs the simulator over many seeds, in a release build.
    #[command(disable_help_flag = true)]
    Simulate(Passed),
}

/// Arguments for another program.
#[derive(clap::Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let root = root();
    let outcome = match Arguments::parse().command {
        Command::Test(arguments) => test::run(&root, &arguments),
        Command::Tidy => tidy::run(&root),
        Command::Bench(passed) => bench(&root, passed.arguments),
        Command::Demo(passed) => process::run_bin(&root, "demo", false, &passed.arguments),
        Command::Model => model::run(&root),
        Command::Chaos(passed) => process::run_bin(&root, "chaos", false, &passed.arguments),
        Command::E2e(arguments) => e2e::run(&root, &arguments),
        Command::Fuzz(arguments) => fuzz::run(&root, &arguments),
        Command::Simulate(passed) => process::run_bin(&root, "simulate", true, &passed.arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a bench; beside LangGraph it is told where that is.
fn bench(root: &Path, mut arguments: Vec<String>) -> anyhow::Result<()> {
    if let Some(place) = arguments.iter().position(|argument| argument == "--with-langgraph") {
        let python = python::langgraph()?.display().to_string();
        arguments.splice(place..=place, ["--python".to_owned(), python]);
    }
    // The collector of spans is among the helpers of tests.
    let helpers = arguments.first().is_some_and(|first| first == "cluster") && env::var_os(python::VARIABLE).is_none();
    let helpers = if helpers { Some(python::environment()?) } else { None };
    let told: Vec<(&str, &Path)> = helpers.iter().map(|place| (python::VARIABLE, place.as_path())).collect();
    process::run_release(root, "bench", &arguments, &told)
}

/// The folder of the workspace.
fn root() -> PathBuf {
    // Cargo names the checkout it runs this for. Of several that share a target folder this may have
    // been compiled in another one.
    let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    own.parent().unwrap_or(&own).to_owned()
}
