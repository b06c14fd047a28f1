//! The transitions and messages of one real run, in a form that can be played for any other
//! run: equal in number, kind and size.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use baton_broker::{Broker, Consumer, Depth, Error, Message, Published};
use baton_common::commit::Commit;
use baton_common::ids::ThreadKey;
use baton_common::transition::{Claim, Op, Record, Recorded, Submit};
use baton_common::{RunId, ThreadId};
use baton_orchestrator::{Settings, wiring};
use baton_store::Store;
use parking_lot::Mutex;

use super::planes::Planes;
use super::probe::Probe;

/// How long the run that is recorded may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One run, as the store and the broker saw it.
#[derive(Debug, Clone)]
pub struct Tape {
    submit: Submit,
    turns: Vec<Turn>,
    end: Commit,
}

/// One step of it.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) advance: Commit,
    pub(super) message: Message,
    pub(super) claim: Claim,
    pub(super) record: Record,
}

impl Tape {
    /// Records a run of so many turns over memory.
    ///
    /// # Errors
    /// When the run does not end, or was not what a loop of lone jobs is.
    pub async fn record(turns: usize) -> anyhow::Result<Self> {
        let (probe, mut ends) = Probe::new(wiring::store("memory:", &Settings::default().timings).await?, true);
        let tapped = Arc::new(Tapped { broker: wiring::broker("memory:")?, sent: Mutex::default() });
        let store: Arc<dyn Store> = probe.clone();
        let settings = Settings { sweep: false, broker_forgets: true, ..Settings::default() };
        let planes = Planes::start(store, tapped.clone(), settings).await?;
        let run = planes.submit(turns).await?;
        let ended = tokio::time::timeout(PATIENCE, ends.recv()).await.context("the recorded run did not end")?;
        anyhow::ensure!(ended == Some(run), "another run ended");
        planes.stop().await?;
        let messages = tapped.sent.lock().clone();
        Self::of(run, probe.kept(), messages, turns)
    }

    fn of(run: RunId, ops: Vec<Op>, messages: Vec<Message>, turns: usize) -> anyhow::Result<Self> {
        let (mut submit, mut end) = (None, None);
        let (mut advances, mut claims, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for op in ops {
            match op {
                Op::Submit(op) if op.info.id == run => submit = Some(*op),
                Op::Advance(op) if op.run == run && op.end.is_some() => end = Some(Arc::unwrap_or_clone(op)),
                Op::Advance(op) if op.run == run => advances.push(Arc::unwrap_or_clone(op)),
                Op::Claim(op) if op.job.run == run => claims.push(op),
                Op::Record(op) if op.job.run == run => records.push(*op),
                _ => {}
            }
        }
        let lengths = [advances.len(), messages.len(), claims.len(), records.len()];
        anyhow::ensure!(lengths == [turns; 4], "advances, messages, claims and records of {turns} turns: {lengths:?}");
        let all = advances.into_iter().zip(messages).zip(claims.into_iter().zip(records));
        let turns = all.map(|((advance, message), (claim, record))| Turn { advance, message, claim, record }).collect();
        Ok(Self { submit: submit.context("no submit")?, turns, end: end.context("no end")? })
    }

    /// The same run under a new name, on a thread of its own.
    #[must_use]
    pub(super) fn again(&self) -> (RunId, Submit) {
        let mut submit = self.submit.clone();
        let thread = ThreadKey { tenant: submit.info.thread.tenant.clone(), thread: ThreadId::random() };
        submit.info.id = RunId::for_submit(&thread, None);
        submit.info.thread = thread;
        (submit.info.id, submit)
    }

    /// Its turns.
    pub(super) fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Bytes that an advance and an outcome of it write, and a message of it.
    pub(super) fn sizes(&self) -> anyhow::Result<(usize, usize, Message)> {
        let turn = self.turns.get(self.turns.len() / 2).context("a turn")?;
        let made =
            turn.advance.checkpoints.iter().map(|checkpoint| serde_json::to_string(checkpoint).map(|text| text.len()));
        let opened = turn.advance.open.iter().flat_map(|group| &group.tasks).map(|task| task.body.len());
        let advance = made.sum::<Result<usize, _>>()? + opened.sum::<usize>();
        let outcome = if let Recorded::Ok(body) = &turn.record.outcome { body.len() } else { 0 };
        Ok((advance, outcome, turn.message.clone()))
    }

    /// Its last advance, for another run.
    pub(super) fn end(&self, run: RunId) -> Commit {
        renamed(&self.end, run)
    }
}

impl Turn {
    /// The advance, for another run.
    pub(super) fn advance(&self, run: RunId) -> Commit {
        renamed(&self.advance, run)
    }

    /// The claim, for another run.
    pub(super) fn claim(&self, run: RunId) -> Claim {
        let mut claim = self.claim.clone();
        claim.job.run = run;
        claim
    }

    /// The record, for another run.
    pub(super) fn record(&self, run: RunId) -> Record {
        let mut record = self.record.clone();
        record.job.run = run;
        record
    }

    /// A message of the same size that says which run's turn it is.
    pub(super) fn message(&self, slot: usize, turn: usize) -> Message {
        let mut message = self.message.clone();
        let mut body = format!("{slot} {turn} ").into_bytes();
        body.resize(message.body.len().max(body.len()), b'.');
        message.body = body.into();
        message
    }
}

fn renamed(commit: &Commit, run: RunId) -> Commit {
    let mut commit = commit.clone();
    commit.run = run;
    // Each run comes there by a history of its own.
    (commit.after, commit.closed_at) = (None, Vec::new());
    commit.checkpoints.iter_mut().for_each(|checkpoint| Arc::make_mut(checkpoint).run = run);
    commit
}

/// A broker that keeps what is published.
struct Tapped {
    broker: Arc<dyn Broker>,
    sent: Mutex<Vec<Message>>,
}

#[async_trait]
impl Broker for Tapped {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Published> {
        self.sent.lock().extend(messages.clone());
        self.broker.publish(messages).await
    }

    async fn consume(&self, queues: &[String], prefetch: u16) -> Result<Box<dyn Consumer>, Error> {
        self.broker.consume(queues, prefetch).await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Consumer>, Error> {
        self.broker.consume_dead().await
    }

    async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error> {
        self.broker.depth(queue).await
    }

    fn incarnation(&self) -> u64 {
        self.broker.incarnation()
    }

    fn ready(&self) -> bool {
        self.broker.ready()
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}
