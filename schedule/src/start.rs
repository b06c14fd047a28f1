//! Which of the waiting fires begin, given which runs are over: the overlap policies.

use baton_common::{RunId, Timestamp};

use crate::{Fire, Kind, Overlap, Record, Verdict};

impl Record {
    /// Whether it matters which of its runs are over: a fire's time has come.
    #[must_use]
    pub fn asks_for_open(&self, now: Timestamp) -> bool {
        !self.open.is_empty() && self.pending.iter().any(|fire| !fire.begun && fire.at <= now && self.may_go(fire))
    }

    /// Forgets runs that are over.
    pub fn close(&mut self, over: impl Fn(RunId) -> bool) {
        self.open.retain(|run| !over(*run));
    }

    /// Decides which waiting fires begin now, in order; the others wait, or are settled as
    /// skipped. Answers the runs that are to be cancelled for a fire that waits for their end.
    pub fn begin(&mut self, now: Timestamp) -> Vec<RunId> {
        let mut cancel = Vec::new();
        let mut busy = !self.open.is_empty() || self.pending.iter().any(|fire| fire.begun);
        let mut queue_waits = false;
        let waiting: Vec<String> = self.waiting(now).map(|fire| fire.key.clone()).collect();
        for (place, key) in waiting.iter().enumerate() {
            let Some(fire) = self.pending.iter_mut().find(|fire| fire.key == *key) else { continue };
            match fire.overlap.unwrap_or(self.spec.overlap) {
                Overlap::Allow => fire.begun = true,
                Overlap::Skip if busy => self.settle(key, Verdict::Overlap, now),
                Overlap::Queue if busy || queue_waits => queue_waits = true,
                Overlap::CancelRunning if busy => {
                    // The newest goes on; those that it would cancel at once need not begin.
                    if place + 1 < waiting.len() {
                        self.settle(key, Verdict::Overlap, now);
                    } else {
                        cancel.clone_from(&self.open);
                    }
                }
                _ => {
                    fire.begun = true;
                    busy = true;
                }
            }
        }
        cancel
    }

    /// Fires that are to be submitted.
    pub fn begun(&self, now: Timestamp) -> impl Iterator<Item = &Fire> {
        self.pending.iter().filter(move |fire| fire.begun && fire.at <= now)
    }

    /// Asks for a run now, under a name that makes it one however often it is asked for.
    pub fn ask(&mut self, name: &str, overlap: Option<Overlap>, now: Timestamp) {
        let key = manual_key(name);
        if self.past(&key).is_none() {
            let second = Timestamp(now.0.div_euclid(1_000) * 1_000);
            let fire = Fire { key, at: now, overlap, ..Fire::nominal(second, Kind::Manual) };
            self.admit(fire, now);
        }
    }

    fn waiting(&self, now: Timestamp) -> impl Iterator<Item = &Fire> {
        self.pending.iter().filter(move |fire| !fire.begun && fire.at <= now && self.may_go(fire))
    }
}

/// The key of a run that is asked for.
#[must_use]
pub(crate) fn manual_key(name: &str) -> String {
    format!("run:{name}")
}
