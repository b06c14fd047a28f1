//! Runs that wait for a person: what each keeps in Redis beside its state, by kind of key; what
//! the orchestrator keeps of them; and how long it takes to list some and to answer one.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::report::quantile;
use super::graphs::{SUSPENDED, SUSPENDED_STATE_BYTES, suspended};
use super::ground::{Ground, Setting};
use super::keys::{KindFigures, by_kind, used};
use super::load::{User, succeeded};
use super::machine::resident;

/// What each may keep in Redis beside its state.
const BESIDE_MAX: f64 = 2_048.0;
/// What the orchestrator may grow by.
const GROWTH_MAX: f64 = 50e6;
/// Points of the curve.
const POINTS: usize = 10;
/// Calls of each kind that are timed.
const CALLS: usize = 20;
/// A page of a list.
const PAGE: i32 = 50;

/// What a number of suspended runs shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SuspendedFigures {
    /// `hash-max-listpack-value` of the server: 64 is its default, 2048 what is advised.
    pub listpack_value: u32,
    /// Runs at a question.
    pub runs: usize,
    /// Bytes of state in each: what its user wrote.
    pub state_bytes: usize,
    /// Bytes each keeps in Redis, all in all.
    pub redis_bytes: f64,
    /// Beside its state, and without events, which have a cap over the whole store.
    pub beside_bytes: f64,
    /// Where they lie.
    pub kinds: Vec<KindFigures>,
    /// Resident bytes of the orchestrator when idle, before.
    pub idle_bytes: u64,
    /// And with all of them suspended.
    pub held_bytes: u64,
    /// Submits per second that brought them there.
    pub submits_s: f64,
    /// A page of 50 runs, in milliseconds: the median.
    pub list_ms: f64,
    /// A page of 50 open questions.
    pub inbox_ms: f64,
    /// From the answer to the end of its run.
    pub answer_ms: f64,
    /// Runs so far, and bytes over those of the start: Redis, orchestrator.
    pub curve: Vec<(usize, u64, u64)>,
    /// Whether both bars are met.
    pub met: bool,
}

/// Suspends so many runs on a server with that limit.
///
/// # Errors
/// When a server does not come up, or something is refused.
pub(super) async fn measure(runs: usize, listpack_value: u32) -> anyhow::Result<SuspendedFigures> {
    super::progress(&format!("{runs} suspended runs, hash-max-listpack-value {listpack_value}"));
    let limit = listpack_value.to_string();
    let ground = Ground::start(Setting::Everysec, &["--hash-max-listpack-value", &limit]).await?;
    let user = User::new(&ground.address())?;
    user.apply(&suspended()).await?;
    let pid = ground.cluster.orchestrators.first().and_then(crate::cluster::Process::pid);
    // One that has ended warms everything, and is in neither figure.
    suspend(&ground, &user, 1, 0).await?;
    let (before, idle) = (used(&ground.cluster.redis)?, resident(pid).0);
    let (began, mut curve, mut there) = (Instant::now(), vec![(0, 0, 0)], 0);
    for point in 1..=POINTS {
        let more = runs * point / POINTS - there;
        suspend(&ground, &user, more, there + 1).await?;
        there += more;
        let grown = (used(&ground.cluster.redis)?.saturating_sub(before), resident(pid).0.saturating_sub(idle));
        curve.push((there, grown.0, grown.1));
    }
    let submits_s = runs as f64 / began.elapsed().as_secs_f64();
    let redis_bytes = curve.last().map_or(0.0, |point| point.1 as f64) / runs as f64;
    let kinds = by_kind(&ground.cluster.redis, runs + 1, redis_bytes).await?;
    let events: f64 = kinds.iter().filter(|kind| kind.kind == "events").map(|kind| kind.bytes).sum();
    let beside_bytes = redis_bytes - events - SUSPENDED_STATE_BYTES as f64;
    let held_bytes = resident(pid).0;
    let (list_ms, inbox_ms, answer_ms) = calls(&ground, &user).await?;
    Ok(SuspendedFigures {
        listpack_value,
        runs,
        state_bytes: SUSPENDED_STATE_BYTES,
        redis_bytes,
        beside_bytes,
        kinds,
        idle_bytes: idle,
        held_bytes,
        submits_s,
        list_ms,
        inbox_ms,
        answer_ms,
        curve,
        met: beside_bytes <= BESIDE_MAX && held_bytes.saturating_sub(idle) as f64 <= GROWTH_MAX,
    })
}

/// Submits runs and waits until the last of them asks. They are advanced in the order in which
/// they came, but for those computed at the same time; a look at the last few is enough.
async fn suspend(ground: &Ground, user: &User, runs: usize, first: usize) -> anyhow::Result<()> {
    let inputs = (first..first + runs).map(|number| json!({"number": number}));
    let submitted = user.submit_many(SUSPENDED, inputs).await?;
    let began = Instant::now();
    for run in submitted.iter().rev().take(256) {
        while ground.store.run(*run).await?.is_none_or(|run| run.state.superstep == 0) {
            anyhow::ensure!(began.elapsed().as_secs() < 60, "run {run} does not ask");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
    Ok(())
}

/// A page of runs, a page of questions, an answer among them all: milliseconds.
async fn calls(ground: &Ground, user: &User) -> anyhow::Result<(f64, f64, f64)> {
    let (mut list, mut inbox, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    let ms = |began: Instant| began.elapsed().as_secs_f64() * 1_000.0;
    let own = user.submit_many(SUSPENDED, (0..CALLS).map(|number| json!({"number": number}))).await?;
    for run in own {
        while ground.store.run(run).await?.is_none_or(|run| run.state.superstep == 0) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let began = Instant::now();
        anyhow::ensure!(user.list(PAGE).await? > 0, "no runs are listed");
        list.push(ms(began));
        let began = Instant::now();
        anyhow::ensure!(user.questions(PAGE).await? > 0, "no questions are listed");
        inbox.push(ms(began));
        let began = Instant::now();
        user.answer(run, "ask", &json!({"text": "yes"})).await?;
        succeeded(&ground.store, run).await?;
        answer.push(ms(began));
    }
    Ok((quantile(&list, 0.5), quantile(&inbox, 0.5), quantile(&answer, 0.5)))
}
