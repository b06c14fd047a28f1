//! A small history that uses most records, for files that later programs must read.

use baton_common::commit::RunEnd;
use baton_common::ids::{Actor, ClaimRequest, InterruptId, JobId, RunId, Seq, Version, WorkerId};
use baton_common::job::Outcome;
use baton_common::records::{Origin, RunInfo, RunStatus, SetBack};
use baton_common::transition::{
    AdvanceAnswer, Answer, AnswerVerdict, Claim, ClaimVerdict, Deliver, DeliverAnswer, Fork, OnBusy, Op, Prune,
    PruneAnswer, Record, Recorded, Reply, Reserve, ReserveAnswer, Retry, RetryAnswer, Settle, Signal, Submit,
};
use baton_common::{Digest, Gen, Timestamp};

use super::Subject;
use super::world::{GroupPlan, checkpoint, commit, key_name, run_info, thread};

/// The run of that history.
pub const RUN: &str = "017-00000000-0000-0007-0000-000000000001";

/// Writes it: a run with a map of three, of which one is done and one claimed, and a question.
pub async fn fill(subject: &dyn Subject) {
    let mut now = Timestamp(1_760_000_000_000);
    let info = run_info(&thread("golden"), 1, None);
    let run = info.id;
    let mut apply = async |op: Op| {
        now = now.plus_ms(1);
        subject.apply_when(&op, now).await.expect("a transition")
    };
    apply(Op::Submit(Box::new(Submit::new(info, OnBusy::Reject)))).await;
    let map = GroupPlan { count: 3, window: 1, need_ok: 3, ..GroupPlan::job("map") };
    let (first, segment) = checkpoint(run, Seq(0), 0, Timestamp(1_760_000_000_000));
    let mut advance = commit(run, Version(1), Vec::new(), "golden");
    advance.checkpoints.push(first.into());
    advance.segments.push(segment);
    advance.open = vec![map.new_group(run, Seq(1), false), GroupPlan::ask("question").new_group(run, Seq(1), false)];
    apply(Op::Advance(advance.into())).await;
    for index in 0..2 {
        let job = JobId { run, r#gen: Gen(0), group: map.id(), index };
        let digest = Digest::of(format!("{run}/{}/{index}", map.id()));
        let request = ClaimRequest(u64::from(index));
        let claim = Claim { job: job.clone(), digest, worker: WorkerId(1), request, lease_ms: 60_000 };
        let Reply::Claim(ClaimVerdict::Granted(granted)) = apply(Op::Claim(claim)).await else { continue };
        if index == 0 {
            let body = serde_json::to_string(&Outcome::value("kept")).expect("an outcome is JSON");
            let record = Record { job, digest, fence: granted.fence, outcome: Recorded::Ok(body) };
            apply(Op::Record(Box::new(record))).await;
        }
    }
}

/// The thread of the second landing's history.
pub const THREAD: &str = "~017~golden-two";

/// What the second landing added: a wait for a signal and one that was taken, a job that
/// asked and may go on, a child, indexes that need one another, a run that failed and may be
/// retried, and a key.
pub async fn fill_second(subject: &dyn Subject) {
    let mut now = Timestamp(1_770_000_000_000);
    let info = run_info(&thread("golden-two"), 2, None);
    let (run, key) = (info.id, info.thread.clone());
    let mut apply = async |op: Op| {
        now = now.plus_ms(1);
        subject.apply_when(&op, now).await.expect("a transition")
    };
    apply(Op::Submit(Box::new(Submit::new(info.clone(), OnBusy::Reject)))).await;
    let mut advance = commit(run, Version(1), Vec::new(), "golden");
    let (first, segment) = checkpoint(run, Seq(0), 0, Timestamp(1_770_000_000_000));
    advance.checkpoints.push(first.into());
    advance.segments.push(segment);
    let signal = Some("go");
    let needs = vec![Vec::new(), vec![0]];
    let plans = [
        GroupPlan::job("asking"),
        GroupPlan::child("child", &info, Gen(0)),
        GroupPlan { count: 2, window: 2, need_ok: 2, needs, ..GroupPlan::job("needs") },
        GroupPlan { count: 2, window: 2, need_ok: 2, signal, ..GroupPlan::wait("waiting") },
    ];
    advance.open = plans.iter().map(|plan| plan.new_group(run, Seq(1), false)).collect();
    apply(Op::Advance(advance.into())).await;
    for id in ["1", "2"] {
        let (name, id, value) = ("go".to_owned(), id.to_owned(), "true".to_owned());
        let signal = Signal { thread: key.clone(), name, id, value, actor: Actor::local() };
        apply(Op::Signal(Box::new(signal))).await;
    }
    let job = |node: &str| JobId { run, r#gen: Gen(0), group: GroupPlan::job(node).id(), index: 0 };
    let outcome = serde_json::to_string(&Outcome::value("kept")).expect("an outcome is JSON");
    apply(Op::Deliver(Box::new(Deliver { job: job("waiting"), number: 1, outcome: outcome.clone() }))).await;
    let digest = Digest::of(format!("{run}/asking#1/0"));
    let claim = Claim { job: job("asking"), digest, worker: WorkerId(1), request: ClaimRequest(1), lease_ms: 60_000 };
    apply(Op::Claim(claim)).await;
    let continuation = Some("{\"page\":2}".to_owned());
    let question = "{\"title\":\"Go on?\",\"form\":{\"schema\":{}}}".to_owned();
    let asked = Recorded::Ask { question, continuation, expires_ms: None };
    let record = Record { job: job("asking"), digest, fence: baton_common::Fence(1), outcome: asked };
    apply(Op::Record(Box::new(record))).await;
    let name = key_name(0, false);
    let settle = Settle { name, job: job("asking"), outcome: Some(outcome), keep_ms: 1_000_000_000_000 };
    apply(Op::Settle(Box::new(settle))).await;
    let failing = run_info(&thread("golden-failed"), 3, None);
    let failed = failing.id;
    apply(Op::Submit(Box::new(Submit::new(failing, OnBusy::Reject)))).await;
    let mut advance = commit(failed, Version(1), Vec::new(), "golden");
    advance.open = vec![GroupPlan::job("broken").new_group(failed, Seq(0), false)];
    apply(Op::Advance(advance.into())).await;
    let mut advance = commit(failed, Version(2), Vec::new(), "golden");
    advance.end = Some(RunEnd { status: RunStatus::Failed, output: None, failure: None, owed: None });
    apply(Op::Advance(advance.into())).await;
}

/// What a later program makes of it: the child ends, the question is answered, the other wait
/// takes its signal, and the failed run is retried.
///
/// # Panics
/// Where it does not.
pub async fn go_on(subject: &dyn Subject) {
    let mut now = Timestamp(1_780_000_000_000);
    let mut apply = async |op: Op| {
        now = now.plus_ms(1);
        subject.apply_when(&op, now).await.expect("a transition")
    };
    let info = run_info(&thread("golden-two"), 2, None);
    let job = |node: &str, index| JobId { run: info.id, r#gen: Gen(0), group: GroupPlan::job(node).id(), index };
    let outcome = serde_json::to_string(&Outcome::value("later")).expect("an outcome is JSON");
    let deliver = Deliver { job: job("waiting", 1), number: 2, outcome: outcome.clone() };
    let taken = apply(Op::Deliver(Box::new(deliver))).await;
    assert!(matches!(taken, Reply::Deliver(DeliverAnswer::Taken(_))), "{taken:?}");
    let answer = Answer {
        job: job("asking", 0),
        interrupt: InterruptId::of(&job("asking", 0), 0),
        decision: "true".to_owned(),
        outcome: "{\"continuation\":{\"page\":2},\"answer\":true}".to_owned(),
        ok: true,
        actor: Actor::local(),
    };
    let answered = apply(Op::Answer(Box::new(answer))).await;
    assert!(matches!(&answered, Reply::Answer(AnswerVerdict::Ok(tail)) if tail.released.len() == 1), "{answered:?}");
    let child = RunId::for_child(&job("child", 0));
    let mut end = commit(child, Version(1), Vec::new(), "golden");
    end.end = Some(RunEnd { status: RunStatus::Succeeded, output: None, failure: None, owed: None });
    let ended = apply(Op::Advance(end.into())).await;
    assert!(matches!(ended, Reply::Advance(AdvanceAnswer::Advanced { parent: Some(_), .. })), "{ended:?}");
    let reserve = Reserve { name: key_name(0, false), job: job("needs", 0), lease_ms: 1_000 };
    let known = apply(Op::Reserve(reserve)).await;
    assert!(matches!(known, Reply::Reserve(ReserveAnswer::Done(_))), "{known:?}");
    let failed = run_info(&thread("golden-failed"), 3, None).id;
    let retry = Retry {
        run: failed,
        seen: Gen(0),
        from: None,
        deadline: None,
        actor: Actor::local(),
        operation: String::new(),
    };
    let retried = apply(Op::Retry(Box::new(retry))).await;
    assert!(matches!(&retried, Reply::Retry(RetryAnswer::Retried(tail)) if tail.released.len() == 1), "{retried:?}");
}

/// What the fourth layout added: a thread that outlives its runs, of which one is removed, and a
/// fork that holds what it shares.
pub async fn fill_held(subject: &dyn Subject) {
    let mut now = Timestamp(1_790_000_000_000);
    let mut apply = async |op: Op| {
        now = now.plus_ms(1);
        subject.apply_when(&op, now).await.expect("a transition")
    };
    let infos = held_runs();
    let submit = Submit { lasting: true, ..Submit::new(infos[0].clone(), OnBusy::Reject) };
    apply(Op::Submit(Box::new(submit))).await;
    let (first, segment) = checkpoint(infos[0].id, Seq(0), 0, Timestamp(1_790_000_000_000));
    let mut advance = commit(infos[0].id, Version(1), Vec::new(), "golden");
    (advance.checkpoints, advance.segments) = (vec![first.into()], vec![segment]);
    advance.end = Some(RunEnd { status: RunStatus::Succeeded, output: None, failure: None, owed: None });
    apply(Op::Advance(advance.into())).await;
    apply(Op::Submit(Box::new(Submit::new(infos[1].clone(), OnBusy::Reject)))).await;
    let origin = Origin { thread: infos[0].thread.clone(), seq: Seq(1) };
    let head = SetBack { seq: Seq(1), channels: Default::default() };
    let fork = Some(Box::new(Fork { origin, head, edit: None }));
    apply(Op::Submit(Box::new(Submit { fork, ..Submit::new(infos[2].clone(), OnBusy::Reject) }))).await;
    apply(Op::Gc { run: infos[0].id }).await;
}

/// What a later program makes of it: the last run and the fork end and are removed, and both
/// threads with them.
///
/// # Panics
/// Where it does not.
pub async fn let_go(subject: &dyn Subject) {
    let mut now = Timestamp(1_800_000_000_000);
    let mut apply = async |op: Op| {
        now = now.plus_ms(100_000);
        subject.apply_when(&op, now).await.expect("a transition")
    };
    let infos = held_runs();
    for info in &infos[1..] {
        let mut end = commit(info.id, Version(1), Vec::new(), "golden");
        end.end = Some(RunEnd { status: RunStatus::Succeeded, output: None, failure: None, owed: None });
        let ended = apply(Op::Advance(end.into())).await;
        assert!(matches!(ended, Reply::Advance(AdvanceAnswer::Advanced { .. })), "{ended:?}");
    }
    let prune = Op::Prune(Prune { thread: infos[0].thread.clone(), below: None });
    for info in &infos[1..] {
        assert_eq!(apply(prune.clone()).await, Reply::Prune(PruneAnswer::Kept), "somebody holds it");
        assert_eq!(apply(Op::Gc { run: info.id }).await, Reply::Changed(true));
    }
    assert_eq!(apply(prune).await, Reply::Prune(PruneAnswer::Gone));
}

/// The two runs of one thread, and that of its fork.
fn held_runs() -> [RunInfo; 3] {
    let (held, fork) = (thread("golden-held"), thread("golden-held-fork"));
    [run_info(&held, 11, None), run_info(&held, 12, None), run_info(&fork, 13, None)]
}
