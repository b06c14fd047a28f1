//! The simulated cluster: processes that die and are started again, and the nemesis that
//! sees to it.

use std::sync::Arc;
use std::time::Duration;

use baton_blobs::Objects;
use baton_broker::memory::Memory;
use baton_broker::{Broker as _, DEAD_QUEUE, Message};
use baton_common::records::RunInfo;
use baton_common::tool::QueueClass;
use baton_common::{Digest, WorkerId};
use baton_orchestrator::{Compute, Orchestrator, Parts, Settings};
use baton_store::MemoryStore;
use baton_store::memory::Snapshot;
use baton_worker::{CpuPool, MemorySpool, Renewal, Status, Worker};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::chaos::Chaos;
use super::checker::Checker;
use super::control::{GatedControl, Living};
use super::gate::Gate;
use super::messages::GatedBroker;
use super::store::GatedStore;
use super::synthetic::{LEADERS, Leader};
use super::tools::{Ledger, catalogue};
use super::{Sabotage, timings};

/// Orchestrators of a simulated cluster.
const ORCHESTRATORS: usize = 2;
/// Workers: an io one, a cpu one and another io one.
const WORKERS: [QueueClass; 3] = [QueueClass::Io, QueueClass::Cpu, QueueClass::Io];

/// A small cluster over one store and one broker.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) memory: MemoryStore,
    pub(super) chaos: Arc<Chaos>,
    pub(super) living: Living,
    broker: Memory,
    blobs: Objects,
    checker: Arc<Checker>,
    ledger: Ledger,
    sabotage: Sabotage,
    workers: Arc<Mutex<Vec<Arc<Gate>>>>,
    leaving: Arc<Mutex<Vec<CancellationToken>>>,
    leaders: Arc<Mutex<Vec<Arc<Gate>>>>,
    over: CancellationToken,
}

impl Cluster {
    pub(super) fn new(
        memory: MemoryStore,
        broker: Memory,
        chaos: Arc<Chaos>,
        checker: Arc<Checker>,
        ledger: Ledger,
        sabotage: Sabotage,
    ) -> Self {
        let living: Living = Arc::new(Mutex::new(vec![None; ORCHESTRATORS]));
        let workers = Arc::new(Mutex::new(WORKERS.iter().map(|_| Arc::default()).collect()));
        let leaving = Arc::new(Mutex::new(vec![CancellationToken::new(); WORKERS.len()]));
        let leaders = Arc::new(Mutex::new((0..LEADERS).map(|_| Arc::default()).collect()));
        let over = CancellationToken::new();
        let blobs = Objects::memory();
        Self { memory, chaos, living, broker, blobs, checker, ledger, sabotage, workers, leaving, leaders, over }
    }

    /// Starts every process, each with somebody who starts it again when it dies.
    pub(super) async fn start(&self) {
        for slot in 0..ORCHESTRATORS {
            self.start_orchestrator(slot).await;
            let cluster = self.clone();
            tokio::spawn(async move { cluster.keep_orchestrator(slot).await });
        }
        for slot in 0..WORKERS.len() {
            let cluster = self.clone();
            tokio::spawn(async move { cluster.keep_worker(slot).await });
        }
    }

    /// Ends everything.
    pub(super) fn stop(&self) {
        self.over.cancel();
        self.living.lock().iter().flatten().for_each(|(gate, _)| gate.die());
        self.workers.lock().iter().for_each(|gate| gate.die());
        self.leaders.lock().iter().for_each(|gate| gate.die());
    }

    /// H of everything the store holds.
    pub(super) fn digest(&self) -> String {
        let rows = self.memory.used_partitions().into_iter().map(|partition| self.memory.dump(partition));
        Digest::of(format!("{:?}", rows.collect::<Vec<_>>())).to_string()
    }

    /// The store as a process of that life reaches it.
    fn gated_store(&self, gate: &Arc<Gate>) -> GatedStore {
        let (store, gate) = (self.memory.clone(), gate.clone());
        GatedStore { store, gate, chaos: self.chaos.clone(), checker: self.checker.clone() }
    }

    /// Starts the processes that lead synthetic runs.
    pub(super) fn start_leaders(&self, runs: &Arc<Vec<RunInfo>>) {
        let count = if runs.is_empty() { 0 } else { LEADERS };
        for slot in 0..count {
            let (cluster, runs) = (self.clone(), runs.clone());
            tokio::spawn(async move { cluster.keep_leader(slot, &runs).await });
        }
    }

