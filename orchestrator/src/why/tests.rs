//! Each kind of answer from the records that lead to it.

use baton_common::commit::{Question, QuestionForm};
use baton_common::ids::{ClaimRequest, DispatchSeq, WorkerId};
use baton_common::records::{
    Group, GroupInfo, GroupState, Interrupt, InterruptState, Policy, Run, RunState, Task, TaskKind, TaskState,
};
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{Digest, Fence, Gen, InterruptId, JobId, Partition, Seq};
use serde_json::json;

use super::*;
use crate::testing::records::run_info;

const NOW: Timestamp = Timestamp(100_000);

fn run_id(number: u128) -> RunId {
    RunId { partition: Partition(3), uuid: uuid::Uuid::from_u128(number) }
}

fn run(status: RunStatus) -> RunDetail {
    let mut state = RunState::new(status, Timestamp(10_000));
    state.superstep = 1;
    RunDetail { run: Run { info: run_info(run_id(1)), state, end: None }, groups: Vec::new(), interrupts: Vec::new() }
}

fn group(kind: TaskKind, count: u32) -> Group {
    let policy = Policy {
        attempts_max: 5,
        backoff_min_ms: 1,
        backoff_max_ms: 1,
        retry_on: Vec::new(),
        retry_codes: Vec::new(),
        timeout_ms: 1_000,
    };
    let info = GroupInfo {
        id: "fetch#1".parse().unwrap(),
        kind,
        count,
        window: count,
        need_ok: count,
        max_failed: 0,
        detached: false,
        undo: false,
        tool: "http.fetch".to_owned(),
        tool_major: 1,
        class: QueueClass::Io,
        queue: "io.normal".to_owned(),
        effect: Effect::Pure,
        policy,
        base: Seq(1),
        deadline: None,
        graph: None,
        traceparent: None,
        segment: None,
    };
    Group { info: info.into(), state: GroupState { next_held: count, ..GroupState::default() } }
}

fn task(state: TaskState) -> Task {
    Task {
        state,
        digest: Digest::of("d"),
        fence: Fence(1),
        app_attempts: 0,
        infra_attempts: 0,
        dispatch_seq: DispatchSeq(1),
        phase: 0,
        trouble: None,
    }
}

fn claimed(worker: u64, lease_until: i64) -> Task {
    task(TaskState::Claimed { lease_until: Timestamp(lease_until), worker: WorkerId(worker), request: ClaimRequest(1) })
}

fn worker(id: u64, tools: &[&str]) -> WorkerView {
    let spec = |name: &&str| ToolSpec {
        name: (*name).to_owned(),
        major: 1,
        class: QueueClass::Io,
        effect: Effect::Pure,
        description: String::new(),
        args_schema: json!({}),
    };
    WorkerView {
        id: WorkerId(id),
        class: QueueClass::Io,
        slots: 4,
        tools: tools.iter().map(spec).collect(),
        place: format!("host-{id}:77"),
        version: "1".to_owned(),
        seen_at: NOW,
    }
}

fn around() -> Around {
    let depth = Depth { ready: 12, consumers: 2 };
    Around {
        workers: vec![worker(1, &["http.fetch"])],
        depths: BTreeMap::from([("io.normal".to_owned(), Some(depth))]),
        broker_ready: true,
        answerers: Vec::new(),
        reader: 1,
    }
}

fn facts<'a>(detail: &'a RunDetail, around: &'a Around) -> Facts<'a> {
    Facts {
        detail,
        questions: &[],
        around,
        now: NOW,
        ready: None,
        forced: None,
        computing: false,
        timers: BTreeMap::new(),
        signals: BTreeMap::new(),
        claims: BTreeMap::new(),
        parked: None,
        ahead: None,
        leaf: None,
    }
}

fn with(kind: TaskKind, tasks: Vec<Task>) -> RunDetail {
    let mut detail = run(RunStatus::Running);
    detail.groups.push((group(kind, u32::try_from(tasks.len()).unwrap()), tasks));
    detail
}

/// The only answer there is.
fn only(facts: &Facts<'_>) -> Wait {
    let waits = explain(facts);
    assert_eq!(waits.len(), 1, "{waits:?}");
    waits.into_iter().next().unwrap()
}

