//! Reading what `debug.ledger` wrote: who really did what, and how often.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Executions under one idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executions {
    /// The job.
    pub job: String,
    /// Times it began.
    pub starts: usize,
    /// Times it came to its end.
    pub ends: usize,
}

/// Executions by idempotency key, over all files of the folder.
///
/// # Errors
/// When a line is not what `debug.ledger` writes.
pub fn read(folder: &Path) -> anyhow::Result<BTreeMap<String, Executions>> {
    let mut executions: BTreeMap<String, Executions> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        for line in text.lines() {
            // A process that was killed while it wrote leaves half a line.
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let entry = executions.entry(line["key"].as_str().unwrap_or_default().to_owned()).or_default();
            entry.job = line["job"].as_str().unwrap_or_default().to_owned();
            match line["phase"].as_str() {
                Some("start") => entry.starts += 1,
                Some("end") => entry.ends += 1,
                other => anyhow::bail!("unknown phase {other:?}"),
            }
        }
    }
    Ok(executions)
}
