//! Looks at the store after every transition and says which invariant broke.
//!
//! The invariants are those of the protocol (I1 to I12, I17, I18); I1 and I17 can only be
//! judged at the end, the others at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use baton_common::ids::{InterruptId, JobId, RunId, Version};
use baton_common::records::{InterruptState, RunStatus, Task, TaskState};
use baton_common::settings::Timings;
use baton_common::transition::{AdvanceAnswer, AnswerVerdict, ClaimVerdict, Op, RecordVerdict, Recorded, Reply};
use baton_common::{Digest, Timestamp};
use baton_store::{MemoryStore, Reader, RunDetail};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Watches one store.
pub struct Checker {
    store: MemoryStore,
    timings: Timings,
    seen: Mutex<Seen>,
    steps: AtomicU64,
    broken: Notify,
}

#[derive(Default)]
struct Seen {
    advanced: BTreeSet<(RunId, Version)>,
    commits: BTreeMap<Digest, String>,
    ended: BTreeMap<RunId, RunStatus>,
    fences: BTreeMap<JobId, u64>,
    grants: BTreeMap<JobId, u64>,
    decisions: BTreeMap<InterruptId, String>,
    answers: BTreeMap<String, u64>,
    rolled_back: bool,
    violation: Option<String>,
}

impl Checker {
    /// A checker of that store.
    pub fn new(store: MemoryStore, timings: Timings) -> Self {
        let (seen, steps, broken) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self { store, timings, seen, steps, broken }
    }

    /// Makes a transition and checks what it did.
    pub fn observe(&self, op: &Op, now: Timestamp) -> Reply {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let run = run_of(op);
        let before = run.and_then(|run| self.detail(run));
        let rows = step.is_multiple_of(13).then(|| self.store.dump(op.partition()));
        let reply = self.store.apply_at(op, now).expect("the memory store has no faults of its own");
        let mut seen = self.seen.lock();
        *seen.answers.entry(answer_name(op, &reply)).or_default() += 1;
        let mut verdict = judge_reply(&mut seen, op, &reply, before.as_ref());
        if let Some(rows) = rows
            && is_refusal(&reply)
            && rows != self.store.dump(op.partition())
        {
            verdict = verdict.and(Err(format!("I10: a refusal changed something: {reply:?}")));
        }
        if let Some(after) = run.and_then(|run| self.detail(run)) {
            verdict = verdict.and_then(|()| self.judge_run(&mut seen, &after));
        }
        if let Err(problem) = verdict
            && seen.violation.is_none()
        {
            seen.violation = Some(format!("step {step}: {problem}\nafter {op:?}\nanswered {reply:?}"));
            self.broken.notify_waiters();
        }
        reply
    }

    /// The store went back: what was seen of the time in between no longer counts.
    pub fn rolled_back(&self) {
        let mut seen = self.seen.lock();
        let kept = Seen {
            answers: std::mem::take(&mut seen.answers),
            violation: seen.violation.take(),
            grants: std::mem::take(&mut seen.grants),
            rolled_back: true,
            ..Seen::default()
        };
        *seen = kept;
    }

    /// Whether the store ever went back in this life.
    pub fn was_rolled_back(&self) -> bool {
        self.seen.lock().rolled_back
    }

    /// Grants of a job so far.
    pub fn grants(&self, job: &JobId) -> u64 {
        self.seen.lock().grants.get(job).copied().unwrap_or(0)
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
        // The memory store answers at once: its futures never wait.
        let mut detail = Box::pin(self.store.detail(run));
        match futures_util::FutureExt::now_or_never(&mut detail) {
            Some(Ok(detail)) => detail,
            _ => None,
        }
    }

