//! Runs from submit to end, and what is done for them on the way.

use baton_broker::memory::Fate;
use baton_common::job::{Outcome, ResumeAnswer};
use baton_common::{Failure, GroupId, pace};
use futures_util::FutureExt as _;
use serde_json::json;

use super::graphs::{approval, each, graph, path, retried, tool};
use super::*;
use crate::api::{ErrorKind, Status, Which};

fn hello() -> Compiled {
    let first = tool("a", &json!({"text": "{{ input.name }}"}), &[("out", "output.text")], &["b"]);
    graph("hello", vec![first, tool("b", &json!({"text": "hi {{ state.out }}"}), &[("out", "output.text")], &[])])
}

fn quiet() -> Settings {
    Settings { sweep: false, ..Settings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_from_submit_to_its_output() {
    let rig = Rig::new(vec![hello()], quiet()).await;
    rig.work(echo);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let view = rig.end(run).await;
    assert_eq!(view.summary.status, Status::Succeeded, "{view:?}");
    assert_eq!(view.output, Some(json!({"out": "hi Ada"})));
    let request = rig.submit("hello", json!({"name": "Ada"})).await;
    assert_eq!(request, run, "the same request finds the same run");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lone_tool_step_costs_advance_claim_record_and_at_most_a_mark() {
    let rig = Rig::new(vec![hello()], quiet()).await;
    let (grants, mut granted) = tokio::sync::mpsc::unbounded_channel();
    rig.work(move |grant| {
        grants.send(grant.clone()).unwrap();
        None
    });
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let first = granted.recv().await.unwrap();
    rig.store.take(&[]);
    resume(&rig.orchestrator, &first, Outcome::value(json!({"text": "Ada"}))).await;
    let second = granted.recv().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(rig.store.take(&[]), counts(&[("Advance", 1), ("Claim", 1), ("Record", 1)]));
    resume(&rig.orchestrator, &second, Outcome::value(json!({"text": "hi"}))).await;
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn branches_whose_jobs_end_together_are_folded_by_one_advance() {
    let branch = |name| tool(name, &json!({}), &[], &[]);
    let first = tool("a", &json!({}), &[("out", "1")], &["b", "c", "d"]);
    let nodes = vec![first, branch("b"), branch("c"), branch("d")];
    let rig = Rig::new(vec![graph("branches", nodes)], quiet()).await;
    let (grants, mut granted) = tokio::sync::mpsc::unbounded_channel();
    rig.work(move |grant| {
        grants.send(grant.clone()).unwrap();
        None
    });
    let run = rig.submit("branches", json!({})).await;
    resume(&rig.orchestrator, &granted.recv().await.unwrap(), Outcome::value(json!({}))).await;
    let mut branches = Vec::new();
    while branches.len() < 3 {
        branches.push(granted.recv().await.unwrap());
    }
    rig.store.take(&[]);
    let left = pace::together(|| {
        for grant in &branches {
            let answer = resume(&rig.orchestrator, grant, Outcome::value(json!({}))).now_or_never();
            assert_eq!(answer, Some(ResumeAnswer::Recorded));
        }
    });
    assert_eq!(left.len(), 1, "the run goes on once");
    for work in left {
        work.await;
    }
    assert_eq!(rig.store.take(&[]), counts(&[("Advance", 1), ("Record", 3)]));
    assert_eq!(rig.end(run).await.summary.status, Status::Succeeded);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unclaimed_job_is_marked_once() {
    let rig = Rig::new(vec![hello()], quiet()).await;
    rig.submit("hello", json!({"name": "Ada"})).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(rig.store.take(&[]).get("Mark"), Some(&1));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_keeps_its_window_and_its_order() {
    let args = json!({"n": "{{ item }}"});
    let fan = each(tool("fan", &args, &[("out", "output.map(o, o.n)")], &[]), "input.list", 2);
    let rig = Rig::new(vec![graph("fan", vec![fan])], quiet()).await;
    rig.work(echo);
    let list: Vec<u32> = (0..40).collect();
    let run = rig.submit("fan", json!({"list": list})).await;
    let view = rig.end(run).await;
    assert_eq!(view.output, Some(json!({"out": list})), "{view:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_wide_fan_out_is_staged_in_chunks() {
    let args = json!({"n": "{{ item }}"});
    let fan = each(tool("fan", &args, &[("out", "output.size()")], &[]), "input.list", 2_000);
    let rig = Rig::new(vec![graph("wide", vec![fan])], quiet()).await;
    rig.work(echo);
    let list: Vec<u32> = (0..1_200).collect();
    let run = rig.submit("wide", json!({"list": list})).await;
    let view = rig.end(run).await;
    assert_eq!(view.output, Some(json!({"out": 1_200})), "{:?}", view.failure);
    assert_eq!(rig.store.take(&[]).get("Stage"), Some(&3));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_for_its_one_answer() {
    let ask = approval("ok", "input.text", &[("out", "output.value + ' by ' + output.by")], &[]);
    let rig = Rig::new(vec![graph("ask", vec![ask])], quiet()).await;
    let run = rig.submit("ask", json!({"text": "draft"})).await;
    let view = rig.until(run, |view| view.summary.status == Status::Waiting).await;
    assert_eq!((view.questions.len(), view.waits[0].code.as_str()), (1, "question"));
    let caller = Caller::local();
    let answer = |decision| rig.orchestrator.answer(&caller, run, Which::Node("ok".to_owned()), decision);
    let refused = answer(json!({"action": "dance"})).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Invalid, "invalid_answer"));
    assert!(!answer(json!({"action": "approve"})).await.unwrap().existed);
    assert!(answer(json!({"action": "approve"})).await.unwrap().existed, "repeating it changes nothing");
    let view = rig.end(run).await;
    assert_eq!(view.output, Some(json!({"out": "draft by local"})));
    let stranger = Caller { tenant: baton_common::TenantId::parse("other").unwrap(), ..Caller::local() };
    let hidden = rig.orchestrator.get(&stranger, run).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_tried_again_after_its_pause() {
    let node = retried(tool("a", &json!({"n": 1}), &[("out", "output.n")], &[]), 3);
    let rig = Rig::new(vec![graph("retry", vec![node])], Settings::default()).await;
    rig.work(|grant| Some(if grant.attempt < 3 { transient() } else { Outcome::value(json!({"n": 3})) }));
    let run = rig.submit("retry", json!({})).await;
    let view = rig.end(run).await;
    assert_eq!(view.output, Some(json!({"out": 3})));
    let keys: std::collections::BTreeSet<_> = rig.ran.lock().iter().map(|grant| grant.idempotency_key).collect();
    assert_eq!((rig.ran.lock().len(), keys.len()), (3, 1), "one key over three attempts");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_names_its_node() {
    let rig = Rig::new(vec![hello()], quiet()).await;
    rig.work(|grant| {
        let second = grant.job.group.node == path("b");
        if second { Some(Outcome::Error(Failure::permanent("broken", "it broke"))) } else { echo(grant) }
    });
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let view = rig.end(run).await;
    assert_eq!(view.summary.status, Status::Failed);
    let failure = view.failure.unwrap();
    assert_eq!((failure.node.as_str(), failure.failure.code.as_str()), ("b", "broken"));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_time_was_over_has_as_long_again_when_it_is_retried() {
    let mut slow = hello();
    slow.graph.limits.duration_ms = Some(60_000);
    let rig = Rig::new(vec![slow], Settings::default()).await;
    let works = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let worker = works.clone();
    rig.work(move |grant| if worker.load(std::sync::atomic::Ordering::Relaxed) { echo(grant) } else { None });
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let view = rig.end(run).await;
    assert_eq!(view.failure.map(|failed| failed.failure.code).as_deref(), Some("limit_exceeded"));
    works.store(true, std::sync::atomic::Ordering::Relaxed);
    rig.orchestrator.retry(&Caller::local(), run, None).await.unwrap();
    let view = rig.until(run, |view| view.summary.status.is_terminal()).await;
    assert_eq!(view.output, Some(json!({"out": "hi Ada"})), "{:?}", view.failure);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_is_sent_again() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    let lost = std::sync::atomic::AtomicU32::new(0);
    rig.broker.set_faults(Some(Arc::new(move |_: &baton_broker::Message| {
        if lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 { Fate::lose() } else { Fate::deliver() }
    })));
    rig.work(echo);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi Ada"})));
    assert_eq!(rig.ran.lock().len(), 2, "each job ran once");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_nobody_confirmed_is_made_again() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.broker.set_blocked(true);
    rig.work(echo);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(rig.get(run).await.waits.iter().any(|wait| wait.code == "broker"));
    rig.broker.set_blocked(false);
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi Ada"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_worker_costs_a_lease_and_no_more() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.work(|grant| if grant.attempt == 1 { None } else { echo(grant) });
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi Ada"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_claimed_work_and_ends_the_run() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.work(|_| None);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |view| view.groups.iter().any(|group| group.claimed == 1)).await;
    let grant = rig.ran.lock()[0].clone();
    rig.orchestrator.cancel(&Caller::local(), run).await.unwrap();
    assert_eq!(rig.get(run).await.summary.status, Status::Cancelling, "claimed work is waited for");
    let hold = Hold::of(&grant);
    let told = rig.orchestrator.renew(WorkerId(1), vec![hold]).await.unwrap();
    assert_eq!(told, [baton_common::job::RenewAnswer::Cancel]);
    let cancelled = Failure::new(baton_common::ErrorClass::Cancelled, "cancelled", "told to stop");
    resume(&rig.orchestrator, &grant, Outcome::Error(cancelled)).await;
    assert_eq!(rig.end(run).await.summary.status, Status::Cancelled);
    assert!(rig.orchestrator.cancel(&Caller::local(), run).await.unwrap().existed);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_by_force_when_a_worker_is_gone() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.work(|_| None);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |view| view.groups.iter().any(|group| group.claimed == 1)).await;
    rig.orchestrator.cancel(&Caller::local(), run).await.unwrap();
    assert_eq!(rig.end(run).await.summary.status, Status::Cancelled);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_orchestrator_takes_over_where_one_died() {
    let first = Rig::new(vec![hello()], Settings::default()).await;
    first.work(|_| None);
    let run = first.submit("hello", json!({"name": "Ada"})).await;
    first.until(run, |view| view.groups.iter().any(|group| group.claimed == 1)).await;
    let store = first.store.clone();
    first.stop.cancel();
    drop(first);
    let settings = Settings { broker_forgets: true, seed: 2, ..Settings::default() };
    let second = Rig::over(store, Memory::default(), vec![hello()], settings).await;
    second.work(echo);
    assert_eq!(second.end(run).await.output, Some(json!({"out": "hi Ada"})));
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_replicas_that_both_answer_advance_a_run_once_a_step() {
    let one = Rig::new(vec![hello()], Settings::default()).await;
    let settings = Settings { seed: 2, replica: "two".to_owned(), ..Settings::default() };
    let two = Rig::over(one.store.clone(), one.broker.clone(), vec![hello()], settings).await;
    one.work(|_| None);
    let run = one.submit("hello", json!({"name": "Ada"})).await;
    two.orchestrator.inner.advance_soon(run, crate::driver::Cue::Look);
    for (step, text) in [(1, "Ada"), (2, "hi")] {
        two.until(run, |_| one.ran.lock().len() == step).await;
        let grant = one.ran.lock()[step - 1].clone();
        let outcome = Outcome::value(json!({"text": text}));
        let (first, second) = tokio::join!(
            resume(&one.orchestrator, &grant, outcome.clone()),
            resume(&two.orchestrator, &grant, outcome.clone()),
        );
        assert!(matches!(first, ResumeAnswer::Recorded), "{first:?}");
        assert!(!matches!(second, ResumeAnswer::Recorded), "{second:?}");
        two.orchestrator.inner.advance_soon(run, crate::driver::Cue::Look);
    }
    let view = two.end(run).await;
    assert_eq!((view.output, view.superstep), (Some(json!({"out": "hi"})), 3), "one advance for each step");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_set_back_is_never_answered_from_a_forgotten_future() {
    let graph = || {
        let first = tool("a", &json!({"text": "{{ input.name }}"}), &[("out", "output.text")], &["b"]);
        let save = [("out", "state.out + ' ' + output.text")];
        graph("hello", vec![first, tool("b", &json!({"text": "hi {{ state.out }}"}), &save, &[])])
    };
    let memory = MemoryStore::new(Timings::default());
    let store = Counting::new(memory.clone());
    let rig = Rig::over(store, Memory::default(), vec![graph()], Settings::default()).await;
    rig.work(|_| None);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |_| rig.ran.lock().len() == 1).await;
    let earlier = memory.snapshot();
    let first = rig.ran.lock()[0].clone();
    resume(&rig.orchestrator, &first, Outcome::value(json!({"text": "forgotten"}))).await;
    rig.until(run, |_| rig.ran.lock().len() == 2).await;
    memory.roll_back(earlier);
    let settings = Settings { seed: 2, replica: "two".to_owned(), ..Settings::default() };
    let other = Rig::over(rig.store.clone(), rig.broker.clone(), vec![graph()], settings).await;
    resume(&other.orchestrator, &first, Outcome::value(json!({"text": "kept"}))).await;
    rig.until(run, |_| rig.ran.lock().len() >= 3).await;
    let last = rig.ran.lock().last().unwrap().clone();
    assert_eq!(inline(&last.args), json!({"text": "hi kept"}));
    resume(&rig.orchestrator, &last, Outcome::value(json!({"text": "end"}))).await;
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "kept end"})));
    rig.stop().await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_advance_is_parked_and_goes_on_when_it_can() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |view| !view.groups.is_empty()).await;
    rig.orchestrator.inner.graphs.forget_all();
    rig.work(echo);
    let view = rig.until(run, |view| view.summary.status == Status::Stuck).await;
    assert_eq!((view.waits[0].code.as_str(), view.waits[0].text.as_str()), ("parked", "graph_unreadable"));
    rig.orchestrator.inner.graphs.insert(Caller::local().tenant, hello());
    assert!(rig.orchestrator.unpark(&Caller::local(), run).await.unwrap());
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi Ada"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_published_again_by_the_sweeper_alone() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let mut consumer = rig.broker.consume(&["io.normal".to_owned()], 1).await.unwrap();
    let letter = consumer.next().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    letter.reject().await.unwrap();
    drop(consumer);
    rig.work(echo);
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi Ada"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_attempt_opens_nothing() {
    let rig = Rig::new(vec![hello()], quiet()).await;
    rig.work(|_| None);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |view| view.groups.iter().any(|group| group.claimed == 1)).await;
    let grant = rig.ran.lock()[0].clone();
    let group: GroupId = "b#1".parse().unwrap();
    let forged = baton_common::JobId { group, ..grant.job.clone() };
    let hold = Hold::new(forged, grant.fence, grant.token.clone());
    let refused = rig.orchestrator.emit(hold, json!({})).await;
    assert!(matches!(refused, Err(baton_control::Error::Refused(_))));
    assert_eq!(inline(&grant.args), json!({"text": "Ada"}));
    rig.stop().await;
}
