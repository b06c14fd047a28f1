//! What one transition would take too long for is done a share at a time: ends that many
//! others need, questions and runs by the thousand. No script of theirs is long.

use baton_common::commit::NewTask;
use baton_common::ids::{Actor, GroupId, InterruptId, RunId, ThreadId, ThreadKey};
use baton_common::records::{DueKey, DueKind, GroupInfo, GroupPhase, GroupState, Parent, RunInfo, RunStatus, TaskKind};
use baton_common::transition::{
    Answer, AnswerVerdict, Cancel, CancelAnswer, Fire, FireAnswer, Op, RecordVerdict, Reply,
};
use baton_common::{ErrorClass, Fence, Version};
use baton_store::{Reader as _, Store as _};

use super::wide::{Bench, WIDE};
use super::world;

impl Bench {
    /// Lets a group go on for as long as its entry is due; how often that was.
    async fn go_on(&self, info: &RunInfo, group: &GroupId) -> u32 {
        let entry = DueKey::group(DueKind::Timer, info.id, group);
        let mut times = 0;
        while self.is_due(info.id, &entry).await {
            let fire = Op::Fire(Fire { run: info.id, group: Some(group.clone()), index: None });
            let answer = self.timed("FIRE that goes on", self.store.apply(fire)).await.unwrap();
            assert!(matches!(answer, Reply::Fire(FireAnswer::Fired(_))), "{answer:?}");
            times += 1;
            assert!(times < 200, "it goes on for ever");
        }
        times
    }

    async fn is_due(&self, run: RunId, entry: &DueKey) -> bool {
        self.store.due(run.partition).await.unwrap().iter().any(|(_, due)| due.key == *entry)
    }

    async fn state(&self, info: &RunInfo, group: &GroupId) -> GroupState {
        self.store.group(info.id, group).await.unwrap().unwrap().0.state
    }
}

/// All but the first need the first.
fn star(index: u32, task: &mut NewTask) {
    if index > 0 {
        task.needs = vec![0];
    }
}

#[tokio::test]
async fn ten_thousand_that_need_one_fail_in_shares() {
    let bench = Bench::start().await;
    let change = |group: &mut GroupInfo| (group.window, group.max_failed) = (16, 0);
    let (info, group) = bench.open_each(1, change, star, 0).await;
    let job = world::job(info.id, &group.id, 0);
    world::claim(&bench.store, &job).await;
    let failed = world::failed(ErrorClass::Permanent);
    let ended = bench.timed("RECORD that fails 9,999", world::record(&bench.store, &job, Fence(1), failed)).await;
    assert!(matches!(ended, RecordVerdict::Ok(tail) if tail.closed.is_none()), "it is not decided before all failed");
    assert!(bench.go_on(&info, &group.id).await > 10);
    let state = bench.state(&info, &group.id).await;
    assert_eq!((state.failed, state.cancelled, state.phase), (WIDE, 0, GroupPhase::Closed));
}

#[tokio::test]
async fn ten_thousand_that_need_one_are_let_go_in_shares() {
    let bench = Bench::start().await;
    let (info, group) = bench.open_each(1, |_| {}, star, 0).await;
    let job = world::job(info.id, &group.id, 0);
    world::claim(&bench.store, &job).await;
    let ended =
        bench.timed("RECORD that lets 9,999 go", world::record(&bench.store, &job, Fence(1), world::ok())).await;
    let RecordVerdict::Ok(tail) = ended else { panic!("{ended:?}") };
    assert!(tail.released.len() > 100, "a share goes at once");
    bench.go_on(&info, &group.id).await;
    let state = bench.state(&info, &group.id).await;
    assert_eq!((state.next_held, state.publishable), (WIDE, WIDE - 1));
}

