//! What clients were told, as it is judged afterwards: which run a submit became, how a run
//! ended, what was said to a question, and when the store forgot something.

use std::collections::{BTreeMap, BTreeSet};

use baton_proto::v1::Run;
use parking_lot::Mutex;
use serde_json::Value;

use super::clock::now_ms;
use super::events::Seen;
use super::load::Wanted;

/// How long word of an end may be on its way, in milliseconds: longer than anything is stopped.
const WORD_MS: i64 = 15_000;

/// A span of time the store forgot: its log was cut there, as a power failure would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// What was written before this moment is kept.
    pub from_ms: i64,
    /// When the store ended.
    pub to_ms: i64,
}

impl Forgotten {
    /// Whether what a call did may be forgotten: it did so at some moment between its begin and
    /// its answer, which may have taken long on its way.
    #[must_use]
    pub fn holds(&self, call: &Call) -> bool {
        call.asked_ms <= self.to_ms && self.from_ms <= call.told_ms
    }

    /// Whether a run was under way then.
    #[must_use]
    pub fn meets(&self, ran: &Ran) -> bool {
        let until = ran.ended_ms.unwrap_or(i64::MAX);
        self.from_ms - 500 <= until && ran.began_ms <= self.to_ms + 500
    }
}

/// From a call's begin to its answer, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// When it was sent.
    pub asked_ms: i64,
    /// When its answer came.
    pub told_ms: i64,
}

impl Call {
    /// A call that is answered now.
    #[must_use]
    pub fn since(asked_ms: i64) -> Self {
        Self { asked_ms, told_ms: now_ms() }
    }
}

/// What one client was told about a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The call that brought it.
    pub call: Call,
    /// The decision as it is said to be recorded; nothing where there was no word of it.
    pub recorded: Option<Value>,
    /// The code of a refusal.
    pub refused: Option<String>,
}

/// A run of the load.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What was asked for.
    pub wanted: Wanted,
    /// Ids that clients were told, each with the call.
    pub accepted: Vec<(String, Call)>,
    /// The run when it was first seen as ended.
    pub ended: Option<Run>,
    /// Its events as a watcher saw them while it went on.
    pub events: Vec<Seen>,
    /// When it was submitted first.
    pub began_ms: i64,
    /// When its end was seen.
    pub ended_ms: Option<i64>,
}

/// Everything that clients were told.
#[derive(Debug, Default)]
pub struct History {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    runs: BTreeMap<String, Ran>,
    decisions: BTreeMap<String, Vec<Decision>>,
    forgotten: Vec<Forgotten>,
    violations: Vec<String>,
    resubmitted: u64,
    beside: BTreeSet<String>,
}

impl History {
    /// A client is about to submit.
    pub fn submits(&self, wanted: &Wanted) {
        let ran = Ran {
            wanted: wanted.clone(),
            accepted: Vec::new(),
            ended: None,
            events: Vec::new(),
            began_ms: now_ms(),
            ended_ms: None,
        };
        self.inner.lock().runs.entry(wanted.request.clone()).or_insert(ran);
    }

    /// A submit was accepted.
    pub fn accepted(&self, request: &str, run: &str, call: Call) {
        if let Some(ran) = self.inner.lock().runs.get_mut(request) {
            ran.accepted.push((run.to_owned(), call));
        }
    }

    /// Nobody knows an accepted run any more: fine where the store forgot the moment it was
    /// accepted in, and then it is submitted again.
    pub fn vanished(&self, request: &str) {
        let mut inner = self.inner.lock();
        let accepted = inner.runs.get(request).and_then(|ran| ran.accepted.last()).map(|(_, call)| *call);
        if accepted.is_some_and(|call| inner.forgotten.iter().any(|span| span.holds(&call))) {
            inner.resubmitted += 1;
        } else {
            let spans = &inner.forgotten;
            let lost = format!("I1: {request} was accepted and nobody knows it: {accepted:?}, forgotten {spans:?}");
            inner.violations.push(lost);
        }
    }

    /// A run was seen to have ended.
    pub fn ended(&self, request: &str, run: Run, events: Vec<Seen>) {
        if let Some(ran) = self.inner.lock().runs.get_mut(request) {
            ran.ended = Some(run);
            ran.events = events;
            ran.ended_ms = Some(now_ms());
        }
    }

    /// Runs whose end somebody saw in a moment that the store forgot, or soon after: word of it
    /// may have been long on its way.
    #[must_use]
    pub fn ended_in_vain(&self) -> Vec<Wanted> {
        let inner = self.inner.lock();
        let in_vain = |ran: &&Ran| {
            let seen = ran.ended_ms.map(|told_ms| Call { asked_ms: told_ms - WORD_MS, told_ms });
            seen.is_some_and(|seen| inner.forgotten.iter().any(|span| span.holds(&seen)))
        };
        inner.runs.values().filter(in_vain).map(|ran| ran.wanted.clone()).collect()
    }

    /// A client was told something about a question.
    pub fn decided(&self, interrupt: &str, decision: Decision) {
        self.inner.lock().decisions.entry(interrupt.to_owned()).or_default().push(decision);
    }

    /// The store forgot something.
    pub fn forgot(&self, span: Forgotten) {
        self.inner.lock().forgotten.push(span);
    }

    /// Runs of a scenario's own, beside the load.
    pub fn beside<'a>(&self, runs: impl IntoIterator<Item = &'a String>) {
        self.inner.lock().beside.extend(runs.into_iter().cloned());
    }

    /// Whether a run is one of those.
    #[must_use]
    pub fn is_beside(&self, run: &str) -> bool {
        self.inner.lock().beside.contains(run)
    }

    /// A promise was broken.
    pub fn violation(&self, text: impl Into<String>) {
        self.inner.lock().violations.push(text.into());
    }

    /// Promises that were broken so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.inner.lock().violations.clone()
    }

    /// Spans the store forgot.
    #[must_use]
    pub fn forgotten(&self) -> Vec<Forgotten> {
        self.inner.lock().forgotten.clone()
    }

    /// How many runs were submitted again because the store had forgotten them.
    #[must_use]
    pub fn resubmitted(&self) -> u64 {
        self.inner.lock().resubmitted
    }

    /// Runs, in the order of their names.
    #[must_use]
    pub fn runs(&self) -> Vec<Ran> {
        self.inner.lock().runs.values().cloned().collect()
    }

    /// How many runs were asked for, and how many have ended.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.runs.len(), inner.runs.values().filter(|ran| ran.ended.is_some()).count())
    }

    /// What was said to each question.
    #[must_use]
    pub fn decisions(&self) -> BTreeMap<String, Vec<Decision>> {
        self.inner.lock().decisions.clone()
    }
}
