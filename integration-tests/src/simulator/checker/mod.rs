//! Looks at the store after every transition and says which invariant broke.
//!
//! The invariants are those of the protocol (I1 to I12, I17, I18). `refusal` holds refused
//! transitions to having changed nothing (I10), `reply` judges answers (I2, I5, I6, I8, I10),
//! `second` computes each advance a second time (I18), and the runs a transition wrote are
//! looked at as they stand: `record` (I1, I2, I4, I8, I12, I17), `tasks` (I3, I6, I11) and
//! `wakes` (I7), `family` (I3, I9 for runs within runs), `keys` (I9 for results under a name). I9 and half of I5 are the `super::tools::Ledger`'s, and that everything
//! comes to its end (I1) and the dead letters empty (I11) is judged at the end of a life.

mod family;
mod keys;
mod record;
mod refusal;
mod reply;
mod second;
mod tasks;
mod wakes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use baton_common::Timestamp;
use baton_common::ids::{Gen, GroupId, InterruptId, JobId, RunId, Version};
use baton_common::records::GroupPhase;
use baton_common::settings::Timings;
use baton_common::transition::{Op, Recorded, Reply, RetryAnswer};
use baton_store::{Error, MemoryStore, Reader, RunDetail};
use parking_lot::Mutex;
use tokio::sync::Notify;

use record::Known;
use second::Outcomes;

/// Watches one store.
pub struct Checker {
    store: MemoryStore,
    timings: Timings,
    seen: Mutex<Seen>,
    steps: AtomicU64,
    broken: Notify,
}

/// What is remembered from one transition to the next.
#[derive(Default)]
struct Seen {
    advanced: BTreeSet<(RunId, Version)>,
    runs: BTreeMap<RunId, Known>,
    fences: BTreeMap<JobId, u64>,
    grants: BTreeMap<JobId, u64>,
    decisions: BTreeMap<InterruptId, String>,
    answers: BTreeMap<String, u64>,
    /// What groups closed with, also before the store went back.
    closings: BTreeMap<(RunId, GroupId), Vec<Outcomes>>,
    closed: BTreeSet<(RunId, GroupId)>,
    /// Runs with a wait whose signal was looked at in a time that the store forgot.
    unheard: BTreeSet<RunId>,
    /// Runs by the run that called them.
    children: BTreeMap<RunId, BTreeSet<RunId>>,
    /// Runs that were taken up again, or removed and submitted again.
    retried: BTreeSet<RunId>,
    keys: keys::Keys,
    rolled_back: bool,
    violation: Option<String>,
}

/// Whether an invariant holds, or which does not.
type Verdict = Result<(), String>;

impl Checker {
    /// A checker of that store.
    pub fn new(store: MemoryStore, timings: Timings) -> Self {
        let (seen, steps, broken) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self { store, timings, seen, steps, broken }
    }

    /// Makes a transition and checks what it did.
    pub fn observe(&self, op: &Op, now: Timestamp) -> Reply {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let before = run_of(op).and_then(|run| self.detail(run));
        let second = second::read(&self.store, op, before.as_ref());
        let (reply, changes) = self.store.apply_watched(op, now).expect("the memory store has no faults of its own");
        let mut seen = self.seen.lock();
        *seen.answers.entry(answer_name(op, &reply)).or_default() += 1;
        let made = Made { op, reply: &reply, now, before: before.as_ref() };
        let mut verdict = refusal::judge(&made, &changes)
            .and_then(|()| reply::judge(&mut seen, &made))
            .and_then(|()| {
                let rolled_back = seen.rolled_back;
                keys::judge(&mut seen.keys, rolled_back, &made)
            })
            .and_then(|()| second::judge(&mut seen, &made, second));
        if let (Op::Retry(retry), Reply::Retry(RetryAnswer::Retried(_))) = (op, &reply) {
            seen.retried.insert(retry.run);
        }
        let after: Vec<_> = changes.runs.iter().map(|run| (*run, self.detail(*run))).collect();
        family::note(&mut seen, after.iter().filter_map(|(_, detail)| detail.as_ref()));
        for (run, detail) in &after {
            verdict = verdict.and_then(|()| self.judge_run(&mut seen, &made, *run, detail.as_ref()));
        }
        drop(seen);
        if let Err(problem) = verdict {
            self.report(format!("step {step}: {problem}\nafter {op:?}\nanswered {reply:?}"));
        }
        reply
    }

    /// Says that something is broken. The first to say so is heard.
    pub fn report(&self, problem: String) {
        let mut seen = self.seen.lock();
        if seen.violation.is_none() {
            seen.violation = Some(problem);
            self.broken.notify_waiters();
        }
    }

    /// The store went back: what was seen of the time in between no longer counts.
    pub fn rolled_back(&self) {
        let mut seen = self.seen.lock();
        let kept = Seen {
            answers: std::mem::take(&mut seen.answers),
            violation: seen.violation.take(),
            grants: std::mem::take(&mut seen.grants),
            closings: std::mem::take(&mut seen.closings),
            children: std::mem::take(&mut seen.children),
            retried: std::mem::take(&mut seen.retried),
            rolled_back: true,
            ..Seen::default()
        };
        *seen = kept;
    }

    /// Whether the store ever went back in this life.
    pub fn was_rolled_back(&self) -> bool {
        self.seen.lock().rolled_back
    }

    /// Whether a run was ever taken up again.
    pub fn was_retried(&self, run: RunId) -> bool {
        self.seen.lock().retried.contains(&run)
    }

