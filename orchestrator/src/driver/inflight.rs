//! One advance of a run at a time in this process: what arrives meanwhile is remembered
//! and looked at afterwards. Between processes the store's compare-and-set decides.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::RunId;
use parking_lot::Mutex;

use super::Cue;

/// Runs under way.
#[derive(Default)]
pub(crate) struct Inflight {
    runs: Mutex<BTreeMap<RunId, Option<Cue>>>,
    cancelling: Mutex<BTreeSet<RunId>>,
}

impl Inflight {
    /// Whether a run is under way here.
    pub(crate) fn is_under_way(&self, run: RunId) -> bool {
        self.runs.lock().contains_key(&run)
    }

    /// The cue to begin with, or `None` where the run is under way already.
    pub(super) fn enter(&self, run: RunId, cue: Cue) -> Option<Cue> {
        let mut runs = self.runs.lock();
        match runs.get_mut(&run) {
            None => {
                runs.insert(run, None);
                Some(cue)
            }
            Some(waiting) => {
                let weaker = matches!(cue, Cue::Look) && waiting.is_some();
                if !weaker && !matches!(waiting, Some(Cue::EndCancel)) {
                    *waiting = Some(cue);
                }
                None
            }
        }
    }

    /// What to begin with: where more closed before it began, that says it all.
    pub(super) fn latest(&self, run: RunId, first: Cue) -> Cue {
        let mut runs = self.runs.lock();
        match (&first, runs.get_mut(&run)) {
            (Cue::Closed { .. }, Some(waiting @ Some(Cue::Closed { .. }))) => waiting.take().unwrap_or(first),
            _ => first,
        }
    }

    /// What arrived meanwhile, or `None` and the run is no longer under way.
    pub(super) fn leave(&self, run: RunId) -> Option<Cue> {
        let mut runs = self.runs.lock();
        let waiting = runs.get_mut(&run).and_then(Option::take);
        if waiting.is_none() {
            runs.remove(&run);
        }
        waiting
    }

    pub(super) fn abandon(&self, run: RunId) {
        self.runs.lock().remove(&run);
    }

    /// Remembers that a run waits for its claimed jobs to end.
    pub(crate) fn cancelling(&self, run: RunId) {
        self.cancelling.lock().insert(run);
    }

    pub(super) fn is_cancelling(&self, run: RunId) -> bool {
        self.cancelling.lock().contains(&run)
    }

    pub(crate) fn ended(&self, run: RunId) {
        self.cancelling.lock().remove(&run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_meanwhile_is_looked_at_afterwards() {
        let run: RunId = "001-6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap();
        let inflight = Inflight::default();
        assert!(inflight.enter(run, Cue::Look).is_some());
        assert!(inflight.enter(run, Cue::EndCancel).is_none());
        assert!(inflight.enter(run, Cue::Look).is_none());
        assert!(matches!(inflight.leave(run), Some(Cue::EndCancel)));
        assert!(inflight.leave(run).is_none());
        assert!(inflight.enter(run, Cue::Look).is_some(), "it may begin again");
    }
}