    async fn keep_leader(&self, slot: usize, runs: &Arc<Vec<RunInfo>>) {
        let questions = Arc::default();
        while !self.over.is_cancelled() {
            let gate = Arc::new(Gate::default());
            self.leaders.lock()[slot] = gate.clone();
            let store = Arc::new(self.gated_store(&gate));
            let broker = Arc::new(self.broker.clone());
            let leader = Leader {
                store,
                broker,
                chaos: self.chaos.clone(),
                timings: timings(),
                runs: runs.clone(),
                questions: Arc::clone(&questions),
            };
            tokio::select! {
                biased;
                () = self.over.cancelled() => return,
                () = gate.ended() => {}
                () = leader.lead() => {}
            }
            tokio::time::sleep(Duration::from_millis(100 + self.chaos.below(1_500))).await;
        }
    }

    async fn start_orchestrator(&self, slot: usize) {
        let gate = Arc::new(Gate::default());
        let store = self.gated_store(&gate);
        let broker = GatedBroker { broker: self.broker.clone(), gate: gate.clone(), chaos: self.chaos.clone() };
        let seed = self.chaos.below(u64::MAX);
        let settings = Settings {
            timings: timings(),
            replica: format!("orchestrator-{slot}"),
            sweep: self.sabotage != Sabotage::NoSweep,
            seed,
            seeded_ids: true,
            ..Settings::default()
        };
        let parts = Parts {
            store: Arc::new(store),
            broker: Arc::new(broker),
            blobs: Arc::new(self.blobs.clone()),
            settings,
            compute: Compute::Inline,
        };
        let shutdown = self.over.child_token();
        let started = tokio::select! {
            biased;
            () = gate.ended() => None,
            started = Orchestrator::start(parts, shutdown.clone()) => started.ok(),
        };
        match started {
            Some(orchestrator) => {
                let dying = gate.clone();
                tokio::spawn(async move {
                    dying.ended().await;
                    shutdown.cancel();
                });
                self.living.lock()[slot] = Some((gate, orchestrator));
            }
            None => self.living.lock()[slot] = None,
        }
    }

    async fn keep_orchestrator(&self, slot: usize) {
        loop {
            let gate = self.living.lock()[slot].as_ref().map(|(gate, _)| gate.clone());
            if let Some(gate) = gate {
                tokio::select! {
                    biased;
                    () = self.over.cancelled() => return,
                    () = gate.ended() => {}
                }
            }
            self.living.lock()[slot] = None;
            tokio::time::sleep(Duration::from_millis(100 + self.chaos.below(1_500))).await;
            if self.over.is_cancelled() {
                return;
            }
            self.start_orchestrator(slot).await;
        }
    }

    async fn keep_worker(&self, slot: usize) {
        let catalogue = Arc::new(catalogue(&self.ledger, &self.chaos));
        let spool = Arc::new(MemorySpool::default());
        while !self.over.is_cancelled() {
            let gate = Arc::new(Gate::default());
            self.workers.lock()[slot] = gate.clone();
            let control = GatedControl { gate: gate.clone(), living: self.living.clone(), chaos: self.chaos.clone() };
            let mut settings = baton_worker::Settings::new(WORKERS[slot]);
            settings.slots = 4;
            (settings.drain_grace_ms, settings.cancel_grace_ms) = (300, 100);
            let shutdown = self.over.child_token();
            self.leaving.lock()[slot] = shutdown.clone();
            let parts = baton_worker::Parts {
                id: WorkerId(self.chaos.below(u64::MAX)),
                place: format!("worker-{slot}"),
                broker: Arc::new(self.broker.clone()),
                control: Arc::new(control),
                blobs: None,
                catalogue: catalogue.clone(),
                spool: spool.clone(),
                cpu: CpuPool::Inline,
                renewal: Renewal::Task,
                seed: self.chaos.below(u64::MAX),
                settings,
                status: Arc::new(Status::default()),
            };
            tokio::select! {
                biased;
                () = self.over.cancelled() => return,
                () = gate.ended() => {}
                _ = Worker::run(parts, shutdown) => {}
            }
            tokio::time::sleep(Duration::from_millis(50 + self.chaos.below(2_000))).await;
        }
    }

