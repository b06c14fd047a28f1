//! What the ledger of effects holds: every execution, by key.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// One execution, or as much of it as there was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The fence it was granted with.
    pub fence: u64,
    /// The worker process.
    pub pid: u64,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it came to its end; absent where it did not, or another had before.
    pub ended_ms: Option<i64>,
}

/// Everything under one idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The job: run/gen/node#activation/index.
    pub job: String,
    /// The file it was written to.
    pub file: String,
    /// Whether it may never run twice.
    pub once: bool,
    /// Executions in the order they began.
    pub executions: Vec<Execution>,
    /// How often it came to its end.
    pub ends: usize,
}

/// Effects by idempotency key, over all files of a folder.
///
/// # Errors
/// When the folder cannot be read, or a line is not what the tool writes.
pub fn read(folder: &Path) -> anyhow::Result<BTreeMap<String, Effect>> {
    let mut effects = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        for line in std::fs::read_to_string(entry.path())?.lines() {
            // A process that was killed while it wrote leaves half a line.
            if let Ok(line) = serde_json::from_str::<Value>(line) {
                note(&mut effects, &file, &line)?;
            }
        }
    }
    effects.values_mut().for_each(|effect| effect.executions.sort_by_key(|execution| execution.started_ms));
    Ok(effects)
}

fn note(effects: &mut BTreeMap<String, Effect>, file: &str, line: &Value) -> anyhow::Result<()> {
    let effect = effects.entry(line["key"].as_str().unwrap_or_default().to_owned()).or_default();
    effect.job = line["job"].as_str().unwrap_or_default().to_owned();
    effect.file = file.to_owned();
    effect.once = line["effect"] == "once";
    let (fence, pid) = (line["fence"].as_u64().unwrap_or(0), line["pid"].as_u64().unwrap_or(0));
    let at_ms = line["at_ms"].as_i64().unwrap_or(0);
    match line["phase"].as_str() {
        Some("start") => effect.executions.push(Execution { fence, pid, started_ms: at_ms, ended_ms: None }),
        Some("end") => {
            effect.ends += 1;
            let open = |it: &&mut Execution| it.fence == fence && it.pid == pid && it.ended_ms.is_none();
            if let Some(execution) = effect.executions.iter_mut().find(open) {
                execution.ended_ms = Some(at_ms);
            }
        }
        other => anyhow::bail!("unknown phase {other:?}"),
    }
    Ok(())
}

/// Whether a job whose text begins so has left an end in that file.
#[must_use]
pub fn has_ended(folder: &Path, file: &str) -> bool {
    let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|line| line["phase"] == "end")
}