#[test]
fn a_run_that_may_be_advanced_says_since_when() {
    let (mut detail, around) = (run(RunStatus::Running), around());
    detail.run.state.closed = 1;
    detail.run.state.ready_at = Timestamp(90_000);
    let wait = only(&facts(&detail, &around));
    assert_eq!((wait.code.as_str(), wait.since), ("ready", Some(Timestamp(90_000))));
    detail.run.state.advance_attempts = 3;
    let hidden = Facts { ready: Some(Timestamp(105_000)), ..facts(&detail, &around) };
    let wait = only(&hidden);
    assert_eq!(
        (wait.code.as_str(), wait.text.as_str()),
        ("computing", "its next step is being computed, for the 3. time")
    );
}

#[test]
fn a_run_of_a_later_program_waits_for_such_a_one() {
    let mut detail = run(RunStatus::Running);
    detail.run.info.reader = 2;
    let mut around = around();
    let wait = only(&facts(&detail, &around));
    assert_eq!((wait.code.as_str(), wait.since), ("later_program", Some(Timestamp(10_000))));
    assert!(wait.cure.contains("start an orchestrator"), "{}", wait.cure);
    around.reader = 2;
    assert_ne!(only(&facts(&detail, &around)).code, "later_program");
}

#[test]
fn a_job_at_work_names_worker_lease_and_attempt() {
    let around = around();
    let mut detail = with(TaskKind::Job, vec![claimed(1, 120_000)]);
    detail.groups[0].1[0].app_attempts = 1;
    let key = (detail.groups[0].0.info.id.clone(), 0);
    let wait = only(&Facts { claims: BTreeMap::from([(key, Timestamp(95_000))]), ..facts(&detail, &around) });
    assert_eq!((wait.code.as_str(), wait.text.as_str()), ("claimed", "worker host-1:77 has its job, attempt 2"));
    assert_eq!((wait.since, wait.until), (Some(Timestamp(95_000)), Some(Timestamp(120_000))));
    let detail = with(TaskKind::Job, vec![claimed(9, 1)]);
    let wait = only(&facts(&detail, &around));
    assert!(wait.text.contains("which is gone") && wait.cure.contains("lease is over"), "{wait:?}");
}

#[test]
fn a_job_in_its_queue_says_how_long_the_queue_is() {
    let (around, detail) = (around(), with(TaskKind::Job, vec![task(TaskState::Dispatched { at: Timestamp(50_000) })]));
    let wait = only(&facts(&detail, &around));
    assert_eq!(wait.text, "its job dispatched to io.normal, which holds 12 messages for 2 workers");
    assert_eq!((wait.code.as_str(), wait.since), ("queued", Some(Timestamp(50_000))));
}

#[test]
fn a_job_that_no_worker_can_take_says_so_and_who_is_there() {
    let detail = with(TaskKind::Job, vec![task(TaskState::Dispatched { at: NOW })]);
    let mut other = around();
    other.workers = vec![worker(2, &["doc.extract"])];
    let wait = only(&facts(&detail, &other));
    assert_eq!(wait.code, "no_worker");
    assert_eq!(
        wait.text,
        "its job for tool http.fetch@1, which no worker has announced; there are: host-2:77 (io, 1 tools)"
    );
    let mut empty = around();
    empty.workers.clear();
    empty.depths.insert("io.normal".to_owned(), Some(Depth { ready: 1, consumers: 0 }));
    assert_eq!(only(&facts(&detail, &empty)).text, "its job in queue io.normal and no worker on it; there are: none");
    empty.depths.insert("io.normal".to_owned(), None);
    let detail = with(TaskKind::Job, vec![task(TaskState::Publishable { not_before: Timestamp(1) })]);
    let wait = only(&facts(&detail, &empty));
    assert_eq!((wait.code.as_str(), wait.since), ("unroutable", Some(Timestamp(1))));
}

#[test]
fn a_job_whose_workers_are_all_full_waits_in_its_queue() {
    let detail = with(TaskKind::Job, vec![task(TaskState::Dispatched { at: NOW })]);
    let mut full = around();
    full.depths.insert("io.normal".to_owned(), Some(Depth { ready: 7, consumers: 0 }));
    let wait = only(&facts(&detail, &full));
    assert_eq!(wait.code, "queued", "who is full takes no messages");
    assert!(wait.text.contains("holds 7 messages that nobody takes now: 1 workers"), "{}", wait.text);
    full.workers[0].class = QueueClass::Cpu;
    assert_eq!(only(&facts(&detail, &full)).code, "no_worker", "it reads other queues");
}