#[tokio::test]
async fn a_chain_of_ten_thousand_fails_in_shares() {
    let bench = Bench::start().await;
    let chain = |index: u32, task: &mut NewTask| task.needs = index.checked_sub(1).into_iter().collect();
    let (info, group) = bench.open_each(1, |group| group.max_failed = WIDE, chain, 0).await;
    let job = world::job(info.id, &group.id, 0);
    world::claim(&bench.store, &job).await;
    let failed = world::failed(ErrorClass::Permanent);
    bench.timed("RECORD that fails a chain", world::record(&bench.store, &job, Fence(1), failed)).await;
    bench.go_on(&info, &group.id).await;
    assert_eq!(bench.state(&info, &group.id).await.failed, WIDE);
}

#[tokio::test]
async fn ten_thousand_questions_are_asked_and_withdrawn_in_shares() {
    let bench = Bench::start().await;
    let change = |group: &mut GroupInfo| {
        (group.kind, group.need_ok) = (TaskKind::Ask, 1);
        group.tool.clear();
    };
    let (info, group) = bench.open_each(1, change, |_, _| {}, 0).await;
    bench.go_on(&info, &group.id).await;
    let tenant = &info.thread.tenant;
    assert_eq!(bench.store.inbox(tenant, 20_000).await.unwrap().len(), 10_000);
    let answer = |index| {
        let job = world::job(info.id, &group.id, index);
        let (decision, outcome) = ("{}".to_owned(), "{\"ok\":{\"inline\":1}}".to_owned());
        let interrupt = InterruptId::of(&job, 0);
        Op::Answer(Box::new(Answer { interrupt, job, decision, outcome, ok: true, actor: Actor::local() }))
    };
    let verdict = bench.timed("ANSWER that closes", bench.store.apply(answer(5))).await.unwrap();
    assert!(matches!(verdict, Reply::Answer(AnswerVerdict::Ok(tail)) if tail.closed.is_some()));
    let late = bench.store.apply(answer(9_000)).await.unwrap();
    assert_eq!(late, Reply::Answer(AnswerVerdict::Withdrawn), "one that is still listed");
    let next = world::commit(&info, 1, vec![group.id.clone()], Vec::new());
    bench.timed("ADVANCE that consumes", world::advance(&bench.store, next)).await;
    assert!(bench.store.group(info.id, &group.id).await.unwrap().is_none(), "it is gone for whoever looks");
    assert!(bench.go_on(&info, &group.id).await > 10);
    assert!(bench.store.inbox(tenant, 20_000).await.unwrap().is_empty());
    assert_eq!(bench.store.run(info.id).await.unwrap().unwrap().state.leaving, 0);
}

#[tokio::test]
async fn a_thousand_children_are_started_and_cancelled_in_shares() {
    let bench = Bench::start().await;
    let caller = world::run_info(1);
    let child = |index: u32, task: &mut NewTask| {
        let job = world::job(caller.id, &world::group_id("wide", 1), index);
        let id = RunId::for_child(&job);
        let thread = ThreadKey { tenant: caller.thread.tenant.clone(), thread: ThreadId::beside(id) };
        let parent = Some(Box::new(Parent { job, root: caller.id, root_thread: caller.thread.clone(), needs: None }));
        task.body = serde_json::to_string(&RunInfo { id, thread, parent, ..caller.clone() }).unwrap();
    };
    let change = |group: &mut GroupInfo| {
        (group.kind, group.count, group.window, group.need_ok) = (TaskKind::Child, 1_000, 1_000, 1_000);
        group.tool.clear();
    };
    let (info, group) = bench.open_each(1, change, child, 0).await;
    bench.go_on(&info, &group.id).await;
    assert_eq!(bench.store.run(info.id).await.unwrap().unwrap().state.children, 1_000);
    let cancel = Op::Cancel(Cancel { run: info.id, actor: Actor::local(), operation: String::new() });
    let answer = bench.timed("CANCEL of 1,000", bench.store.apply(cancel)).await.unwrap();
    assert_eq!(answer, Reply::Cancel(CancelAnswer::Cancelling));
    assert!(bench.go_on(&info, &group.id).await > 1);
    let children = (0..1_000).map(|index| RunId::for_child(&world::job(info.id, &group.id, index)));
    for id in children {
        let child = bench.store.run(id).await.unwrap().unwrap();
        assert_eq!((child.state.status, child.state.ver), (RunStatus::Cancelling, Version(2)));
    }
}
