//! Groups of ten thousand tasks: no script of theirs is long, and each of their jobs costs
//! what one of a hundred does. Work is counted in commands of the server; time is its CPU's.

use baton_common::commit::{NewGroup, NewTask, RunEnd};
use baton_common::ids::{Actor, InterruptId};
use baton_common::records::{GroupInfo, RunInfo, RunStatus, TaskKind};
use baton_common::settings::Timings;
use baton_common::transition::{
    Answer, AnswerVerdict, Cancel, CancelAnswer, Fire, FireAnswer, Op, RecordVerdict, Reply, Retry, RetryAnswer,
};
use baton_common::{Fence, Gen, JobId, Timestamp};
use baton_store::{Reader as _, RedisOptions, RedisStore, Store as _};
use baton_testbed::Redis;
use futures_util::{StreamExt as _, stream};

use super::cost::{commands, cpu_usec};
use super::world;

pub(super) const WIDE: u32 = 10_000;

/// The longest a script may keep its server from others, in microseconds.
const SCRIPT_USEC_MAX: f64 = 20_000.0;

pub(super) struct Bench {
    pub(super) server: Redis,
    pub(super) store: RedisStore,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let server = Redis::start(baton_testbed::RedisOptions::default()).unwrap();
        let store = RedisStore::connect(RedisOptions::new(server.url(), Timings::default())).await.unwrap();
        Self { server, store }
    }

    fn commands(&self) -> u64 {
        commands(&self.server)
    }

    /// What one call took of the server, in microseconds.
    pub(super) async fn timed<T>(&self, name: &str, call: impl Future<Output = T>) -> T {
        let before = cpu_usec(&self.server);
        let answer = call.await;
        let took = cpu_usec(&self.server) - before;
        if name != "STAGE" || took > 5_000.0 {
            println!("{name} {took:.0} µs");
        }
        assert!(took < SCRIPT_USEC_MAX, "{name} takes {took:.0} µs");
        answer
    }

    /// A run with one group of so many tasks open, of which `claimed` are claimed.
    async fn open(&self, number: u64, change: impl FnOnce(&mut GroupInfo), claimed: u32) -> (RunInfo, GroupInfo) {
        self.open_each(number, change, |_, _| {}, claimed).await
    }

    /// The same with a say in each task.
    pub(super) async fn open_each(
        &self,
        number: u64,
        change: impl FnOnce(&mut GroupInfo),
        each: impl Fn(u32, &mut NewTask),
        claimed: u32,
    ) -> (RunInfo, GroupInfo) {
        let info = world::run_info(number);
        world::submit(&self.store, &info).await;
        let mut group = world::group_info(world::group_id("wide", 1), WIDE);
        change(&mut group);
        let mut commit = world::commit(&info, 0, Vec::new(), Vec::new());
        commit.staged = group.count;
        commit.open.push(NewGroup { info: group.clone().into(), tasks: Vec::new() });
        for place in 0..group.count.div_ceil(500) {
            self.timed("STAGE", world::stage_chunk(&self.store, &commit, &group, place, &each)).await;
        }
        self.timed("ADVANCE that opens", world::advance(&self.store, commit)).await;
        let jobs: Vec<JobId> = (0..claimed).map(|index| world::job(info.id, &group.id, index)).collect();
        stream::iter(&jobs).map(|job| world::claim(&self.store, job)).buffered(50).for_each(async |_| {}).await;
        self.commands();
        (info, group)
    }
}

#[tokio::test]
async fn a_quorum_of_ten_thousand_closes_at_once() {
    let bench = Bench::start().await;
    let quorum = |group: &mut GroupInfo| (group.need_ok, group.max_failed) = (2, WIDE);
    let (info, group) = bench.open(1, quorum, 300).await;
    let jobs = [0, 1].map(|index| world::job(info.id, &group.id, index));
    world::record(&bench.store, &jobs[0], Fence(1), world::ok()).await;
    bench.commands();
    let verdict =
        bench.timed("RECORD that cancels 9,998", world::record(&bench.store, &jobs[1], Fence(1), world::ok()));
    assert!(matches!(verdict.await, RecordVerdict::Ok(tail) if tail.closed.is_some()));
    // Those that were claimed have a row and a lease each, the others nothing.
    let commands = bench.commands();
    assert!(commands < 300 * 2, "{commands} commands");
    let next = world::commit(&info, 1, vec![group.id.clone()], Vec::new());
    bench.timed("ADVANCE that consumes 10,000", world::advance(&bench.store, next)).await;
    assert!(bench.commands() < 60);
}

#[tokio::test]
async fn cancels_drops_and_deadlines_of_ten_thousand_are_short() {
    let bench = Bench::start().await;
    let (info, _) = bench.open(1, |_| {}, 100).await;
    let cancel = Op::Cancel(Cancel { run: info.id, actor: Actor::local(), operation: String::new() });
    let answer = bench.timed("CANCEL", bench.store.apply(cancel)).await.unwrap();
    assert_eq!(answer, Reply::Cancel(CancelAnswer::Cancelling));
    assert!(bench.commands() < 100 + 60);
    let mut end = world::commit(&info, 2, Vec::new(), Vec::new());
    (end.checkpoints, end.segments) = (Vec::new(), Vec::new());
    end.end = Some(RunEnd { status: RunStatus::Cancelled, output: None, failure: None, owed: None });
    end.seen = baton_common::Version(3);
    let answer = bench.timed("terminal ADVANCE", world::advance(&bench.store, end)).await;
    assert!(matches!(answer, baton_common::transition::AdvanceAnswer::Advanced { .. }), "{answer:?}");
    assert!(bench.commands() < 100 + 60);

    let (info, group) = bench.open(2, |_| {}, 100).await;
    let mut next = world::commit(&info, 1, Vec::new(), Vec::new());
    next.cancelled.push(group.id);
    bench.timed("ADVANCE that drops 10,000", world::advance(&bench.store, next)).await;
    assert!(bench.commands() < 100 + 60);

    let (info, group) = bench.open(3, |group| group.deadline = Some(Timestamp(1)), 100).await;
    let fire = Op::Fire(Fire { run: info.id, group: Some(group.id), index: None });
    let answer = bench.timed("FIRE of a deadline", bench.store.apply(fire)).await.unwrap();
    assert!(matches!(answer, Reply::Fire(FireAnswer::Fired(_))));
    assert!(bench.commands() < 100 + 60);
}

