//! The worker of a play: takes every job of every queue and answers as the table says, in
//! virtual time. Towards the control plane it is a worker like any other.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use baton_broker::{Broker, Delivery};
use baton_common::ids::ClaimRequest;
use baton_common::job::{ClaimAnswer, Envelope, Grant, Outcome, RenewAnswer};
use baton_common::tool::QueueClass;
use baton_common::{ErrorClass, Failure, Timestamp, WorkerId};
use baton_control::{Announcement, ClaimCall, ControlPlane, Hold, Resume};
use baton_engine::spec::cases::{Rows, Scripted};
use baton_orchestrator::Orchestrator;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::script::{Cue, Script, written};
use super::stage::Cast;

/// Jobs under way at once.
const PREFETCH: u16 = 10_000;
const WORKER: WorkerId = WorkerId(1);
/// The tool behind `chat` nodes.
const CHAT: &str = "chat";

/// The worker.
#[derive(Clone)]
pub(super) struct StandIn<'c> {
    orchestrator: Orchestrator,
    cast: Arc<Cast>,
    script: Arc<Mutex<Script<'c, Scripted>>>,
    problems: Arc<Mutex<Vec<String>>>,
    claims: Arc<AtomicU64>,
    busy: Arc<AtomicUsize>,
    stirred: Arc<Notify>,
}

impl<'c> StandIn<'c> {
    pub(super) fn new(
        orchestrator: Orchestrator,
        cast: Arc<Cast>,
        results: &'c BTreeMap<String, Rows<Scripted>>,
    ) -> Self {
        Self {
            orchestrator,
            cast,
            script: Arc::new(Mutex::new(Script::new(results))),
            problems: Arc::default(),
            claims: Arc::default(),
            busy: Arc::default(),
            stirred: Arc::default(),
        }
    }

    /// Says which tools there are: all that the graph names.
    pub(super) async fn announce(&self) -> anyhow::Result<()> {
        let announcement = Announcement {
            worker: WORKER,
            class: QueueClass::Io,
            slots: u32::from(PREFETCH),
            tools: self.cast.tools.clone(),
            place: "rehearsal".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            queues: Vec::new(),
            held: BTreeMap::new(),
        };
        self.orchestrator.announce(announcement).await?;
        Ok(())
    }

    /// Calls that the table has no result for.
    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.lock().clone()
    }

    /// Whether any job is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Ends when a job has ended that took its time.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// Works for ever.
    pub(super) async fn work(&self, broker: &dyn Broker) -> anyhow::Result<Infallible> {
        let mut consumer = broker.consume(&self.cast.queues, PREFETCH).await?;
        let mut jobs = futures_util::stream::FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                delivery = consumer.next() => jobs.push(self.take(delivery?)),
                Some(done) = futures_util::StreamExt::next(&mut jobs) => done?,
            }
        }
    }

    /// Claims a job and sees it through.
    async fn take(&self, delivery: Box<dyn Delivery>) -> anyhow::Result<()> {
        let envelope: Envelope = serde_json::from_slice(delivery.body()).context("a message does not read")?;
        let request = ClaimRequest(self.claims.fetch_add(1, Ordering::Relaxed));
        let answers = self.orchestrator.claim(WORKER, vec![ClaimCall { envelope: envelope.into(), request }]).await?;
        match answers.into_iter().next() {
            Some(ClaimAnswer::Granted(grant)) => {
                self.busy.fetch_add(1, Ordering::Relaxed);
                delivery.ack().await?;
                let done = self.run(*grant).await;
                self.busy.fetch_sub(1, Ordering::Relaxed);
                self.stirred.notify_one();
                done
            }
            Some(ClaimAnswer::Drop(_)) => Ok(delivery.ack().await?),
            Some(ClaimAnswer::Later) | None => Ok(delivery.give_back().await?),
        }
    }

    async fn run(&self, grant: Grant) -> anyhow::Result<()> {
        let Scripted { after_ms, outcome } = self.scripted(&grant).await?;
        let Grant { job, fence, token, digest, timeout_ms, lease_ms, .. } = grant;
        let hold = Hold::new(job, fence, token);
        let outcome = match self.wait(&hold, after_ms.min(timeout_ms), lease_ms).await? {
            RenewAnswer::Lost => return Ok(()),
            RenewAnswer::Cancel => Outcome::Error(Failure::new(ErrorClass::Cancelled, "cancelled", "told to stop")),
            RenewAnswer::Held(_) if after_ms > timeout_ms => Outcome::Error(Failure::timeout(timeout_ms)),
            RenewAnswer::Held(_) => outcome.map_or_else(Outcome::Error, Outcome::value),
        };
        self.orchestrator.resume(Resume { hold, digest, outcome, trace: None }).await?;
        Ok(())
    }

    /// Lets time pass, holding the lease; whether the job is still wanted then.
    async fn wait(&self, hold: &Hold, ms: u64, lease_ms: u64) -> anyhow::Result<RenewAnswer> {
        let mut left = ms;
        let mut answer = RenewAnswer::Held(Timestamp(0));
        while left > 0 && matches!(answer, RenewAnswer::Held(_)) {
            let pause = left.min((lease_ms / 3).max(1));
            sleep(Duration::from_millis(pause)).await;
            left -= pause;
            let renewed = self.orchestrator.renew(WORKER, vec![hold.clone()]).await?;
            answer = renewed.first().copied().unwrap_or(RenewAnswer::Lost);
        }
        Ok(answer)
    }

    /// What the table has for a job.
    async fn scripted(&self, grant: &Grant) -> anyhow::Result<Scripted> {
        let job = &grant.job;
        let address = self.cast.address_of_job(&self.orchestrator, job).await?;
        let cue = match self.script.lock().next(&address) {
            Cue::Row(row) => return Ok(whole(row.clone(), &grant.tool)),
            Cue::Nothing => None,
            Cue::Exhausted(call) => Some(call),
        };
        let group = self.orchestrator.store().group(job.run, &job.group).await?;
        let unimportant = group.is_some_and(|(group, _)| group.info.detached || group.info.undo);
        if unimportant && cue.is_none() {
            return Ok(Scripted { after_ms: 0, outcome: Ok(Value::Null) });
        }
        let name = written(&address);
        let problem = match cue {
            None => format!("results has nothing for {name}"),
            Some(call) => format!("results has nothing for call {call} of {name}"),
        };
        self.problems.lock().push(problem.clone());
        Ok(Scripted { after_ms: 0, outcome: Err(Failure::permanent("no_result", problem)) })
    }
}

/// A result with what every result of the tool has: of a chat it is enough to write its
/// text, or its json.
fn whole(row: Scripted, tool: &str) -> Scripted {
    let outcome = row.outcome.map(|output| match output {
        Value::String(text) if tool == CHAT => chat(json!({ "text": text })),
        output if tool == CHAT => chat(output),
        output => output,
    });
    Scripted { outcome, ..row }
}

fn chat(output: Value) -> Value {
    let Value::Object(given) = output else { return output };
    let text = given.get("json").map(Value::to_string).unwrap_or_default();
    let usage = json!({ "input_tokens": 0, "output_tokens": 0 });
    let usual = json!({ "text": text, "json": null, "usage": usage, "model": "scripted", "finish": "stop" });
    let Value::Object(mut whole) = usual else { return Value::Object(given) };
    whole.extend::<Map<String, Value>>(given);
    Value::Object(whole)
}
