//! Running other programs in the workspace, with their failure as an error.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// The packages whose programs benches and demos start.
const PROGRAMS: [&str; 3] = ["baton-cli", "baton-orchestrator", "baton-worker"];

/// `cargo` in the folder `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    command
}

/// Runs `command` to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} does not start"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// Runs the program `bin` of the integration tests, with the product's programs built beside it.
pub(crate) fn run_bin(root: &Path, bin: &str, release: bool, arguments: &[String]) -> anyhow::Result<()> {
    if !release {
        // The whole workspace is what tests build too: nothing is compiled a second time.
        run(cargo(root).args(["build", "--workspace", "--bins"]))?;
        let beside = env::current_exe().context("the place of this program")?.with_file_name(bin);
        return run(Command::new(beside).current_dir(root).args(arguments));
    }
    run_release(root, bin, arguments, &[])
}

/// The same as it ships, told further variables.
pub(crate) fn run_release(root: &Path, bin: &str, arguments: &[String], told: &[(&str, &Path)]) -> anyhow::Result<()> {
    build_for_release(root)?;
    run(cargo(root)
        .args(["run", "--package", "baton-integration-tests", "--release", "--bin", bin])
        .arg("--")
        .args(arguments)
        .envs(told.iter().copied()))
}

/// Builds the product's programs as they are shipped.
pub(crate) fn build_for_release(root: &Path) -> anyhow::Result<()> {
    let packages = PROGRAMS.iter().flat_map(|package| ["--package", package]);
    run(cargo(root).args(["build", "--bins", "--release"]).args(packages))
}
