//! The prompter of a play: answers questions, sends signals and asks for the end when the
//! case says so, and otherwise lets time leap to whatever is due next.
//!
//! Nothing but this and the worker lets time pass, so that whatever can happen at a moment
//! has happened before the next one comes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use baton_common::records::DueKind;
use baton_common::transition::Due;
use baton_common::{InterruptId, JobId, RunId, Timestamp};
use baton_engine::spec::cases::{Case, Decided};
use baton_orchestrator::Orchestrator;
use baton_orchestrator::api::{Caller, QuestionView, RunView, Status, Target, Which};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::script::{Cue, Script, written};
use super::stage::Cast;
use super::stand_in::StandIn;

/// Time for everything that can happen now to happen: the clock stands still meanwhile.
const MOMENT: Duration = Duration::from_millis(1);
/// Moments of a play, after which nobody waits for its end.
const MOMENTS_MAX: u32 = 200_000;
/// Questions open at once.
const QUESTIONS_MAX: u32 = 1_000;

/// The prompter.
pub(super) struct Prompter<'c> {
    orchestrator: Orchestrator,
    cast: Arc<Cast>,
    script: Script<'c, Decided>,
    run: RunId,
    /// What is still to be said, by the moment for it.
    lines: Vec<(Instant, Line)>,
    /// Questions that were looked at.
    asked: BTreeSet<InterruptId>,
    problems: Vec<String>,
}

/// Something to be said.
enum Line {
    Answer(Box<QuestionView>, String, Value),
    Signal(String, String, Value),
    Cancel,
}

impl<'c> Prompter<'c> {
    pub(super) fn new(orchestrator: Orchestrator, cast: Arc<Cast>, case: &'c Case, run: RunId) -> Self {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let signals = case.signals.iter().zip(1_u32..).map(|(told, number)| {
            (at(told.after_ms), Line::Signal(format!("signal-{number}"), told.name.clone(), told.value.clone()))
        });
        let cancel = case.cancel_after_ms.map(|ms| (at(ms), Line::Cancel));
        let lines = signals.chain(cancel).collect();
        let script = Script::new(&case.answers);
        Self { orchestrator, cast, script, run, lines, asked: BTreeSet::new(), problems: Vec::new() }
    }

    /// Answers that were refused.
    pub(super) fn problems(self) -> Vec<String> {
        self.problems
    }

    /// Prompts until the run has ended, or nothing is left that would let it go on.
    pub(super) async fn prompt(&mut self, worker: &StandIn<'_>) -> anyhow::Result<RunView> {
        for _ in 0..MOMENTS_MAX {
            sleep(MOMENT).await;
            let view = self.orchestrator.get(&Caller::local(), self.run).await?;
            if view.summary.status.is_terminal() || view.summary.status == Status::Stuck {
                return Ok(view);
            }
            self.listen().await?;
            if self.say().await || self.look().await? {
                continue;
            }
            let next = [self.next_line(), self.next_due().await?].into_iter().flatten().min();
            match next {
                Some(next) => tokio::select! {
                    biased;
                    () = worker.stirred() => {}
                    () = sleep_until(next) => {}
                },
                None if worker.is_busy() => worker.stirred().await,
                None => return Ok(view),
            }
        }
        bail!("the run went on and on: {MOMENTS_MAX} moments were not enough")
    }

    /// Takes up new questions that the case has an answer for.
    async fn listen(&mut self) -> anyhow::Result<()> {
        let mut new = Vec::new();
        for question in self.orchestrator.inbox(&Caller::local(), QUESTIONS_MAX).await? {
            if !self.asked.insert(question.id) {
                continue;
            }
            let Some(job) = self.job_of(&question).await? else { continue };
            new.push((self.cast.address_of_job(&self.orchestrator, &job).await?, question));
        }
        // Of those that came at one moment, in an order that people can tell.
        new.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (address, question) in new {
            // What nobody answers stays open: it may expire, or the run waits.
            let Cue::Row(row) = self.script.next(&address) else { continue };
            let at = Instant::now() + Duration::from_millis(row.after_ms);
            self.lines.push((at, Line::Answer(Box::new(question), written(&address), row.decision.clone())));
        }
        Ok(())
    }

    async fn job_of(&self, question: &QuestionView) -> anyhow::Result<Option<JobId>> {
        let detail = self.orchestrator.store().detail(question.run).await?;
        let mut interrupts = detail.into_iter().flat_map(|detail| detail.interrupts);
        Ok(interrupts.find(|interrupt| interrupt.id == question.id).map(|interrupt| interrupt.job))
    }

    /// Says what is to be said by now; whether anything was.
    async fn say(&mut self) -> bool {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.lines).into_iter().partition(|(at, _)| *at <= now);
        self.lines = later;
        let due: Vec<(Instant, Line)> = due;
        let said = !due.is_empty();
        let (caller, run) = (Caller::local(), self.run);
        for (_, line) in due {
            let (what, done) = match line {
                Line::Answer(question, address, decision) => {
                    let which = Which::Interrupt(question.id);
                    let answered = self.orchestrator.answer(&caller, question.run, which, decision).await;
                    (format!("the answer for {address}"), answered.map(|_| ()))
                }
                Line::Signal(id, name, value) => {
                    let what = format!("the signal {name}");
                    let told = self.orchestrator.signal(&caller, Target::Run(run), name, Some(id), value).await;
                    (what, told.map(|_| ()))
                }
                Line::Cancel => ("the cancel".to_owned(), self.orchestrator.cancel(&caller, run).await.map(|_| ())),
            };
            if let Err(error) = done {
                self.problems.push(format!("{what} was refused: {}", error.cause));
            }
        }
        said
    }

    /// Has the sweeper look if something is due; whether anything is.
    async fn look(&self) -> anyhow::Result<bool> {
        let now = self.orchestrator.store().now().await?;
        let any = self.due().await?.is_some_and(|at| at <= now);
        if any {
            self.orchestrator.look_at(self.run.partition);
        }
        Ok(any)
    }

    /// When the store has something next.
    async fn next_due(&self) -> anyhow::Result<Option<Instant>> {
        let now = self.orchestrator.store().now().await?;
        Ok(self.due().await?.map(|at| Instant::now() + Duration::from_millis(at.since_ms(now))))
    }

    fn next_line(&self) -> Option<Instant> {
        self.lines.iter().map(|(at, _)| *at).min()
    }

    /// When the first thing is due where the run lies, and with it all that it calls; the end
    /// of records' keeping does not count.
    async fn due(&self) -> anyhow::Result<Option<Timestamp>> {
        let due = self.orchestrator.store().due(self.run.partition).await?;
        let counts = |due: &Due| !matches!(due.key.kind, DueKind::Gc | DueKind::Thread);
        Ok(due.into_iter().filter(|(_, due)| counts(due)).map(|(at, _)| at).min())
    }
}
