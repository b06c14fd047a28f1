//! Steps per second of the cluster beside its floors, in alternating rounds on the same
//! machine, and what a lone step takes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use baton_store::Store;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::super::floor;
use super::super::graph::{GRAPH, input};
use super::super::probe::Probe;
use super::super::report::quantile;
use super::super::tape::Tape;
use super::floor_a::{FloorA, Payload};
use super::ground::{FloorGround, Ground, SLOTS, Setting, scripts_of};
use super::hop::Hop;
use super::load::{User, advances};
use super::machine::Fsync;

/// More turns than any round has: nothing is submitted and nothing ends while it is measured.
const TURNS: usize = 90_000;
/// Share of floor B that Baton must reach.
const RATIO_MIN: f64 = 0.6;
/// What a lone step may take, in lone steps of floor B with its hop.
const LONE_MAX: f64 = 1.5;

/// How much is measured.
#[derive(Debug, Clone)]
pub(super) struct StepsPlan {
    pub(super) round: Duration,
    pub(super) rounds: usize,
    pub(super) runs: Vec<usize>,
    pub(super) settings: Vec<Setting>,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepsFigures {
    /// `classic, everysec` or `quorum, always`.
    pub setting: String,
    /// Runs at once.
    pub runs: usize,
    /// Steps per second of floor A: two scripts and a message.
    pub floor_a_steps_s: f64,
    /// Steps per second of floor B: Baton's scripts and messages without an engine.
    pub floor_b_steps_s: f64,
    /// Steps per second of Baton.
    pub baton_steps_s: f64,
    /// Baton over floor B: the median of the rounds.
    pub ratio: f64,
    /// The ratio of each round.
    pub ratios: Vec<f64>,
    /// A lone step: runs one after the other, where one runs at once.
    pub lone: Option<Lone>,
    /// Microseconds of a core for a step of Baton: orchestrator, worker, Redis.
    pub cpu_us: [f64; 3],
    /// Scripts that Redis runs for a step of Baton, those of its sweeper among them.
    pub scripts_per_step: f64,
    /// The disk under Redis, right before and after, where answers wait for it.
    pub fsync: Option<Fsync>,
    /// Whether the bar for this line is met; nothing where there is none.
    pub met: Option<bool>,
}

/// What a lone step takes, from one outcome to the next, in milliseconds: means of rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lone {
    /// Floor A's.
    pub floor_a_ms: f64,
    /// Floor B's, its worker in the same process.
    pub floor_b_ms: f64,
    /// Floor B's with its worker in another process, over gRPC.
    pub floor_b_hop_ms: f64,
    /// Baton's.
    pub baton_ms: f64,
    /// Baton over floor B with its hop: the median of the rounds.
    pub ratio: f64,
}

/// Rates of one round, in steps per second.
#[derive(Debug, Clone, Default)]
struct Round {
    floor_a: f64,
    floor_b: f64,
    hop: f64,
    baton: f64,
    cpu_us: [f64; 3],
    scripts: f64,
}

struct Bench {
    ground: Ground,
    floor: FloorGround,
    floor_a: Arc<FloorA>,
    tape: Arc<Tape>,
    user: User,
    plan: StepsPlan,
}

/// Measures all settings and loads.
///
/// # Errors
/// When a server does not come up, or something is not answered as it should.
pub(super) async fn measure(plan: &StepsPlan, tape: &Arc<Tape>) -> anyhow::Result<Vec<StepsFigures>> {
    let mut all = Vec::new();
    for &setting in &plan.settings {
        let bench = Bench::start(setting, plan, tape).await?;
        for &runs in &plan.runs {
            super::progress(&format!("steps: {}, {runs} runs at once", setting.name()));
            all.push(bench.cell(runs).await?);
        }
        bench.floor.broker.close().await;
    }
    Ok(all)
}

impl Bench {
    async fn start(setting: Setting, plan: &StepsPlan, tape: &Arc<Tape>) -> anyhow::Result<Self> {
        let ground = Ground::start(setting, &[]).await?;
        let floor = FloorGround::beside(&ground).await?;
        let user = User::new(&ground.address())?;
        user.apply(GRAPH).await?;
        let (advance_bytes, outcome_bytes, message) = tape.sizes()?;
        let payload = Payload { advance_bytes, outcome_bytes, message };
        let floor_a = FloorA::new(&floor.redis.url(), floor.broker.clone(), payload).await?;
        Ok(Self { ground, floor, floor_a, tape: tape.clone(), user, plan: plan.clone() })
    }

    async fn cell(&self, runs: usize) -> anyhow::Result<StepsFigures> {
        let before = self.ground.fsync()?;
        let mut rounds = Vec::new();
        for number in 0..self.plan.rounds {
            let mut round = Round::default();
            // Whoever comes second finds warmer caches and a fuller disk: they take turns.
            if number % 2 == 1 {
                self.baton(runs, &mut round).await?;
            }
            round.floor_b = self.floor_b(runs).await?;
            if runs == 1 {
                round.hop = self.hop().await?;
            }
            if number % 2 == 0 {
                self.baton(runs, &mut round).await?;
            }
            round.floor_a = self.floor_a(runs).await?;
            rounds.push(round);
        }
        let fsync = before.zip(self.ground.fsync()?).map(|(before, after)| Fsync {
            p50_ms: (before.p50_ms + after.p50_ms) / 2.0,
            p99_ms: before.p99_ms.max(after.p99_ms),
        });
        Ok(figures(self.ground.setting, runs, &rounds, fsync))
    }

