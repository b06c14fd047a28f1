//! Results that nobody took yet: on disk in real processes, so that they survive a
//! restart, in memory in simulators. Offering them again is left to the worker.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use baton_common::job::Outcome;
use baton_common::{Digest, Fence, Hasher, JobId, ThreadId, TraceContext};
use baton_control::{Hold, Resume};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The most bytes a spool holds: 256 MiB.
pub const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a result was not kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room.
    #[error("the spool holds {held} of {max} bytes")]
    Full {
        /// Bytes it holds.
        held: u64,
        /// Bytes it may hold.
        max: u64,
    },
    /// The disk refused.
    #[error("the spool cannot be written")]
    Disk(#[from] std::io::Error),
}

/// A place for results. Keys sort by age.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Keeps a result; when it returns the result survives what the spool survives.
    async fn put(&self, resume: &Resume) -> Result<(), Error>;
    /// What it holds, oldest first.
    async fn keys(&self) -> Vec<String>;
    /// One of them; `None` when it is gone or cannot be read, which removes it.
    async fn get(&self, key: &str) -> Option<Resume>;
    /// Forgets one.
    async fn remove(&self, key: &str);
}

/// A result as it is written. Holds no arguments and no prompt; its token opens nothing
/// but this job.
#[derive(Serialize, Deserialize)]
struct Entry {
    v: u32,
    job: JobId,
    fence: Fence,
    token: Arc<str>,
    digest: Digest,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<ThreadId>,
}

impl Entry {
    fn encode(resume: &Resume) -> Result<Vec<u8>, Error> {
        let Hold { job, fence, token, attempt, thread } = resume.hold.clone();
        let (outcome, traceparent) = (resume.outcome.clone(), resume.trace.map(|trace| trace.to_string()));
        let entry = Self { v: 1, job, fence, token, digest: resume.digest, outcome, traceparent, attempt, thread };
        serde_json::to_vec(&entry).map_err(|error| Error::Disk(error.into()))
    }

    fn decode(bytes: &[u8]) -> Option<Resume> {
        let Self { v, job, fence, token, digest, outcome, traceparent, attempt, thread } =
            serde_json::from_slice(bytes).ok()?;
        let trace = TraceContext::read(traceparent.as_deref());
        (v == 1).then_some(Resume { hold: Hold { job, fence, token, attempt, thread }, digest, outcome, trace })
    }
}

/// Reads one file of a spool, for `fuzz/`.
#[cfg(fuzzing)]
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Resume> {
    Entry::decode(bytes)
}

/// What a result is kept under: the same for the same attempt.
fn name(resume: &Resume) -> String {
    Hasher::new().field(resume.hold.job.to_string()).number(resume.hold.fence.0).finish().to_string()
}

/// A spool in memory: it survives its worker where a simulator keeps it.
#[derive(Debug, Default)]
pub struct MemorySpool(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Spool for MemorySpool {
    async fn put(&self, resume: &Resume) -> Result<(), Error> {
        let bytes = Entry::encode(resume)?;
        let mut entries = self.0.lock();
        let held = entries.values().map(|entry| entry.len() as u64).sum();
        if held + bytes.len() as u64 > BYTES_MAX {
            return Err(Error::Full { held, max: BYTES_MAX });
        }
        entries.insert(name(resume), bytes);
        Ok(())
    }

    async fn keys(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    async fn get(&self, key: &str) -> Option<Resume> {
        Entry::decode(self.0.lock().get(key)?)
    }

    async fn remove(&self, key: &str) {
        self.0.lock().remove(key);
    }
}

/// A spool in a folder, one file for each result, readable by its owner only. Several
/// processes may share it: an outcome offered twice changes nothing.
#[derive(Debug, Clone)]
pub struct DiskSpool {
    inner: Arc<Disk>,
}

#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    bytes_max: u64,
    /// The number of the next file, so that names sort by age; taken while writing.
    next: Mutex<u64>,
}

const ENDING: &str = ".result";

impl DiskSpool {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(folder: &Path, bytes_max: u64) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let last = files(folder)?.last().and_then(|(name, _)| name.split('-').next()?.parse::<u64>().ok());
        let next = Mutex::new(last.map_or(0, |last| last + 1));
        Ok(Self { inner: Arc::new(Disk { folder: folder.to_owned(), bytes_max, next }) })
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(std::io::Error::other)?
    }
}

