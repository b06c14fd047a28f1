//! How long the store's log was when: so that a cut of its tail is known as a span of time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::clock::now_ms;

/// Samples are kept this long, in milliseconds.
const KEPT_MS: i64 = 10_000;

/// Looks at the log while it lives.
pub(super) struct AofWatch {
    samples: Arc<Mutex<VecDeque<(i64, u64)>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AofWatch {
    /// Watches the log beneath the folder of a server.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let (samples, over) = (Arc::new(Mutex::new(VecDeque::new())), Arc::new(AtomicBool::new(false)));
        let (shared, ended, folder) = (samples.clone(), over.clone(), folder.join("appendonlydir"));
        let thread = std::thread::Builder::new().name("aof".to_owned()).spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if let Some(length) = newest(&folder).and_then(|log| Some(std::fs::metadata(log).ok()?.len())) {
                    let now = now_ms();
                    let mut samples: parking_lot::MutexGuard<'_, VecDeque<(i64, u64)>> = shared.lock();
                    samples.push_back((now, length));
                    while samples.front().is_some_and(|(at, _)| *at < now - KEPT_MS) {
                        samples.pop_front();
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        })?;
        Ok(Self { samples, over, thread: Some(thread) })
    }

    /// How long the log was at most `ms` milliseconds ago, and when it became so long.
    pub(super) fn before(&self, ms: i64) -> Option<(i64, u64)> {
        since(&self.samples.lock(), ms)
    }
}

/// A log that does not grow says nothing about what was acknowledged meanwhile: its server may be
/// unable to write, or wait for a disk that is busy.
fn since(samples: &VecDeque<(i64, u64)>, ms: i64) -> Option<(i64, u64)> {
    let (last, _) = *samples.back()?;
    let (_, length) = *samples.iter().find(|(at, _)| *at >= last - ms)?;
    samples.iter().find(|(_, before)| *before == length).copied()
}

impl Drop for AofWatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let logs = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    logs.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_stood_still_is_as_old_as_its_last_byte() {
        let samples = VecDeque::from([(100, 7), (110, 9), (120, 12), (130, 12), (140, 12), (150, 15)]);
        assert_eq!(since(&samples, 40), Some((110, 9)));
        assert_eq!(since(&samples, 10), Some((120, 12)), "nothing was written from 120 to 140");
        assert_eq!(since(&samples, 0), Some((150, 15)));
        assert_eq!(since(&VecDeque::new(), 10), None);
    }
}
