//! Equal seeds give equal histories, and faults cost time only.

use std::sync::atomic::{AtomicU64, Ordering};

use baton_broker::memory::Fate;
use baton_common::transition::Op;
use baton_store::machine::Guards;
use baton_store::memory::{Fault, Faults};
use serde_json::json;

use super::graphs::{each, graph, tool};
use super::*;

/// Every few transitions are lost, or only their answers.
struct Now(AtomicU64);

impl Faults for Now {
    fn fault(&self, op: &Op) -> Fault {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        match number % 11 {
            _ if matches!(op, Op::PopDue(_)) => Fault::None,
            3 => Fault::Lost,
            7 => Fault::ReplyLost,
            _ => Fault::None,
        }
    }
}

/// So many republications are refused, as by a store that is full.
struct Full(Arc<AtomicU64>);

impl Faults for Full {
    fn fault(&self, op: &Op) -> Fault {
        let left = self.0.load(Ordering::Relaxed);
        if left == 0 || !matches!(op, Op::Republish(_)) {
            return Fault::None;
        }
        self.0.store(left - 1, Ordering::Relaxed);
        Fault::Lost
    }
}

fn fan() -> Compiled {
    let args = json!({"n": "{{ item }}"});
    let fan = each(tool("fan", &args, &[("out", "output.map(o, o.n)")], &["last"]), "input.list", 3);
    graph("fan", vec![fan, tool("last", &json!({"n": "{{ state.out }}"}), &[("out", "output.n")], &[])])
}

/// One run under faults: its output and every row it left.
async fn history(seed: u64) -> (RunView, String) {
    let faults = Box::new(Now(AtomicU64::new(seed)));
    let memory = MemoryStore::with(Timings::default(), Guards::default(), faults, "memory");
    let settings = Settings { seed, ..Settings::default() };
    let rig = Rig::over(Counting::new(memory.clone()), Memory::default(), vec![fan()], settings).await;
    let number = AtomicU64::new(seed);
    rig.broker.set_faults(Some(Arc::new(move |_: &baton_broker::Message| {
        match number.fetch_add(1, Ordering::Relaxed) % 5 {
            1 => Fate::lose(),
            2 => Fate::duplicate(),
            3 => Fate::unknown(),
            _ => Fate::deliver(),
        }
    })));
    rig.persistent_work();
    let run = loop {
        let request = SubmitRequest {
            graph: GraphRef::Hash(baton_common::GraphHash(baton_common::Digest::of("fan"))),
            input: json!({"list": (0..20).collect::<Vec<u32>>()}),
            request_id: RequestId::parse("r").ok(),
            thread: None,
            traceparent: None,
            record: false,
        };
        if let Ok(submitted) = rig.orchestrator.submit(&Caller::local(), request).await {
            break submitted.run;
        }
    };
    let view = rig.end(run).await;
    let rows: Vec<String> = memory.used_partitions().into_iter().map(|p| format!("{:?}", memory.dump(p))).collect();
    rig.stop().await;
    (view, rows.join("\n"))
}

#[tokio::test(start_paused = true)]
async fn lost_calls_lost_answers_and_lost_messages_cost_time_only() {
    for seed in 0..8 {
        let (view, _) = history(seed).await;
        assert_eq!(view.output, Some(json!({"out": (0..20).collect::<Vec<u32>>()})), "seed {seed}: {view:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_give_equal_histories() {
    let (first, second) = (history(3).await, history(3).await);
    assert_eq!(first.1, second.1);
}

#[tokio::test(start_paused = true)]
async fn what_a_full_store_did_not_let_be_taken_up_is_taken_up_soon_after() {
    let refusals = Arc::new(AtomicU64::new(0));
    let hello = || graph("hello", vec![tool("a", &json!({"text": "hi"}), &[("out", "output.text")], &[])]);
    let memory = MemoryStore::with(Timings::default(), Guards::default(), Box::new(Full(refusals.clone())), "memory");
    let first = Rig::over(Counting::new(memory), Memory::default(), vec![hello()], Settings::default()).await;
    let run = first.submit("hello", json!({})).await;
    first.until(run, |_| first.store.take(&[]).contains_key("Mark")).await;
    let store = first.store.clone();
    first.stop().await;
    // Of what the first broker had nothing is left.
    refusals.store(5, Ordering::Relaxed);
    let (settings, began) = (Settings { broker_forgets: true, seed: 2, ..Settings::default() }, store.now_ms());
    let second = Rig::over(store, Memory::default(), vec![hello()], settings).await;
    second.work(echo);
    assert_eq!(second.end(run).await.output, Some(json!({"out": "hi"})));
    let (took, check) = (second.store.now_ms() - began, Timings::default().check_after_ms);
    assert!(took < 10_000, "{took} ms: it did not wait for the check after {check} ms");
    second.stop().await;
}