impl Disk {
    fn put(&self, name: &str, bytes: &[u8]) -> std::io::Result<Result<(), Error>> {
        let mut next = self.next.lock();
        let held = files(&self.folder)?.iter().map(|(_, bytes)| bytes).sum::<u64>();
        if held + bytes.len() as u64 > self.bytes_max {
            return Ok(Err(Error::Full { held, max: self.bytes_max }));
        }
        let path = self.folder.join(format!("{:012}-{name}{ENDING}", *next));
        *next += 1;
        let unfinished = path.with_extension(format!("{}-new", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        std::fs::File::open(&self.folder)?.sync_all()?;
        Ok(Ok(()))
    }
}

#[async_trait]
impl Spool for DiskSpool {
    async fn put(&self, resume: &Resume) -> Result<(), Error> {
        let (name, bytes) = (name(resume), Entry::encode(resume)?);
        self.on_disk(move |disk| disk.put(&name, &bytes)).await?
    }

    async fn keys(&self) -> Vec<String> {
        let files = self.on_disk(|disk| files(&disk.folder)).await;
        let files = files.inspect_err(|error| tracing::error!(%error, "spool cannot be read")).unwrap_or_default();
        files.into_iter().map(|(name, _)| name).collect()
    }

    async fn get(&self, key: &str) -> Option<Resume> {
        let path = self.inner.folder.join(key);
        let bytes = self.on_disk(move |_| std::fs::read(path)).await.ok()?;
        let entry = Entry::decode(&bytes);
        if entry.is_none() {
            tracing::error!(file = key, "spooled result cannot be read and is dropped");
            self.remove(key).await;
        }
        entry
    }

    async fn remove(&self, key: &str) {
        let path = self.inner.folder.join(key);
        // Another process may have been faster.
        let _ = self.on_disk(move |_| std::fs::remove_file(path)).await;
    }
}

/// Names and sizes, oldest first.
fn files(folder: &Path) -> std::io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().filter(|name| name.ends_with(ENDING)).map(str::to_owned) else {
            continue;
        };
        // One that another process removed meanwhile weighs nothing.
        let bytes = entry.metadata().map_or(0, |data| data.len());
        files.push((name, bytes));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use baton_common::RunId;
    use proptest::prelude::*;

    use super::*;

    fn entry() -> Vec<u8> {
        let job: JobId = "001-6ba7b810-9dad-11d1-80b4-00c04fd430c8/0/a#1/0".parse().unwrap();
        let _: RunId = job.run;
        let hold = Hold::new(job, Fence(2), "t".to_owned());
        let outcome = Outcome::value(serde_json::json!({ "n": [1, "two"] }));
        Entry::encode(&Resume { hold, digest: Digest::of("x"), outcome, trace: None }).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_lies_in_the_spool_is_a_result_or_nothing(
            junk in prop::collection::vec(any::<u8>(), 0..300),
            place in any::<prop::sample::Index>(),
            bits in any::<u8>(),
        ) {
            let _ = Entry::decode(&junk);
            let mut damaged = entry();
            let place = place.index(damaged.len());
            damaged[place] ^= bits;
            let _ = Entry::decode(&damaged);
            prop_assert!(Entry::decode(&entry()[..place]).is_none(), "half a file is no result");
        }
    }

    #[test]
    fn a_result_of_another_version_is_none() {
        assert!(Entry::decode(&entry()).is_some());
        let text = String::from_utf8(entry()).unwrap().replace("\"v\":1", "\"v\":2");
        assert!(Entry::decode(text.as_bytes()).is_none());
        assert!(Entry::decode("[".repeat(100_000).as_bytes()).is_none());
    }
}