    /// Kills, empties queues, blocks the broker and takes the store back, until it is dropped.
    pub(super) async fn nemesis(&self) {
        let goes_back = self.chaos.below(3) == 0;
        let mut backup: Option<Snapshot> = None;
        loop {
            tokio::time::sleep(Duration::from_millis(300 + self.chaos.below(2_500))).await;
            if self.chaos.strikes("orchestrator killed", 150.0) {
                self.kill_orchestrator();
            }
            if self.chaos.strikes("worker killed", 150.0) {
                self.kill_worker();
            }
            if self.chaos.strikes("worker told to leave", 150.0) {
                let slot = usize::try_from(self.chaos.below(3)).unwrap_or(0);
                self.leaving.lock()[slot].cancel();
            }
            if self.chaos.strikes("garbage published", 60.0) {
                let (queue, id) = ("io.normal".to_owned(), "garbage".to_owned());
                let _ = self
                    .broker
                    .publish(vec![Message {
                        queue: queue.into(),
                        id,
                        body: b"{\"v\":1".to_vec().into(),
                        traceparent: None,
                    }])
                    .await;
            }
            if self.chaos.strikes("queue purged", 60.0) {
                self.broker.purge(["io.normal", "cpu.normal"][usize::try_from(self.chaos.below(2)).unwrap_or(0)]);
            }
            if self.chaos.strikes("broker blocked", 60.0) {
                self.broker.set_blocked(true);
                tokio::time::sleep(Duration::from_millis(self.chaos.below(4_000))).await;
                self.broker.set_blocked(false);
            }
            if !goes_back {
                continue;
            }
            if self.chaos.strikes("backup made", 250.0) {
                backup = Some(self.memory.snapshot());
            }
            if backup.is_some() && self.chaos.strikes("store restored from a backup", 80.0) {
                self.restore(backup.take());
            }
            if self.chaos.strikes("store lost its tail", 120.0) {
                self.lose_tail(1_000).await;
            }
            if self.chaos.strikes("stale replica promoted", 60.0) {
                self.lose_tail(10_000).await;
            }
        }
    }

    /// The store is restored from a backup: it restarts, and with it who holds its state.
    fn restore(&self, backup: Option<Snapshot>) {
        let Some(backup) = backup else { return };
        self.memory.roll_back(backup);
        self.checker.rolled_back();
        self.living.lock().iter().flatten().for_each(|(gate, _)| gate.die());
    }

    /// The store forgets its last moments, `ms` milliseconds at most: it crashed and read its
    /// log again, or a replica took its place. Nobody else notices: orchestrators go on with
    /// what they remember, workers with the jobs they hold, calls under way arrive later.
    async fn lose_tail(&self, ms: u64) {
        let earlier = self.memory.snapshot();
        tokio::time::sleep(Duration::from_millis(1 + self.chaos.below(ms))).await;
        self.memory.roll_back(earlier);
        self.checker.rolled_back();
    }

    fn kill_orchestrator(&self) {
        let slot = usize::try_from(self.chaos.below(2)).unwrap_or(0);
        if let Some((gate, _)) = &self.living.lock()[slot] {
            gate.die();
        }
    }

    fn kill_worker(&self) {
        let slot = usize::try_from(self.chaos.below(3)).unwrap_or(0);
        self.workers.lock()[slot].die();
    }

    /// Dead letters that nobody has read.
    pub(super) async fn dead_letters(&self) -> u64 {
        self.broker.depth(DEAD_QUEUE).await.ok().flatten().map_or(0, |depth| depth.ready)
    }

    /// Whether the store ever went back in this life.
    pub(super) fn was_rolled_back(&self) -> bool {
        self.checker.was_rolled_back()
    }

    /// Undoes what would last for ever.
    pub(super) async fn heal(&self) {
        self.broker.set_blocked(false);
        self.broker.set_faults(None);
    }

    /// Some orchestrator that lives.
    pub(super) fn orchestrator(&self) -> Option<Orchestrator> {
        let living = self.living.lock();
        living.iter().flatten().find(|(gate, _)| !gate.is_over()).map(|(_, orchestrator)| orchestrator.clone())
    }
}