    /// Grants of a job so far, in whatever generation.
    pub fn grants(&self, job: &JobId) -> u64 {
        self.seen.lock().grants.get(&in_all(job)).copied().unwrap_or(0)
    }

    /// Waits for the first violation.
    pub async fn broken(&self) {
        let broken = self.broken.notified();
        tokio::pin!(broken);
        broken.as_mut().enable();
        if self.violation().is_none() {
            broken.await;
        }
    }

    /// The first violation.
    pub fn violation(&self) -> Option<String> {
        self.seen.lock().violation.clone()
    }

    /// Transitions so far.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// How often each answer was given.
    pub fn answers(&self) -> BTreeMap<String, u64> {
        self.seen.lock().answers.clone()
    }

    fn detail(&self, run: RunId) -> Option<RunDetail> {
        at_once(self.store.detail(run)).ok().flatten()
    }

    /// Invariants of a run that was written, as it stands.
    fn judge_run(&self, seen: &mut Seen, made: &Made<'_>, run: RunId, detail: Option<&RunDetail>) -> Verdict {
        let Some(detail) = detail else { return record::judge_absent(seen, made, run) };
        self.note_closed(seen, detail)?;
        record::judge(&self.store, seen, made, detail)?;
        tasks::judge(&self.timings, seen, detail)?;
        family::judge(&self.store, seen, detail)?;
        wakes::judge(&self.store, seen, made, detail)
    }

    /// Remembers what groups closed with.
    fn note_closed(&self, seen: &mut Seen, detail: &RunDetail) -> Verdict {
        let run = detail.run.info.id;
        let closed = detail.groups.iter().filter(|(group, _)| group.state.phase == GroupPhase::Closed);
        let mut fresh = closed.map(|(group, _)| (run, group.info.id.clone())).filter(|key| !seen.closed.contains(key));
        if fresh.next().is_none() {
            return Ok(());
        }
        for group in at_once(self.store.load(run))?.map(|loaded| loaded.closed).unwrap_or_default() {
            let key = (run, group.info.id.clone());
            if seen.closed.insert(key.clone()) {
                seen.closings.entry(key).or_default().extend(group.outcomes);
            }
        }
        Ok(())
    }
}

/// A transition that was made.
struct Made<'a> {
    op: &'a Op,
    reply: &'a Reply,
    now: Timestamp,
    /// The run it names, as it was.
    before: Option<&'a RunDetail>,
}

/// What a read of the memory store gives: it never waits.
fn at_once<T>(read: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match futures_util::FutureExt::now_or_never(read) {
        Some(read) => read.map_err(|error| format!("a read failed: {error}")),
        None => Err("a read of the memory store waits".to_owned()),
    }
}

/// A job whatever its generation.
fn in_all(job: &JobId) -> JobId {
    JobId { r#gen: Gen(0), ..job.clone() }
}

fn run_of(op: &Op) -> Option<RunId> {
    Some(match op {
        Op::Submit(op) => op.info.id,
        Op::Stage(op) => op.run,
        Op::Advance(op) => op.run,
        Op::Mark(op) => op.run,
        Op::Claim(op) => op.job.run,
        Op::Record(op) => op.job.run,
        Op::Expire(op) => op.job.run,
        Op::Answer(op) => op.job.run,
        Op::Cancel(op) => op.run,
        Op::Fire(op) => op.run,
        Op::Republish(op) => op.job.run,
        Op::Extend { run, .. }
        | Op::Park { run, .. }
        | Op::Unpark { run, .. }
        | Op::Recheck { run, .. }
        | Op::Heard { run, .. }
        | Op::Force { run }
        | Op::Gc { run } => *run,
        Op::Deliver(op) => op.job.run,
        Op::Dead(op) => op.job.run,
        Op::Retry(op) => op.run,
        Op::Repin(op) => op.run,
        Op::PopDue(_)
        | Op::Renew(_)
        | Op::Signal(_)
        | Op::Prune(_)
        | Op::Edit(_)
        | Op::Reserve(_)
        | Op::Settle(_)
        | Op::KeepSchedule(_) => return None,
    })
}

/// `answer Claim Granted`: the operation and the answer's first word.
fn answer_name(op: &Op, reply: &Reply) -> String {
    let answer = match reply {
        Reply::PopDue(page) => if page.due.is_empty() { "nothing" } else { "entries" }.to_owned(),
        Reply::Changed(changed) => changed.to_string(),
        Reply::Renew(answers) => answers.iter().map(|answer| word(answer, 0)).min().unwrap_or_default(),
        reply => word(reply, 1),
    };
    let name = match op {
        Op::Record(record) if record.outcome == Recorded::Returned => "Return".to_owned(),
        Op::Record(record) if matches!(record.outcome, Recorded::Later { .. }) => "Later".to_owned(),
        op => word(op, 0),
    };
    format!("answer {name} {answer}")
}

/// A word of a value's text, counted from 0; the text is made no further than that.
fn word(value: &dyn std::fmt::Debug, number: usize) -> String {
    struct Words(usize, String);
    impl std::fmt::Write for Words {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            for letter in text.chars() {
                match (letter.is_ascii_alphanumeric(), self.0) {
                    (true, 0) => self.1.push(letter),
                    (true, _) => {}
                    (false, 0) => return Err(std::fmt::Error),
                    (false, _) => self.0 -= 1,
                }
            }
            Ok(())
        }
    }
    let mut words = Words(number, String::new());
    // It ends early, which is no failure here.
    let _ = std::fmt::write(&mut words, format_args!("{value:?}"));
    words.1
}
