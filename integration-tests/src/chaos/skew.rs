//! Processes whose clock is wrong: the library of `faketime` answers when they ask for the time
//! of day. How time passes stays true for them.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::cluster::Process;

/// How far clocks are off, in seconds.
pub const SECONDS: i64 = 600;

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
const VARIABLES: [&str; 3] = ["LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC"];

/// Lets the clock of a process be so far off from its next start on.
///
/// # Errors
/// When the library is not installed.
pub fn set(process: &mut Process, seconds: i64) -> anyhow::Result<()> {
    let library = library().context("libfaketime is missing: install it with `apt-get install faketime`")?;
    process.env("LD_PRELOAD", &library.display().to_string());
    process.env("FAKETIME", &format!("{seconds:+}"));
    process.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Ok(())
}

/// Lets the clock of a process be right from its next start on.
pub fn unset(process: &mut Process) {
    VARIABLES.iter().for_each(|name| process.unset(name));
}

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    folders.chain(["/usr/lib".into()]).map(|folder| folder.join(LIBRARY)).find(|path| path.exists())
}
