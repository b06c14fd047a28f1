//! Work that pauses: a worker whose jobs ask a person, wait for a while, fail or answer, as
//! the dice say. It claims and records at the store itself, and never prolongs a lease.

use std::sync::Arc;
use std::time::Duration;

use baton_broker::{Broker, Delivery};
use baton_common::commit::{Question, QuestionForm};
use baton_common::ids::ClaimRequest;
use baton_common::job::{Envelope, Outcome};
use baton_common::transition::{Claim, ClaimVerdict, Granted, Op, Record, Recorded, Reply};
use baton_common::{ErrorClass, Failure, WorkerId};
use baton_store::Store;
use serde_json::json;

use super::super::chaos::Chaos;
use super::groups::PAUSING_QUEUE;

/// Times a call is made.
const TRIES: u32 = 4;
/// A lease, in milliseconds: nothing here takes as long.
const LEASE_MS: u64 = 3_000;

/// One such worker.
pub(super) struct Worker {
    pub(super) store: Arc<dyn Store>,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) chaos: Arc<Chaos>,
}

impl Worker {
    /// Takes one job after another.
    pub(super) async fn work(&self) {
        loop {
            if let Ok(mut consumer) = self.broker.consume(&[PAUSING_QUEUE.to_owned()], 1).await {
                while let Ok(delivery) = consumer.next().await {
                    self.take(delivery).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn take(&self, delivery: Box<dyn Delivery>) {
        let Ok(envelope) = serde_json::from_slice::<Envelope>(delivery.body()) else { return };
        let (worker, request) = (WorkerId(self.chaos.below(u64::MAX)), ClaimRequest(self.chaos.below(u64::MAX)));
        let (job, digest) = (envelope.job, envelope.digest);
        let claim = Op::Claim(Claim { job: job.clone(), digest, worker, request, lease_ms: LEASE_MS });
        match self.call(claim).await {
            Some(Reply::Claim(ClaimVerdict::Granted(granted))) => {
                let _ = delivery.ack().await;
                tokio::time::sleep(Duration::from_millis(self.chaos.below(150))).await;
                let outcome = self.outcome(&granted);
                self.call(Op::Record(Box::new(Record { job, digest, fence: granted.fence, outcome }))).await;
            }
            Some(_) => drop(delivery.ack().await),
            None => drop(delivery.give_back().await),
        }
    }

    async fn call(&self, op: Op) -> Option<Reply> {
        for _ in 0..TRIES {
            if let Ok(reply) = self.store.apply(op.clone()).await {
                return Some(reply);
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        None
    }

    fn outcome(&self, granted: &Granted) -> Recorded {
        let again = granted.continued.is_some();
        match self.chaos.below(if again { 9 } else { 5 }) {
            0 => Recorded::Ask { question: question(), continuation: Some("1".to_owned()), expires_ms: Some(5_000) },
            1 => Recorded::Wait { after_ms: 200 + self.chaos.below(2_000), continuation: None },
            2 => {
                let body = text(&Outcome::Error(Failure::transient("busy", "try again")));
                Recorded::Error { class: ErrorClass::Transient, code: "busy".to_owned(), retry_after_ms: None, body }
            }
            _ => Recorded::Ok(text(&Outcome::value(json!({"value": self.chaos.below(1_000)})))),
        }
    }
}

fn question() -> String {
    let allow = ["approve", "reject"].map(str::to_owned).to_vec();
    let form = QuestionForm::Approval { original: json!(null), allow, schema: None };
    text(&Question { title: "Go on?".to_owned(), show: Vec::new(), form })
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
