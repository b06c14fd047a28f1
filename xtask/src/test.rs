//! `cargo xtask test`: all checks and all tests, in stages, with one verdict at the end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::stages::Stages;
use crate::tally::Tally;
use crate::{needs, process, python, tidy};

/// The stages, in the order they run.
const STAGES: [&str; 11] =
    ["tidy", "format", "needs", "python", "deny", "wire", "alerts", "clippy", "docs", "build", "tests"];

/// What to leave out of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run these stages only.
    #[arg(long, value_delimiter = ',', value_parser = STAGES)]
    only: Vec<String>,
}

/// Runs all stages and prints seconds per stage; the last line is `N passed, N failed`.
///
/// # Errors
/// When any stage or test failed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let cargo = |parts: &[&str]| process::run(process::cargo(root).args(parts));
    let mut tally = Tally::default();
    let mut stages = Stages::default();
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    for name in STAGES.into_iter().filter(|name| wanted(name)) {
        stages.run(name, || match name {
            "tidy" => tidy::run(root),
            "format" => cargo(&["fmt", "--all", "--check"]),
            "needs" => needs::for_tests(),
            "python" => python::environment().map(drop),
            "deny" => python::deny(root, &python::environment()?),
            "wire" => python::wire(root, &python::environment()?),
            "alerts" => alerts(root),
            "clippy" => cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
            "docs" => docs(root),
            "build" => cargo(&["build", "--workspace", "--bins", "--locked"]),
            _ => test(root, &mut tally),
        });
    }
    println!("{}", stages.table());
    if tally.ignored > 0 {
        println!("{} ignored: a test that is not run keeps no promise", tally.ignored);
    }
    let failed = failures(tally, stages.failed());
    println!("{} passed, {failed} failed", tally.passed);
    if failed > 0 {
        bail!("{failed} failed");
    }
    Ok(())
}

/// Tests that failed, and stages that failed for another reason than such a test.
fn failures(tally: Tally, stages: u64) -> u64 {
    let counted_twice = u64::from(tally.failed > 0 && stages > 0);
    tally.failed + tally.ignored + stages - counted_twice
}

/// Fires each alert once, and none where all is well.
fn alerts(root: &Path) -> anyhow::Result<()> {
    let mut tool = Command::new("promtool");
    process::run(tool.args(["test", "rules", "rules.test.yml"]).current_dir(root.join("deploy/prometheus")))
}

fn docs(root: &Path) -> anyhow::Result<()> {
    let mut docs = process::cargo(root);
    process::run(docs.args(["doc", "--no-deps", "--workspace", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs the tests, showing their output as it comes.
fn test(root: &Path, tally: &mut Tally) -> anyhow::Result<()> {
    let mut command = process::cargo(root);
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.env(python::VARIABLE, python::environment()?).stdout(Stdio::piped());
    let mut child = command.spawn().context("cargo does not start")?;
    let output = child.stdout.take().context("no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("output of the tests")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.read(&line);
    }
    let status = child.wait().context("the tests")?;
    if !status.success() {
        bail!("cargo test ended with {status}");
    }
    if tally.passed == 0 {
        bail!("no test was run");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_stage_counts_even_when_no_test_failed() {
        let tally = |failed, ignored| Tally { passed: 5, failed, ignored };
        assert_eq!(failures(tally(0, 0), 0), 0);
        assert_eq!(failures(tally(0, 0), 2), 2);
        assert_eq!(failures(tally(3, 0), 1), 3, "the stage failed because of the tests");
        assert_eq!(failures(tally(3, 0), 2), 4);
        assert_eq!(failures(tally(0, 1), 0), 1, "an ignored test is a failure");
    }
}
