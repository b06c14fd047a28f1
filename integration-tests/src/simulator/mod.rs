//! The shipped driver, sweeper and worker loop over memory adapters, in virtual time, with
//! faults drawn from a seed.
//!
//! One seed is one life of a small cluster: two orchestrators, an io and a cpu worker, a
//! load of runs, and a person who answers. While faults last, calls are lost, delayed and
//! repeated, replies vanish, messages are dropped, doubled and reordered, processes die
//! between any two calls, and the store now and then goes back to an earlier moment. After
//! that everything must come to its end. The [`checker`] looks at the store after every
//! single transition.

mod chaos;
pub mod checker;
mod control;
mod gate;
mod load;
mod messages;
mod process;
mod store;
mod synthetic;
mod tools;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton_broker::memory::Memory;
use baton_common::settings::Timings;
use baton_store::MemoryStore;
use baton_store::machine::Guards;
use baton_store::memory::NoFaults;

use chaos::Chaos;
use checker::Checker;
use process::Cluster;
use tools::Ledger;

/// Which protection a run of the simulator does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// None: everything must hold.
    None,
    /// One guard of the machine.
    Guard(baton_store::machine::Guard),
    /// The sweeper.
    NoSweep,
}

/// What one seed showed.
#[derive(Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was broken, if anything.
    pub violation: Option<String>,
    /// How often each fault was made and each answer was given.
    pub census: BTreeMap<String, u64>,
    /// Transitions made.
    pub steps: u64,
    /// Runs that came to an end, by status.
    pub ended: BTreeMap<String, u64>,
    /// H of everything the store held at the end, for comparing two lives of one seed.
    pub digest: String,
}

/// Virtual time during which faults are made.
const FAULTS_FOR: Duration = Duration::from_secs(20);
/// Virtual time within which everything must have ended afterwards.
const QUIET_FOR: Duration = Duration::from_secs(240);

/// The timings of a simulated cluster.
fn timings() -> Timings {
    Timings {
        lease_ms: 3_000,
        check_after_ms: 4_000,
        unclaimed_after_ms: 3_000,
        cancel_after_ms: 6_000,
        hide_ms: 1_500,
        publish_after_ms: 1_000,
        ready_after_ms: 500,
        infra_attempts_max: 4,
        share_max: 4,
        thread_retention_ms: 5_000,
        advance_attempts_max: 50,
        ..Timings::default()
    }
}

/// Lives one seed.
#[must_use]
pub fn live(seed: u64, sabotage: Sabotage) -> Report {
    tools::hush_expected_panics();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(world(seed, sabotage))
}

async fn world(seed: u64, sabotage: Sabotage) -> Report {
    let guards = match sabotage {
        Sabotage::Guard(guard) => Guards::without(guard),
        _ => Guards::default(),
    };
    let memory = MemoryStore::with(timings(), guards, Box::new(NoFaults), &format!("sim-{seed}"));
    let chaos = Arc::new(Chaos::new(seed));
    let checker = Arc::new(Checker::new(memory.clone(), timings()));
    let ledger = Ledger::new(checker.clone());
    let broker = Memory::default();
    broker.set_faults(Some(Arc::new(messages::MessageFaults(chaos.clone()))));
    let cluster = Cluster::new(memory, broker, chaos.clone(), checker.clone(), ledger, sabotage);
    cluster.start().await;
    let load = load::submit(&cluster, seed).await;
    tokio::select! {
        biased;
        () = checker.broken() => {}
        () = tokio::time::sleep(FAULTS_FOR) => {}
        () = cluster.nemesis() => {}
    }
    chaos.calm();
    cluster.heal().await;
    let ended = tokio::select! {
        biased;
        () = checker.broken() => true,
        ended = tokio::time::timeout(QUIET_FOR, load.ended(&cluster)) => ended.is_ok(),
    };
    let lost = if ended { None } else { Some(load.unfinished(&cluster).await) };
    let violation = checker.violation().or(lost);
    let report = Report {
        seed,
        violation,
        census: chaos.census(&checker),
        steps: checker.steps(),
        ended: load.statuses(&cluster).await,
        digest: cluster.digest(),
    };
    cluster.stop();
    report
}
