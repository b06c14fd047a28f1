//! What a store holds that is under way, in numbers.

use std::collections::BTreeMap;

use baton_common::Timestamp;
use baton_common::records::RunStatus;

/// How much is under way, over all tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs that have not ended, by status; child runs among them. None where there is none.
    pub runs: BTreeMap<RunStatus, u64>,
    /// Open questions.
    pub questions: u64,
    /// When the oldest of them was asked.
    pub oldest_question: Option<Timestamp>,
    /// The store's clock.
    pub now: Timestamp,
}

impl Counts {
    /// Adds open questions, the oldest asked at that time.
    pub(crate) fn asked(&mut self, count: u64, oldest: Timestamp) {
        self.questions += count;
        self.oldest_question = Some(self.oldest_question.map_or(oldest, |known| known.min(oldest)));
    }

    /// Adds runs of a status.
    pub(crate) fn open(&mut self, status: RunStatus, count: u64) {
        if count > 0 {
            *self.runs.entry(status).or_default() += count;
        }
    }
}
