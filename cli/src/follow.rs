//! Follows a run to its end: shows what happens, answers what it can, and stops where
//! somebody else has to answer. A server that goes away is looked for again.

use std::time::Duration;

use baton_proto::v1;
use tokio::time::{Instant, sleep, timeout};
use v1::watch_response::Item;

use crate::answers::Answers;
use crate::ask;
use crate::client::{Client, call};
use crate::exit::{Exit, Failed};
use crate::history::History;
use crate::progress::Progress;

/// A server that does not come back within this time is given up.
const LOOKED_FOR: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_millis(300);

/// Where following ended.
pub(crate) enum End {
    /// The run is over.
    Ended(Box<v1::Run>),
    /// Only questions are open, and nobody here answers them.
    Waiting(Box<v1::Run>),
}

/// Follows one run.
pub(crate) struct Follow<'c> {
    pub(crate) client: &'c Client,
    pub(crate) run: String,
    pub(crate) answers: Answers,
    /// Whether somebody sits at the terminal.
    pub(crate) asks: bool,
    /// Whether to stop where only questions are open, or to wait for others to answer.
    pub(crate) stops: bool,
    pub(crate) progress: Progress,
    pub(crate) history: History,
    pub(crate) after: u64,
    pub(crate) open: bool,
}

impl<'c> Follow<'c> {
    pub(crate) fn new(client: &'c Client, run: String, answers: Answers) -> Self {
        let (progress, history) = (Progress::new(), History::default());
        Self { client, run, answers, asks: false, stops: true, progress, history, after: 0, open: false }
    }

    /// Follows until the run is over or waits for others.
    pub(crate) async fn until_the_end(&mut self) -> Result<End, Failed> {
        let mut since = Instant::now();
        loop {
            let before = self.after;
            let outcome = self.watch().await;
            if self.after > before {
                since = Instant::now();
            }
            match outcome {
                Ok(Some(end)) => {
                    self.progress.finish();
                    return Ok(end);
                }
                Err(failed) if failed.exit != Exit::Unreachable || since.elapsed() > LOOKED_FOR => {
                    self.progress.finish();
                    return Err(failed);
                }
                Ok(None) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Reads what happened so far to the runs that were called, and to those that they called.
    pub(crate) async fn look_into_called(&mut self) -> Result<(), Failed> {
        let mut left = self.history.take_called();
        while let Some((prefix, run)) = left.pop() {
            let request = v1::GetRunRequest { run_id: run.clone() };
            let Some(found) = call!(self.client, runs, get, request)?.run else { continue };
            let request = v1::WatchRequest { run_id: run, after: 0, state: false };
            let mut items = call!(self.client, runs, watch, request)?;
            let mut seen = 0;
            while seen < found.last_event {
                match items.message().await?.and_then(|item| item.item) {
                    Some(Item::Event(event)) => {
                        seen = event.seq;
                        self.history.add_of(&prefix, &event);
                    }
                    Some(Item::Gap(gap)) => seen = gap.last,
                    Some(Item::Live(_)) => {}
                    Some(Item::Ended(_)) | None => break,
                }
            }
            left.extend(self.history.take_called());
        }
        Ok(())
    }

    /// Watches as long as one server serves it.
    async fn watch(&mut self) -> Result<Option<End>, Failed> {
        let mut items = call!(
            self.client,
            runs,
            watch,
            v1::WatchRequest { run_id: self.run.clone(), after: self.after, state: false }
        )?;
        loop {
            let quiet = if self.open { QUIET } else { Duration::MAX };
            let item = match timeout(quiet, items.message()).await {
                Ok(item) => item?,
                Err(_) => {
                    if let Some(end) = self.look().await? {
                        return Ok(Some(end));
                    }
                    continue;
                }
            };
            match item.and_then(|item| item.item) {
                Some(Item::Ended(run)) => return Ok(Some(End::Ended(Box::new(run)))),
                Some(Item::Live(live)) => self.progress.live(&live),
                Some(Item::Event(event)) => self.take(&event),
                Some(Item::Gap(gap)) => self.pass(gap),
                None => return Ok(None),
            }
        }
    }

    /// Events nobody can show any more.
    fn pass(&mut self, gap: v1::Gap) {
        self.after = self.after.max(gap.last);
        self.progress.line(&format!("! events {} to {} are not kept any more", gap.first, gap.last));
    }

    fn take(&mut self, event: &v1::Event) {
        self.after = self.after.max(event.seq);
        self.history.add(event);
        self.progress.show(event);
        if event.kind == "asked" {
            self.answers.note(event);
            self.open = true;
        }
        // A graph that is called may ask something, which its own events tell.
        self.open |= event.kind == "waits" && event.text.parse::<baton_common::RunId>().is_ok();
    }

    /// Answers what can be answered; an end when the rest is up to others.
    async fn look(&mut self) -> Result<Option<End>, Failed> {
        let answer = call!(self.client, runs, get, v1::GetRunRequest { run_id: self.run.clone() })?;
        let Some(run) = answer.run else { return Ok(None) };
        if run.interrupts.is_empty() {
            self.open = run.waits.iter().any(|wait| wait.code == "graph");
            return Ok(None);
        }
        let (mut left, mut answered) = (false, false);
        for question in &run.interrupts {
            let mut decision = self.answers.find(question).cloned();
            let given = decision.is_some();
            if decision.is_none() && self.asks {
                // The terminal is ours alone while somebody types.
                decision = tokio::task::block_in_place(|| self.progress.suspend(|| ask::ask(question)))?;
                self.asks = decision.is_some();
            }
            match decision {
                Some(decision) => match self.answer(question, &decision.to_string()).await {
                    // Whoever typed it may type it again.
                    Err(failed) if !given && failed.exit == Exit::Usage => {
                        self.progress.line(&format!("! {}", failed.cause))
                    }
                    outcome => {
                        outcome?;
                        answered = true;
                    }
                },
                None => left = true,
            }
        }
        let waits = run.status() == v1::RunStatus::Waiting;
        // What was answered is not shown as open: the next look shows the rest.
        Ok((left && waits && self.stops && !answered).then(|| End::Waiting(Box::new(run))))
    }

    async fn answer(&self, question: &v1::Interrupt, decision: &str) -> Result<(), Failed> {
        let request = v1::AnswerRequest {
            run_id: self.run.clone(),
            question: question.id.clone(),
            decision_json: decision.to_owned(),
        };
        match call!(self.client, runs, answer, request) {
            Ok(_) => Ok(()),
            // Somebody else was faster; what was decided shows in the events.
            Err(failed) if failed.exit == Exit::Failed => {
                self.progress.line(&format!("! {}: {}", question.node, failed.cause));
                Ok(())
            }
            Err(failed) => Err(failed),
        }
    }
}
