//! `cargo xtask fuzz`: searches for inputs that break what reads foreign bytes.
//!
//! What is searched stands in `fuzz/`; what was found once is tried by the tests.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Inputs that a target starts from, beside what it has found so far.
const SEEDS: &[(&str, &[&str])] = &[("graph", &["engine/src/spec/tests/corpus", "examples"])];

/// How long an input may be, in bytes, where that is not 4,096.
const LENGTHS: &[(&str, u32)] = &[("graph", 20_000), ("expression", 2_000)];

/// What to search, and for how long.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target is searched, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// This target alone.
    #[arg(long)]
    only: Option<String>,
}

/// Searches one target after the other.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let all = targets(root)?;
    let chosen: Vec<&String> =
        all.iter().filter(|name| arguments.only.as_ref().is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        bail!("there is no such target; there are {}", all.join(", "));
    }
    cargo_fuzz(root)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .ok()
        .filter(std::process::ExitStatus::success)
        .context("fuzzing needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`")?;
    println!("{:<14} {:>10} {:>8}", "target", "inputs", "edges");
    for target in chosen {
        let found = search(root, target, arguments.seconds)?;
        println!("{target:<14} {:>10} {:>8}", found.inputs, found.edges);
    }
    Ok(())
}

/// The targets by their files, in order.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let names = entries.map(|entry| {
        let name = entry?.file_name().to_string_lossy().into_owned();
        Ok(name.trim_end_matches(".rs").to_owned())
    });
    let mut names = names.collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn cargo_fuzz(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz"]).current_dir(root);
    // Where this program came from is another toolchain.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}

struct Found {
    inputs: String,
    edges: String,
}

fn search(root: &Path, target: &str, seconds: u32) -> anyhow::Result<Found> {
    let corpus = format!("fuzz/corpus/{target}");
    fs::create_dir_all(root.join(&corpus)).with_context(|| corpus.clone())?;
    let seeds = SEEDS.iter().filter(|(name, _)| *name == target).flat_map(|(_, seeds)| *seeds);
    let length = LENGTHS.iter().find(|(name, _)| *name == target).map_or(4_096, |(_, length)| *length);
    let output = cargo_fuzz(root)
        .args(["run", target, &corpus])
        .args(seeds)
        .args(["--", &format!("-max_len={length}"), &format!("-max_total_time={seconds}"), "-print_final_stats=1"])
        .output()
        .context("cargo-fuzz does not start")?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let end: Vec<&str> = told.lines().rev().take(40).collect();
        bail!("{target} broke:\n{}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    Ok(Found { inputs: after(&told, "stat::number_of_executed_units:"), edges: after(&told, "cov:") })
}

/// The last word behind that mark.
fn after(told: &str, mark: &str) -> String {
    let last = told.rmatch_indices(mark).next().map(|(place, _)| &told[place + mark.len()..]);
    last.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?").to_owned()
}
