//! `cargo xtask e2e`: the compose file tried in containers. Ends with 1 where something was broken,
//! with 2 where it was asked for wrongly. At Ctrl-C everything is taken down first.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that prints its findings")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use baton_integration_tests::e2e::{self, Options};
use tokio_util::sync::CancellationToken;

const USAGE: &str = "run it as cargo xtask e2e [compose] [--quick | --from-source]";

#[tokio::main]
async fn main() -> ExitCode {
    let options = match asked(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let over = CancellationToken::new();
    let listener = tokio::spawn(baton_telemetry::cancel_at_signal(over.clone()));
    let report = e2e::compose(&options, over).await;
    listener.abort();
    let table = report.table();
    println!("{table}");
    if let Err(error) = std::fs::write(options.folder.join("summary.txt"), &table) {
        eprintln!("the summary is not kept: {error}");
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().context("the repository")?;
    let (mut cache, mut receiver, mut schema_check, mut toolchain) = (None, None, None, None);
    let (mut quick, mut release) = (false, false);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().map(PathBuf::from).with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--cache" => cache = Some(value()?),
            "--receiver" => receiver = Some(value()?),
            "--schema-check" => schema_check = Some(value()?),
            "--toolchain" => toolchain = Some(value()?),
            "--quick" => quick = true,
            "--release" => release = true,
            other => bail!("unknown argument {other:?}"),
        }
    }
    Ok(Options {
        folder: e2e::folder(&root),
        root,
        cache: cache.context("--cache is missing")?,
        receiver: receiver.context("--receiver is missing")?,
        schema_check: schema_check.context("--schema-check is missing")?,
        toolchain,
        quick,
        release,
    })
}
