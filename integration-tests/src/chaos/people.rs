//! People who answer: each open question is answered by one or by several at once, at
//! different orchestrators and not always alike. What they were told is kept for the judge.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_proto::v1::Interrupt;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::api::{Api, Told};
use super::clock::now_ms;
use super::history::{Call, Decision, History};
use super::ledger;

/// Somebody who said something looks at a question again after this long, should it still be open.
const AGAIN: Duration = Duration::from_secs(3);

/// The people of a drill.
#[derive(Clone)]
pub(super) struct People {
    api: Api,
    history: Arc<History>,
    ledger: PathBuf,
    rng: Arc<Mutex<StdRng>>,
    answering: Arc<Mutex<BTreeMap<String, Instant>>>,
    requests: Arc<Mutex<BTreeMap<String, String>>>,
}

impl People {
    /// People who know these orchestrators, and look into the ledger before they say what
    /// became of a job.
    #[must_use]
    pub(super) fn new(api: Api, history: Arc<History>, ledger: PathBuf, seed: u64) -> Self {
        let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(seed ^ 0x9e37)));
        Self { api, history, ledger, rng, answering: Arc::default(), requests: Arc::default() }
    }

    /// Answers until it is over.
    pub(super) async fn answer_all(&self, over: CancellationToken) {
        while !over.is_cancelled() {
            let place = self.below(self.api.places());
            if let Told::Ok(questions) = self.api.inbox(place).await {
                for question in questions {
                    self.answer(question);
                }
            }
            let pause = Duration::from_millis(100);
            let _ = over.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    fn below(&self, bound: usize) -> usize {
        self.rng.lock().random_range(0..bound.max(1))
    }

    fn answer(&self, question: Interrupt) {
        let now = Instant::now();
        let mut answering = self.answering.lock();
        if answering.get(&question.id).is_some_and(|began| now.duration_since(*began) < AGAIN) {
            return;
        }
        answering.insert(question.id.clone(), now);
        let question = Arc::new(question);
        let clients = [1, 1, 2, 5][self.below(4)];
        let unknown = question.schema_json.contains("outcome");
        for _ in 0..clients {
            let (people, question) = (self.clone(), question.clone());
            let pick = self.below(3) == 0;
            tokio::spawn(async move {
                let decision = if unknown { people.outcome(&question).await } else { verdict(pick) };
                if let Some(decision) = decision {
                    people.say(&question, decision).await;
                }
            });
        }
    }

    /// What became of a job whose worker was lost: its ledger knows.
    async fn outcome(&self, question: &Interrupt) -> Option<Value> {
        let known = self.requests.lock().get(&question.run_id).cloned();
        let request = match known {
            Some(request) => request,
            None => {
                let Told::Ok(run) = self.api.get(self.below(self.api.places()), &question.run_id).await else {
                    return None;
                };
                self.requests.lock().insert(question.run_id.clone(), run.request_id.clone());
                run.request_id
            }
        };
        let ended = ledger::has_ended(&self.ledger, &format!("{request}-other.jsonl"));
        Some(if ended { json!({"outcome": "succeeded", "value": {}}) } else { json!({"outcome": "failed"}) })
    }

    /// Says it until somebody knows.
    async fn say(&self, question: &Interrupt, decision: Value) {
        for _ in 0..100 {
            let place = self.below(self.api.places());
            let asked_ms = now_ms();
            let said = self.api.answer(place, &question.run_id, &question.id, &decision).await;
            let call = Call::since(asked_ms);
            let told = match said {
                Told::Ok(_) => Decision { call, recorded: Some(decision), refused: None },
                Told::Refused { code, cause } => {
                    let recorded = cause.strip_prefix("the recorded answer is ");
                    let recorded = recorded.and_then(|text| serde_json::from_str(text).ok());
                    Decision { call, recorded, refused: Some(code) }
                }
                Told::Unknown => {
                    tokio::time::sleep(Duration::from_millis(60)).await;
                    continue;
                }
            };
            self.history.decided(&question.id, told);
            return;
        }
    }
}

fn verdict(reject: bool) -> Option<Value> {
    Some(if reject { json!({"action": "reject", "comment": "not yet"}) } else { json!({"action": "approve"}) })
}
