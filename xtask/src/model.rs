//! `cargo xtask model`: the hand-over's model, checked whole by spin. Every graph and budget
//! of faults must hold; without any one of its rules the model must not.
//!
//! What the model says, and what it leaves out, stands in `docs/model`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::{needs, process};

const MODEL: &str = "docs/model/handover.pml";

/// One orchestrator and one worker: what several of them add is checked with fewer faults.
const ALONE: &[&str] = &["ORCHESTRATORS=1", "WORKERS=1"];

/// A graph, who works on it, and what may go wrong beyond or short of one fault of each kind.
struct Check {
    name: &'static str,
    defines: &'static [&'static [&'static str]],
}

const HOLDS: &[Check] = &[
    Check { name: "a map with a window beside a question", defines: &[ALONE] },
    Check { name: "two workers", defines: &[&["ORCHESTRATORS=1", "LOSSES=0", "REPEATS=0", "AGAIN=0"]] },
    Check { name: "two orchestrators, two workers", defines: &[&["JOBS=1", "LOSSES=0", "REPEATS=0"]] },
    Check {
        name: "a quorum of one in a window of two",
        defines: &[ALONE, &["JOBS=3", "WINDOW=2", "QUORUM=1", "LOSSES=0", "REPEATS=0", "AGAIN=0"]],
    },
    Check { name: "a job that must not run twice", defines: &[&["JOBS=1", "QUESTION=0", "ONCE=1", "ORCHESTRATORS=1"]] },
    Check {
        name: "a job that asks in the middle",
        defines: &[&["JOBS=1", "QUESTION=0", "PHASES=1", "ORCHESTRATORS=1"]],
    },
    Check { name: "a detached call by the last step", defines: &[ALONE, &["JOBS=1", "QUESTION=0", "CALL=2"]] },
    Check {
        name: "a detached call, and a cancel",
        defines: &[ALONE, &["JOBS=1", "CALL=1", "CANCELS=1", "REPEATS=0", "AGAIN=0"]],
    },
    Check { name: "a cancel", defines: &[ALONE, &["CANCELS=1", "REPEATS=0", "AGAIN=0"]] },
    Check {
        name: "a cancel while a job must not run twice",
        defines: &[&["JOBS=1", "ONCE=1", "CANCELS=1", "ORCHESTRATORS=1", "LOSSES=0", "REPEATS=0"]],
    },
];

const BREAKS: &[Check] = &[
    Check { name: "WITHOUT_READY", defines: &[ALONE, &["JOBS=1"]] },
    Check { name: "WITHOUT_VERSION", defines: &[&["WORKERS=1", "JOBS=1", "LOSSES=0", "REPEATS=0", "AGAIN=0"]] },
    Check { name: "WITHOUT_SWEEP", defines: &[ALONE, &["JOBS=1"]] },
    Check { name: "WITHOUT_DEDUP", defines: &[ALONE, &["JOBS=1"]] },
    Check { name: "WITHOUT_DIGEST", defines: &[&["JOBS=1", "QUESTION=0", "PHASES=1", "ORCHESTRATORS=1"]] },
    Check { name: "WITHOUT_FENCE", defines: &[ALONE, &["JOBS=1"]] },
    Check { name: "WITHOUT_RELEASE", defines: &[ALONE] },
    Check { name: "WITHOUT_DROP", defines: &[ALONE, &["WINDOW=2", "QUORUM=1"]] },
    Check { name: "WITHOUT_STAY", defines: &[ALONE, &["JOBS=1"]] },
    Check { name: "WITHOUT_OTHERS", defines: &[ALONE, &["WINDOW=2", "LOSSES=0", "REPEATS=0", "AGAIN=0"]] },
    Check { name: "WITHOUT_ONCE", defines: &[&["JOBS=1", "QUESTION=0", "ONCE=1", "ORCHESTRATORS=1"]] },
    Check { name: "WITHOUT_OPEN", defines: &[ALONE, &["JOBS=1"]] },
    Check { name: "WITHOUT_DETACHED", defines: &[ALONE, &["JOBS=1", "QUESTION=0", "CALL=2"]] },
    Check { name: "WITHOUT_STOP", defines: &[ALONE, &["JOBS=1", "CANCELS=1", "REPEATS=0", "AGAIN=0"]] },
];

/// What spin found.
struct Found {
    states: String,
    errors: u64,
    seconds: f64,
}

/// Checks everything and prints a line for each check.
///
/// # Errors
/// When spin is missing or fails, or a check does not end as it must.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    needs::for_model()?;
    let folder = root.join("target/model");
    let mut wrong = 0;
    println!("{:<44} {:>12} {:>8}", "with every rule", "states", "seconds");
    for check in HOLDS {
        let found = checked(root, &folder, check, None)?;
        wrong += u64::from(found.errors > 0);
        let verdict = if found.errors == 0 { "holds" } else { "VIOLATED" };
        println!("{:<44} {:>12} {:>8.1}  {verdict}", check.name, found.states, found.seconds);
    }
    println!("\n{:<44} {:>12} {:>8}", "without one", "states", "seconds");
    for check in BREAKS {
        let found = checked(root, &folder, check, Some(check.name))?;
        wrong += u64::from(found.errors == 0);
        let verdict = if found.errors > 0 { "found" } else { "NOT FOUND" };
        println!("{:<44} {:>12} {:>8.1}  {verdict}", check.name, found.states, found.seconds);
    }
    if wrong > 0 {
        bail!("{wrong} checks did not end as they must; {} holds the last one's trail", folder.display());
    }
    Ok(())
}

fn checked(root: &Path, folder: &Path, check: &Check, without: Option<&str>) -> anyhow::Result<Found> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let defines = check.defines.iter().flat_map(|part| part.iter().copied()).chain(without);
    let defines: Vec<String> = defines.map(|define| format!("-D{define}")).collect();
    let model: PathBuf = root.join(MODEL);
    let made = Command::new("spin").arg("-a").args(defines).arg(&model).current_dir(folder).output()?;
    if !made.status.success() {
        bail!("spin: {}", String::from_utf8_lossy(&made.stdout));
    }
    let flags = ["-O2", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048", "-o", "pan", "pan.c"];
    process::run(Command::new("cc").args(flags).current_dir(folder))?;
    let started = Instant::now();
    let said = Command::new(folder.join("pan")).args(["-m1000000", "-n"]).current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    read(&said, started.elapsed().as_secs_f64()).with_context(|| format!("{}: not understood: {said}", check.name))
}

/// Reads what the checker prints at its end; a search that was cut short is no result.
fn read(said: &str, seconds: f64) -> Option<Found> {
    if said.contains("max search depth too small") || said.contains("out of memory") {
        return None;
    }
    let errors = said.split_once("errors: ")?.1.split_whitespace().next()?.parse().ok()?;
    let states = said.lines().find(|line| line.ends_with("states, stored"))?.split_whitespace().next()?.to_owned();
    Some(Found { states, errors, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "State-vector 148 byte, depth reached 293, errors: 1\n   271172 states, stored\n";

    #[test]
    fn what_the_checker_says_is_read() {
        let found = read(END, 0.5).unwrap();
        assert_eq!((found.states.as_str(), found.errors), ("271172", 1));
    }

    #[test]
    fn a_search_that_was_cut_short_is_no_result() {
        assert!(read(&format!("error: max search depth too small\n{END}"), 0.5).is_none());
        assert!(read("pan: killed", 0.5).is_none());
    }
}