    /// What is measured goes on meanwhile; a third of a round, and it is warm.
    async fn warm(&self) {
        tokio::time::sleep(self.plan.round / 3).await;
    }

    async fn baton(&self, runs: usize, round: &mut Round) -> anyhow::Result<()> {
        let store = &self.ground.store;
        let own = self.user.submit_many("loop", (0..runs).map(|_| input(TURNS))).await?;
        self.warm().await;
        let (before, cpu) = (advances(store, &own).await?, self.ground.cpu());
        let (scripts, began) = (scripts_of(&self.ground.cluster.redis)?, Instant::now());
        tokio::time::sleep(self.plan.round).await;
        let steps = (advances(store, &own).await? - before) as f64;
        round.baton = steps / began.elapsed().as_secs_f64();
        round.scripts = (scripts_of(&self.ground.cluster.redis)? - scripts) as f64 / steps.max(1.0);
        let after = self.ground.cpu();
        for (place, us) in round.cpu_us.iter_mut().enumerate() {
            *us = 1e6 * (after[place] - cpu[place]) / steps.max(1.0);
        }
        self.user.cancel_all(store, &own).await
    }

    async fn floor_b(&self, runs: usize) -> anyhow::Result<f64> {
        let (probe, _ends) = Probe::new(self.floor.store.clone(), false);
        let (stop, store): (_, Arc<dyn Store>) = (CancellationToken::new(), probe.clone());
        let broker = self.floor.broker.clone();
        let playing = tokio::spawn(floor::play(self.tape.clone(), store, broker, (runs, SLOTS), stop.clone()));
        let rate = self.rate_of(|| probe.steps()).await;
        stop.cancel();
        playing.await??;
        Ok(rate)
    }

    async fn hop(&self) -> anyhow::Result<f64> {
        let (probe, _ends) = Probe::new(self.floor.store.clone(), false);
        let store: Arc<dyn Store> = probe.clone();
        let mut hop = Hop::start(self.tape.clone(), store, &self.floor).await?;
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let playing = tokio::spawn(async move {
            hop.play(&stopping).await?;
            hop.end().await
        });
        // Its worker starts meanwhile.
        let began = Instant::now();
        while probe.steps() == 0 && began.elapsed() < Duration::from_secs(20) && !playing.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rate = self.rate_of(|| probe.steps()).await;
        stop.cancel();
        playing.await??;
        Ok(rate)
    }

    async fn floor_a(&self, runs: usize) -> anyhow::Result<f64> {
        let stop = CancellationToken::new();
        let playing = tokio::spawn(self.floor_a.clone().play(runs, stop.clone()));
        let rate = self.rate_of(|| self.floor_a.steps.load(Ordering::Relaxed)).await;
        stop.cancel();
        playing.await??;
        Ok(rate)
    }

    async fn rate_of(&self, steps: impl Fn() -> u64) -> f64 {
        self.warm().await;
        let (before, began) = (steps(), Instant::now());
        tokio::time::sleep(self.plan.round).await;
        (steps() - before) as f64 / began.elapsed().as_secs_f64()
    }
}

fn figures(setting: Setting, runs: usize, rounds: &[Round], fsync: Option<Fsync>) -> StepsFigures {
    let median = |of: &dyn Fn(&Round) -> f64| quantile(&rounds.iter().map(of).collect::<Vec<_>>(), 0.5);
    let ratios: Vec<f64> = rounds.iter().map(|round| round.baton / round.floor_b).collect();
    let ratio = quantile(&ratios, 0.5);
    let lone = (runs == 1).then(|| Lone {
        floor_a_ms: 1_000.0 / median(&|round| round.floor_a),
        floor_b_ms: 1_000.0 / median(&|round| round.floor_b),
        floor_b_hop_ms: 1_000.0 / median(&|round| round.hop),
        baton_ms: 1_000.0 / median(&|round| round.baton),
        ratio: median(&|round| round.hop / round.baton),
    });
    let met = match (&lone, runs) {
        (Some(lone), _) => Some(lone.ratio <= LONE_MAX),
        (None, 256) => Some(ratio >= RATIO_MIN),
        _ => None,
    };
    StepsFigures {
        setting: setting.name().to_owned(),
        runs,
        floor_a_steps_s: median(&|round| round.floor_a),
        floor_b_steps_s: median(&|round| round.floor_b),
        baton_steps_s: median(&|round| round.baton),
        ratio,
        ratios,
        lone,
        cpu_us: [0, 1, 2].map(|place| median(&|round: &Round| round.cpu_us[place])),
        scripts_per_step: median(&|round| round.scripts),
        fsync,
        met,
    }
}