#[test]
fn a_job_that_is_tried_again_says_when_and_what_failed() {
    let mut late = task(TaskState::Publishable { not_before: Timestamp(130_000) });
    (late.app_attempts, late.trouble) = (2, Some("transient connection_refused".to_owned()));
    let (around, detail) = (around(), with(TaskKind::Job, vec![late]));
    let wait = only(&facts(&detail, &around));
    assert_eq!(wait.text, "its job tried again after attempt 2 of 5: transient, connection_refused");
    assert_eq!((wait.code.as_str(), wait.until), ("backoff", Some(Timestamp(130_000))));
}

#[test]
fn a_job_that_is_to_be_published_says_so() {
    let (around, detail) = (around(), with(TaskKind::Job, vec![task(TaskState::Publishable { not_before: NOW })]));
    assert_eq!(only(&facts(&detail, &around)).code, "publish");
    let mut down = self::around();
    down.broker_ready = false;
    let codes: Vec<String> = explain(&facts(&detail, &down)).into_iter().map(|wait| wait.code).collect();
    assert_eq!(codes, ["broker", "publish"]);
}

#[test]
fn a_wide_group_is_told_in_a_few_lines() {
    let mut tasks: Vec<Task> = (0..37).map(|_| claimed(1, 120_000)).collect();
    tasks.extend((0..60).map(|_| task(TaskState::Dispatched { at: NOW })));
    tasks.extend((0..3).map(|_| task(TaskState::Publishable { not_before: Timestamp(140_000) })));
    let (around, detail) = (around(), with(TaskKind::Job, tasks));
    let waits = explain(&facts(&detail, &around));
    let told: Vec<(&str, u32)> = waits.iter().map(|wait| (wait.code.as_str(), wait.count)).collect();
    assert_eq!(told, [("backoff", 3), ("queued", 60), ("claimed", 37)]);
    let mut counted = run(RunStatus::Running);
    let mut wide = group(TaskKind::Job, 10_000);
    (wide.state.at_work, wide.state.publishable, wide.state.ok) = (37, 3, 100);
    counted.groups.push((wide, Vec::new()));
    let waits = explain(&facts(&counted, &around));
    let told: Vec<(&str, u32)> = waits.iter().map(|wait| (wait.code.as_str(), wait.count)).collect();
    assert_eq!(told, [("queued", 9_860), ("claimed", 37), ("publish", 3)]);
}