#[tokio::test]
async fn ten_thousand_that_need_one_another_are_opened_at_once() {
    let bench = Bench::start().await;
    // Each thousand needs its first, one after the other.
    let needs = |index: u32, task: &mut NewTask| {
        if !index.is_multiple_of(1_000) {
            task.needs = vec![index - 1, index / 1_000 * 1_000];
        }
    };
    let change = |group: &mut GroupInfo| (group.window, group.max_failed) = (16, WIDE);
    let (info, group) = bench.open_each(1, change, needs, 0).await;
    assert_eq!(bench.store.group(info.id, &group.id).await.unwrap().unwrap().0.state.next_held, 10);
    let job = world::job(info.id, &group.id, 0);
    world::claim(&bench.store, &job).await;
    bench.commands();
    let ended = bench.timed("RECORD that lets one go", world::record(&bench.store, &job, Fence(1), world::ok()));
    assert!(matches!(ended.await, RecordVerdict::Ok(tail) if tail.released.len() == 1));
}

#[tokio::test]
async fn one_answer_of_ten_thousand_closes_at_once() {
    let bench = Bench::start().await;
    let change = |group: &mut GroupInfo| {
        (group.kind, group.window, group.need_ok) = (TaskKind::Ask, 64, 1);
        group.tool.clear();
    };
    let (info, group) = bench.open(1, change, 0).await;
    let job = world::job(info.id, &group.id, 5);
    let answer = Answer {
        interrupt: InterruptId::of(&job, 0),
        job,
        decision: "{}".to_owned(),
        outcome: "{\"ok\":{\"inline\":1}}".to_owned(),
        ok: true,
        actor: Actor::local(),
    };
    let verdict = bench.timed("ANSWER", bench.store.apply(Op::Answer(Box::new(answer)))).await.unwrap();
    assert!(matches!(verdict, Reply::Answer(AnswerVerdict::Ok(tail)) if tail.closed.is_some()));
    assert!(bench.store.inbox(&info.thread.tenant, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn ten_thousand_are_taken_up_again_at_once() {
    let bench = Bench::start().await;
    let (info, group) = bench.open(1, |group| group.window = 100, 100).await;
    for index in 0..50 {
        world::record(&bench.store, &world::job(info.id, &group.id, index), Fence(1), world::ok()).await;
    }
    let mut end = world::commit(&info, 1, Vec::new(), Vec::new());
    end.end = Some(RunEnd { status: RunStatus::Failed, output: None, failure: None, owed: None });
    bench.timed("ADVANCE that fails", world::advance(&bench.store, end)).await;
    let retry = Retry {
        run: info.id,
        seen: Gen(0),
        from: None,
        deadline: None,
        actor: Actor::local(),
        operation: String::new(),
    };
    let answer = bench.timed("RETRY", bench.store.apply(Op::Retry(Box::new(retry)))).await.unwrap();
    let Reply::Retry(RetryAnswer::Retried(tail)) = answer else { panic!("{answer:?}") };
    assert_eq!(tail.released.len(), 100);
    assert_eq!(tail.released[0].job.index, 50);
}

/// Commands and microseconds of each job of a group of so many.
async fn cost_of_each(bench: &Bench, number: u64, count: u32) -> (f64, f64) {
    let change = |group: &mut GroupInfo| (group.count, group.need_ok, group.window) = (count, count, 50);
    let (info, group) = bench.open(number, change, 0).await;
    let cpu = cpu_usec(&bench.server);
    let jobs: Vec<JobId> = (0..count).map(|index| world::job(info.id, &group.id, index)).collect();
    for jobs in jobs.chunks(50) {
        stream::iter(jobs).map(|job| world::claim(&bench.store, job)).buffered(50).for_each(async |_| {}).await;
        let ended = stream::iter(jobs).map(|job| world::record(&bench.store, job, Fence(1), world::ok()));
        ended.buffered(50).for_each(async |_| {}).await;
    }
    let cpu = cpu_usec(&bench.server) - cpu;
    (bench.commands() as f64 / f64::from(count), cpu / f64::from(count))
}

#[tokio::test]
async fn a_job_among_ten_thousand_costs_what_one_among_a_hundred_does() {
    let bench = Bench::start().await;
    let (small, small_usec) = cost_of_each(&bench, 1, 100).await;
    let (large, large_usec) = cost_of_each(&bench, 2, WIDE).await;
    println!("a job of 100 {small:.2} commands {small_usec:.0} µs, of 10,000 {large:.2} commands {large_usec:.0} µs");
    assert!(large < small * 1.25, "{large:.2} commands, {small:.2} in a group of 100");
}
