//! What people and other systems do, much of it at the wrong time: signals, repeated ones
//! among them, answers to questions that are over, cancels of what is not there, submits
//! under a name that was used.

use baton_common::job::Outcome;
use baton_common::transition::{Answer, Cancel, OnBusy, Op, Signal, Submit};
use baton_common::{Actor, Digest, RequestId, RunId, TenantId};
use baton_store::Error;

use super::{Leader, SIGNAL};

/// Questions that are remembered.
const QUESTIONS_MAX: usize = 20;

impl Leader {
    /// Does one thing, mostly none.
    pub(super) async fn meddle(&self) -> Result<(), Error> {
        self.send_signal().await?;
        if self.chaos.strikes("late answer", 40.0) {
            self.answer_late().await?;
        }
        if self.chaos.strikes("early cancel", 2.0) {
            let run = self.pick().id;
            self.apply(Op::Cancel(Cancel { run, actor: Actor::local(), operation: String::new() })).await?;
        }
        if self.chaos.strikes("name used twice", 8.0) {
            let mut info = self.pick().clone();
            info.body_digest = Digest::of("another body");
            self.submit_if(info, true).await?;
        }
        if self.chaos.strikes("thread used twice", 8.0) {
            let mut info = self.pick().clone();
            info.request = RequestId::parse(&format!("beside-{}", self.chaos.below(3))).ok();
            info.id = RunId::for_submit(&info.thread, info.request.as_ref());
            self.submit_if(info, false).await?;
        }
        Ok(())
    }

    pub(super) fn pick(&self) -> &baton_common::records::RunInfo {
        let count = u64::try_from(self.runs.len()).unwrap_or(1);
        &self.runs[usize::try_from(self.chaos.below(count)).unwrap_or(0)]
    }

    /// Tells a thread something, now and then the same again.
    async fn send_signal(&self) -> Result<(), Error> {
        if !self.chaos.strikes("signal sent", 60.0) {
            return Ok(());
        }
        let (id, value) = (format!("signal-{}", self.chaos.below(12)), "true".to_owned());
        let (thread, name) = (self.pick().thread.clone(), SIGNAL.to_owned());
        self.apply(Op::Signal(Box::new(Signal { thread, name, id, value, actor: Actor::local() }))).await
    }

    /// Answers a question that was open once, whatever became of it.
    async fn answer_late(&self) -> Result<(), Error> {
        let open = self.store.inbox(&TenantId::local(), 5).await?;
        let question = {
            let mut known = self.questions.lock();
            known.extend(open);
            known.truncate(QUESTIONS_MAX);
            let place = self.chaos.below(u64::try_from(known.len()).unwrap_or(0));
            known.get(usize::try_from(place).unwrap_or(0)).cloned()
        };
        let Some(question) = question else { return Ok(()) };
        let outcome = serde_json::to_string(&Outcome::value("late")).unwrap_or_default();
        let (job, interrupt, decision) = (question.job, question.id, "\"late\"".to_owned());
        let answer = Answer { job, interrupt, decision, outcome, ok: true, actor: Actor::local() };
        self.apply(Op::Answer(Box::new(answer))).await
    }

    /// Submits a run whose id is known, or one on a thread that is known.
    async fn submit_if(&self, info: baton_common::records::RunInfo, known: bool) -> Result<(), Error> {
        let there = match known {
            true => self.store.run(info.id).await?.is_some(),
            false => self.store.thread(&info.thread).await?.is_some(),
        };
        if !there {
            return Ok(());
        }
        self.apply(Op::Submit(Box::new(Submit::new(info, OnBusy::Reject)))).await
    }
}
