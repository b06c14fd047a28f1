//! Alternating rounds of Baton and its floor, each on a bed of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_common::RunId;
use baton_orchestrator::Settings;
use baton_store::Store;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::bed::{Bed, Kind};
use super::floor;
use super::planes::Planes;
use super::probe::Probe;
use super::report::{Figures, Round, Side};
use super::tape::Tape;

/// Before a round is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// Messages under way to the floor, as many as the io worker takes.
const SLOTS: u16 = 64;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long each round is measured.
    pub round: Duration,
    /// Pairs of rounds.
    pub rounds: usize,
    /// Turns of each run.
    pub turns: usize,
}

/// Measures one kind of store and broker with so many runs at once.
///
/// # Errors
/// When a server does not come up, or something is not answered as it should.
pub async fn measure(kind: Kind, runs: usize, plan: &Plan, tape: &Arc<Tape>) -> anyhow::Result<Figures> {
    let (for_floor, for_baton) = Bed::pair(kind).await?;
    let mut rounds = Vec::new();
    for number in 0..plan.rounds {
        // Whoever comes second finds warmer caches and a fuller disk: they take turns.
        let round = if number % 2 == 0 {
            let floor = floor_round(&for_floor, runs, plan, tape).await?;
            Round { floor, baton: baton_round(&for_baton, runs, plan).await? }
        } else {
            let baton = baton_round(&for_baton, runs, plan).await?;
            Round { floor: floor_round(&for_floor, runs, plan, tape).await?, baton }
        };
        rounds.push(round);
    }
    for bed in [for_floor, for_baton] {
        bed.broker.close().await;
        bed.store.close().await;
    }
    Ok(Figures::of(kind, runs, &rounds))
}

async fn floor_round(bed: &Bed, runs: usize, plan: &Plan, tape: &Arc<Tape>) -> anyhow::Result<Side> {
    let (probe, _ends) = Probe::new(bed.store.clone(), false);
    let stop = CancellationToken::new();
    let store: Arc<dyn Store> = probe.clone();
    let playing = tokio::spawn(floor::play(tape.clone(), store, bed.broker.clone(), (runs, SLOTS), stop.clone()));
    let side = side_of(&probe, runs, plan.round).await;
    stop.cancel();
    playing.await??;
    Ok(side)
}

async fn baton_round(bed: &Bed, runs: usize, plan: &Plan) -> anyhow::Result<Side> {
    let (probe, ends) = Probe::new(bed.store.clone(), false);
    let store: Arc<dyn Store> = probe.clone();
    let settings = Settings { broker_forgets: bed.kind.broker_forgets(), ..Settings::default() };
    let planes = Arc::new(Planes::start(store, bed.broker.clone(), settings).await?);
    let stop = CancellationToken::new();
    let load = tokio::spawn(keep_busy(planes.clone(), ends, runs, plan.turns, stop.clone()));
    let side = side_of(&probe, runs, plan.round).await;
    stop.cancel();
    load.await??;
    if let Some(planes) = Arc::into_inner(planes) {
        planes.stop().await?;
    }
    Ok(side)
}

/// Submits a run for each that ends, until `stop`; then waits for those under way.
async fn keep_busy(
    planes: Arc<Planes>,
    mut ends: UnboundedReceiver<RunId>,
    runs: usize,
    turns: usize,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    for _ in 0..runs {
        planes.submit(turns).await?;
    }
    let mut under_way = runs;
    while under_way > 0 && ends.recv().await.is_some() {
        if stop.is_cancelled() {
            under_way -= 1;
        } else {
            planes.submit(turns).await?;
        }
    }
    Ok(())
}

/// What one round shows, while the load goes on.
async fn side_of(probe: &Probe, runs: usize, round: Duration) -> Side {
    tokio::time::sleep(WARM_UP).await;
    let (before, marks, cpu) = (probe.steps(), probe.marks(), cpu_seconds());
    probe.watch(runs == 1);
    let started = Instant::now();
    tokio::time::sleep(round).await;
    let steps = probe.steps() - before;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    probe.watch(false);
    Side { steps, seconds, cpu, marks: probe.marks() - marks, took_ms: probe.took() }
}

/// What this process has computed so far, in user and kernel mode, to the hundredth.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before may hold spaces; times are counted in hundredths on Linux.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}
