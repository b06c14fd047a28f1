//! `debug.ledger`: leaves a durable trace of each execution, so that a test can count what
//! really ran. Idempotent executions end once per key; pure and once ones tell of every
//! execution.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec;
use crate::{Call, IoTool, args};

/// Appends lines to a file beneath the debug folder.
pub(super) struct Ledger {
    folder: Option<PathBuf>,
}

impl Ledger {
    /// Writes beneath that folder.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_owned) }
    }
}

#[derive(Deserialize)]
struct Args {
    file: String,
    effect: Effect,
    #[serde(default)]
    ms: u64,
}

#[async_trait]
impl IoTool for Ledger {
    fn spec(&self) -> ToolSpec {
        let properties = json!({
            "file": { "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$" },
            "effect": { "enum": ["pure", "idempotent", "once"] },
            "ms": { "type": "integer", "minimum": 0, "maximum": 86_400_000 }
        });
        let description = "Appends a line when it starts and one when it ends, with its idempotency key";
        spec("debug.ledger", QueueClass::Io, description, properties, &["file", "effect"])
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        let Some(folder) = self.folder.clone() else {
            return Err(Failure::refused("debug_dir_missing", "debug.ledger writes nowhere: set BATON_DEBUG_DIR"));
        };
        let file = folder.join(&args.file);
        append(&file, line(&args, call, "start"), None).await?;
        let pause = tokio::time::sleep(Duration::from_millis(args.ms));
        if call.cancel.run_until_cancelled(pause).await.is_none() {
            return Err(args::stopped(call));
        }
        let once_per = (args.effect == Effect::Idempotent).then(|| call.idempotency_key.to_string());
        append(&file, line(&args, call, "end"), once_per).await?;
        Ok(json!({ "key": call.idempotency_key.to_string(), "attempt": call.attempt }))
    }
}

fn line(args: &Args, call: &Call, phase: &str) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "key": call.idempotency_key.to_string(),
        "job": call.job.to_string(),
        "fence": call.fence,
        "attempt": call.attempt,
        "pid": std::process::id(),
        "phase": phase,
        "effect": args.effect,
        "at_ms": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Appends one line under the file's lock and syncs it. With `once_per` nothing is written
/// if that key has ended already.
async fn append(file: &Path, line: Value, once_per: Option<String>) -> Result<(), Failure> {
    let path = file.to_owned();
    args::blocking(move || {
        write_line(&path, &line, once_per.as_deref())
            .map_err(|e| Failure::transient("ledger_failed", format!("cannot write {}: {e}", path.display())))
    })
    .await
}

fn write_line(path: &Path, line: &Value, once_per: Option<&str>) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::options().create(true).read(true).append(true).open(path)?;
    file.lock()?;
    if let Some(key) = once_per
        && has_ended(&mut file, key)?
    {
        return Ok(());
    }
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}

fn has_ended(file: &mut File, key: &str) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    for line in BufReader::new(file).lines() {
        let Ok(line) = serde_json::from_str::<Value>(&line?) else { continue };
        if line["key"] == key && line["phase"] == "end" {
            return Ok(true);
        }
    }
    Ok(false)
}