#[test]
fn a_question_says_since_when_and_who_may_answer() {
    let mut detail = with(TaskKind::Ask, vec![task(TaskState::Parked)]);
    let job = JobId { run: run_id(1), r#gen: Gen(0), group: detail.groups[0].0.info.id.clone(), index: 0 };
    let form = QuestionForm::Schema(json!({}));
    let question = Question { title: "Publish it?".to_owned(), show: Vec::new(), form };
    detail.interrupts.push(Interrupt {
        id: InterruptId::of(&job, 0),
        job,
        state: InterruptState::Open,
        opened_at: Timestamp(40_000),
        expires_at: Some(Timestamp(400_000)),
        question: serde_json::to_string(&question).unwrap(),
    });
    let mut around = around();
    around.answerers = vec!["alice".to_owned()];
    let questions = crate::api::open_questions(&detail);
    let wait = only(&Facts { questions: &questions, ..facts(&detail, &around) });
    assert_eq!((wait.code.as_str(), wait.text.as_str()), ("question", "Publish it?"));
    assert_eq!((wait.since, wait.until), (Some(Timestamp(40_000)), Some(Timestamp(400_000))));
    assert!(wait.cure.starts_with("baton answer ") && wait.cure.ends_with("(keys that may: alice)"), "{}", wait.cure);
    std::sync::Arc::make_mut(&mut detail.groups[0].0.info).kind = TaskKind::Job;
    detail.groups[0].1[0].state = TaskState::OutcomeUnknown;
    assert_eq!(only(&Facts { questions: &questions, ..facts(&detail, &around) }).code, "outcome_unknown");
}

#[test]
fn a_wait_names_its_signal_or_its_time() {
    let (around, detail) = (around(), with(TaskKind::Wait, vec![task(TaskState::Parked)]));
    let key = (detail.groups[0].0.info.id.clone(), 0);
    let timers = BTreeMap::from([(key.clone(), Timestamp(200_000))]);
    let wait = only(&Facts { timers: timers.clone(), ..facts(&detail, &around) });
    assert_eq!((wait.code.as_str(), wait.until), ("time", Some(Timestamp(200_000))));
    let signals = BTreeMap::from([(key, "paid".to_owned())]);
    let wait = only(&Facts { signals, timers, ..facts(&detail, &around) });
    assert_eq!((wait.text.as_str(), wait.cure.as_str()), ("the signal paid", "baton signal t paid"));
}

#[test]
fn a_called_run_is_followed_to_what_it_waits_for() {
    let (around, detail) = (around(), with(TaskKind::Child, vec![task(TaskState::Parked)]));
    let wait = only(&Facts { leaf: Some("ask: Publish it?".to_owned()), ..facts(&detail, &around) });
    assert_eq!(wait.code, "graph");
    assert!(wait.run.is_some() && wait.text.ends_with(": ask: Publish it?"), "{wait:?}");
}

#[test]
fn a_pause_says_when_the_job_goes_on() {
    let (around, detail) = (around(), with(TaskKind::Job, vec![task(TaskState::Parked)]));
    let key = (detail.groups[0].0.info.id.clone(), 0);
    let wait = only(&Facts { timers: BTreeMap::from([(key, Timestamp(150_000))]), ..facts(&detail, &around) });
    assert_eq!((wait.code.as_str(), wait.until), ("pause", Some(Timestamp(150_000))));
}

#[test]
fn a_queued_run_names_the_one_before_it() {
    let (around, detail) = (around(), run(RunStatus::Queued));
    let wait = only(&Facts { ahead: Some((run_id(7), 2)), ..facts(&detail, &around) });
    assert_eq!((wait.code.as_str(), wait.run), ("thread", Some(run_id(7))));
    assert!(wait.text.ends_with("2 more are before it"), "{}", wait.text);
}

#[test]
fn a_parked_run_says_why_and_what_cures_it() {
    let (around, detail) = (around(), run(RunStatus::Stuck));
    let parked = Some((Timestamp(70_000), "graph_missing".to_owned()));
    let wait = only(&Facts { parked, ..facts(&detail, &around) });
    assert_eq!((wait.text.as_str(), wait.since), ("graph_missing", Some(Timestamp(70_000))));
    assert!(wait.cure.starts_with("apply the very same graph again; then: baton unpark"), "{}", wait.cure);
}

#[test]
fn a_cancel_says_whom_it_waits_for_and_until_when() {
    let around = around();
    let mut detail = with(TaskKind::Job, vec![claimed(1, 120_000)]);
    detail.run.state.status = RunStatus::Cancelling;
    detail.groups[0].0.state.phase = GroupPhase::Stopping;
    detail.groups[0].0.state.at_work = 1;
    let waits = explain(&Facts { forced: Some(Timestamp(160_000)), ..facts(&detail, &around) });
    let codes: Vec<&str> = waits.iter().map(|wait| wait.code.as_str()).collect();
    assert_eq!((codes, waits[0].until), (vec!["cancel", "claimed"], Some(Timestamp(160_000))));
    assert!(waits[1].text.contains("host-1:77"));
}

#[test]
fn a_run_that_takes_back_says_so() {
    let around = around();
    let mut detail = with(TaskKind::Job, vec![claimed(1, 120_000)]);
    detail.run.state.status = RunStatus::Undoing;
    let codes: Vec<String> = explain(&facts(&detail, &around)).into_iter().map(|wait| wait.code).collect();
    assert_eq!(codes, ["undo", "claimed"]);
}

/// I7 as people see it: whatever an open run's records say, there is an answer.
#[test]
fn every_open_run_has_an_answer() {
    let around = around();
    let states = [
        TaskState::Publishable { not_before: NOW },
        TaskState::Dispatched { at: NOW },
        TaskState::Claimed { lease_until: NOW, worker: WorkerId(1), request: ClaimRequest(1) },
        TaskState::Parked,
    ];
    for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
        for kind in [TaskKind::Job, TaskKind::Wait, TaskKind::Child] {
            for state in states {
                if kind != TaskKind::Job && state != TaskState::Parked {
                    continue;
                }
                let mut detail = with(kind, vec![task(state)]);
                detail.run.state.status = status;
                assert!(!explain(&facts(&detail, &around)).is_empty(), "{status:?} {kind:?} {state:?}");
            }
        }
        let detail = run(status);
        assert!(!explain(&facts(&detail, &around)).is_empty(), "{status:?} with nothing open");
    }
}