    /// Invariants of a run as it stands.
    fn judge_run(&self, seen: &mut Seen, detail: &RunDetail) -> Result<(), String> {
        let (run, state) = (detail.run.info.id, &detail.run.state);
        if let Some(ended) = seen.ended.get(&run)
            && *ended != state.status
        {
            return Err(format!("I4: {run} ended as {} and became {}", ended.name(), state.status.name()));
        }
        if state.status.is_terminal() {
            seen.ended.insert(run, state.status);
        }
        for (group, tasks) in &detail.groups {
            recount(group, tasks)?;
            for task in tasks {
                let attempts = group.info.policy.attempts_max;
                if task.app_attempts > attempts || task.infra_attempts > self.timings.infra_attempts_max {
                    return Err(format!("I11: {} had too many attempts: {task:?}", group.info.id));
                }
            }
        }
        for (group, tasks) in &detail.groups {
            for (place, task) in (0_u32..).zip(tasks) {
                let job = JobId { run, r#gen: state.r#gen, group: group.info.id.clone(), index: place };
                let highest = seen.fences.entry(job).or_default();
                if task.fence.0 < *highest {
                    return Err(format!("I6: a fence fell in {}", group.info.id));
                }
                *highest = task.fence.0;
            }
        }
        self.has_wake(detail)
    }

    /// I7: nobody is forgotten. I12: events have no gaps.
    fn has_wake(&self, detail: &RunDetail) -> Result<(), String> {
        let (run, state) = (detail.run.info.id, &detail.run.state);
        let mut events = Box::pin(self.store.events(run, state.events.saturating_sub(40), 100));
        let events = match futures_util::FutureExt::now_or_never(&mut events) {
            Some(Ok(events)) => events,
            _ => return Err("events cannot be read".to_owned()),
        };
        let first = state.events.saturating_sub(40) + 1;
        if !events.iter().map(|event| event.seq).eq(first..=state.events) {
            return Err(format!("I12: events of {run} have gaps"));
        }
        if !matches!(state.status, RunStatus::Running | RunStatus::Cancelling | RunStatus::Undoing) {
            return Ok(());
        }
        let asks = detail.interrupts.iter().any(|interrupt| interrupt.state == InterruptState::Open);
        let mut due = Box::pin(self.store.due(run.partition));
        let due = match futures_util::FutureExt::now_or_never(&mut due) {
            Some(Ok(due)) => due,
            _ => return Err("the due index cannot be read".to_owned()),
        };
        let ready = due.iter().any(|(_, due)| due.key.run == run && due.key.kind.letter() == 'r');
        if state.closed > 0 && state.status == RunStatus::Running && !ready {
            return Err(format!("I7: {run} has closed groups and is not ready"));
        }
        let woken = due.iter().any(|(_, due)| due.key.run == run && due.key.kind.letter() != 't');
        if woken || asks {
            Ok(())
        } else {
            Err(format!("I7: {run} is {} and nothing will wake it", state.status.name()))
        }
    }
}

fn recount(group: &baton_common::records::Group, tasks: &[Task]) -> Result<(), String> {
    let count = |wanted: fn(&TaskState) -> bool| {
        u32::try_from(tasks.iter().filter(|task| wanted(&task.state)).count()).unwrap_or(u32::MAX)
    };
    let counted = [
        count(|state| *state == TaskState::Done),
        count(|state| *state == TaskState::Failed),
        count(|state| *state == TaskState::Cancelled),
        count(|state| matches!(state, TaskState::Publishable { .. })),
    ];
    let state = &group.state;
    let kept = [state.ok, state.failed, state.cancelled, state.publishable];
    if counted == kept {
        Ok(())
    } else {
        Err(format!("I3: {} counts {kept:?}, its tasks are {counted:?}", group.info.id))
    }
}

/// Invariants of one answer.
fn judge_reply(seen: &mut Seen, op: &Op, reply: &Reply, before: Option<&RunDetail>) -> Result<(), String> {
    match (op, reply) {
        (Op::Advance(commit), Reply::Advance(answer)) => {
            let content = format!("{commit:?}");
            if let Some(other) = seen.commits.insert(commit.op, content.clone())
                && other != content
            {
                return Err(format!("I18: one advance, two contents\n{other}\n{content}"));
            }
            if matches!(answer, AdvanceAnswer::Advanced { .. }) && !seen.advanced.insert((commit.run, commit.seen)) {
                return Err(format!("I2: {} advanced twice from version {}", commit.run, commit.seen));
            }
            Ok(())
        }
        (Op::Claim(claim), Reply::Claim(ClaimVerdict::Granted(_))) => {
            *seen.grants.entry(claim.job.clone()).or_default() += 1;
            match task(before, &claim.job) {
                Some(task) if task.digest != claim.digest => Err("I5: granted for another input".to_owned()),
                Some(_) => Ok(()),
                None => Err("I10: granted what is not there".to_owned()),
            }
        }
        (Op::Record(record), Reply::Record(verdict)) => {
            let counted = matches!(verdict, RecordVerdict::Ok(_) | RecordVerdict::Retry { .. });
            let Some(task) = task(before, &record.job).filter(|_| counted) else { return Ok(()) };
            if task.digest != record.digest {
                return Err("I5: recorded for another input".to_owned());
            }
            if matches!(record.outcome, Recorded::Error { .. }) && task.fence != record.fence {
                return Err("I6: a failure of a lost attempt counted".to_owned());
            }
            Ok(())
        }
        (Op::Answer(answer), Reply::Answer(AnswerVerdict::Ok(_) | AnswerVerdict::Already)) => {
            let known = seen.decisions.entry(answer.interrupt).or_insert_with(|| answer.decision.clone());
            if *known == answer.decision { Ok(()) } else { Err("I8: two decisions on one question".to_owned()) }
        }
        _ => Ok(()),
    }
}

fn task<'a>(detail: Option<&'a RunDetail>, job: &JobId) -> Option<&'a Task> {
    let (_, tasks) = detail?.groups.iter().find(|(group, _)| group.info.id == job.group)?;
    tasks.get(usize::try_from(job.index).ok()?)
}

fn is_refusal(reply: &Reply) -> bool {
    match reply {
        Reply::Claim(verdict) => matches!(
            verdict,
            ClaimVerdict::Unknown
                | ClaimVerdict::RunTerminal
                | ClaimVerdict::Stale
                | ClaimVerdict::Done
                | ClaimVerdict::Busy
        ),
        Reply::Record(verdict) => !matches!(verdict, RecordVerdict::Ok(_) | RecordVerdict::Retry { .. }),
        Reply::Advance(answer) => !matches!(answer, AdvanceAnswer::Advanced { .. }),
        _ => false,
    }
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
        | Op::Unpark { run }
        | Op::Recheck { run, .. }
        | Op::Gc { run } => *run,
        Op::PopDue(_) | Op::Renew(_) => return None,
    })
}

/// `answer CLAIM Granted`: the operation and the answer's first word.
fn answer_name(op: &Op, reply: &Reply) -> String {
    let first = |text: String| text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
    let inner = format!("{reply:?}");
    let inner = inner.split_once('(').map_or("", |(_, inner)| inner);
    let answer: String = inner.chars().take_while(char::is_ascii_alphanumeric).collect();
    format!("answer {} {answer}", first(format!("{op:?}")))
}
