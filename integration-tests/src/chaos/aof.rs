//! How long the store's log was when: so that what a cut of its tail lost, or a kill while the
//! log could not be written, is known as a span of time.

use std::collections::VecDeque;
use std::path::Path;
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
    samples: Arc<Mutex<VecDeque<Sample>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What was acknowledged before `at_ms` lies in the first `length` bytes of the log, where its
/// server writes what it acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at_ms: i64,
    length: u64,
}

impl AofWatch {
    /// Watches the log beneath the folder of a server.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let (samples, over) = (Arc::new(Mutex::new(VecDeque::new())), Arc::new(AtomicBool::new(false)));
        let (shared, ended, folder) = (samples.clone(), over.clone(), folder.to_owned());
        let thread = std::thread::Builder::new().name("aof".to_owned()).spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let at_ms = now_ms();
                if let Ok(length) = baton_testbed::aof_len(&folder) {
                    let mut samples: parking_lot::MutexGuard<'_, VecDeque<Sample>> = shared.lock();
                    samples.push_back(Sample { at_ms, length });
                    while samples.front().is_some_and(|oldest| oldest.at_ms < at_ms - KEPT_MS) {
                        samples.pop_front();
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        })?;
        Ok(Self { samples, over, thread: Some(thread) })
    }

    /// How long the log was at most `ms` milliseconds ago.
    pub(super) fn length_before(&self, ms: i64) -> Option<u64> {
        let samples = self.samples.lock();
        let last = samples.back()?.at_ms;
        samples.iter().find(|sample| sample.at_ms >= last - ms).map(|sample| sample.length)
    }

    /// The moment up to which all that was acknowledged lies in the first `length` bytes. A log
    /// that does not grow says nothing about what was acknowledged meanwhile: its server may be
    /// unable to write, or wait for a disk that is busy. With `appendfsync everysec` it puts a write
    /// off for up to two seconds while the sync before it takes that long, and answers all the same.
    pub(super) fn holds_until(&self, length: u64) -> Option<i64> {
        until(&self.samples.lock(), length)
    }
}

fn until(samples: &VecDeque<Sample>, length: u64) -> Option<i64> {
    let shorter = samples.iter().rev().find(|sample| sample.length < length);
    shorter.or(samples.front()).map(|sample| sample.at_ms)
}

impl Drop for AofWatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(samples: &[(i64, u64)]) -> AofWatch {
        let samples = samples.iter().map(|(at_ms, length)| Sample { at_ms: *at_ms, length: *length }).collect();
        AofWatch { samples: Arc::new(Mutex::new(samples)), over: Arc::default(), thread: None }
    }

    #[test]
    fn a_log_holds_what_was_acknowledged_before_it_was_last_shorter() {
        let watch = watch(&[(100, 7), (110, 9), (120, 12), (130, 12), (140, 12), (150, 15)]);
        assert_eq!(watch.length_before(40), Some(9));
        assert_eq!(watch.length_before(10), Some(12));
        assert_eq!(watch.holds_until(12), Some(110), "nothing was written from 120 to 140");
        assert_eq!(watch.holds_until(10), Some(110), "cut off in the middle of what came after 110");
        assert_eq!(watch.holds_until(5), Some(100), "older than what is known");
    }
}
