//! `cargo xtask e2e`: what ships, tried in containers. Here packages are installed and programs
//! built and laid where the images take them from; the rest is the program `e2e`.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::{needs, process, python};

/// What goes into the images.
const PROGRAMS: [&str; 4] = ["baton", "baton-orchestrator", "baton-worker-io", "baton-worker-cpu"];

/// What to try.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `compose`, which is all there is
    #[arg(value_parser = ["compose"])]
    what: Option<String>,
    /// The short form, with programs as tests build them: what `.ci/run` tries
    #[arg(long)]
    quick: bool,
    /// Compile within Docker, as who has no Rust does; slow
    #[arg(long, conflicts_with = "quick")]
    from_source: bool,
}

/// Builds, and tries it.
///
/// # Errors
/// When something is missing, does not build, or was broken.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    needs::for_e2e()?;
    let (receiver, schema_check) = python::for_e2e()?;
    let mut given = vec!["--cache".to_owned(), text(&python::cache()?.join("docker"))];
    given.extend(["--receiver".to_owned(), text(&receiver), "--schema-check".to_owned(), text(&schema_check)]);
    // Tests build the whole workspace as well: nothing is compiled a second time.
    process::run(process::cargo(root).args(["build", "--workspace", "--bins"]))?;
    let beside = env::current_exe().context("the place of this program")?;
    let debug = beside.parent().context("a folder")?;
    if arguments.quick {
        lay(root, debug)?;
        given.push("--quick".to_owned());
    } else if arguments.from_source {
        let told = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root).output().context("rustc")?;
        given.extend(["--release", "--toolchain"].map(str::to_owned));
        given.push(String::from_utf8_lossy(&told.stdout).trim().to_owned());
    } else {
        process::build_for_release(root)?;
        lay(root, &debug.with_file_name("release"))?;
        given.push("--release".to_owned());
    }
    // In our place: at Ctrl-C there is nobody else to wait for.
    Err(Command::new(debug.join("e2e")).current_dir(root).args(given).exec().into())
}

/// Lays programs into `target/image`, without symbols.
fn lay(root: &Path, from: &Path) -> anyhow::Result<()> {
    let folder = root.join("target/image");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for program in PROGRAMS {
        process::run(Command::new("strip").arg("-o").arg(folder.join(program)).arg(from.join(program)))?;
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
