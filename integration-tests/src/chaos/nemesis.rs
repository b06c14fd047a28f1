//! The nemesis: draws faults from a seed, makes them, and undoes them after a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use baton_common::failpoint;
use baton_testbed::{Proxy, Way};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use super::aof::AofWatch;
use super::bed::{Bed, Node};
use super::clock::now_ms;
use super::fault::{Between, DRAWN, Fault, Strike};
use super::history::{Forgotten, History};
use super::skew;

/// Pauses between two faults, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 250..1_200;

/// Kills per second that are made whatever else is drawn. Faults of a slow machine take so long that
/// there are few, and kills are what a drill is for.
const KILLS_PER_SECOND: f64 = 0.4;

/// What is to be undone later.
enum Undo {
    Start(usize),
    Thaw(usize),
    ThawStore,
    ThawBroker,
    Open(usize, Between),
    EndAlarm,
    FreeDisk,
    FreeMemory,
}

/// Strikes a bed.
pub struct Nemesis<'a> {
    /// The bed it strikes.
    pub bed: &'a mut Bed,
    /// What it did.
    pub strikes: Vec<Strike>,
    history: Arc<History>,
    rng: StdRng,
    aof: AofWatch,
    pending: Vec<(Instant, Undo)>,
    /// Whether a process may die by itself, by place.
    armed: Vec<bool>,
}

impl<'a> Nemesis<'a> {
    /// One that has done nothing yet.
    ///
    /// # Errors
    /// When the store's log cannot be watched.
    pub fn new(bed: &'a mut Bed, history: Arc<History>, seed: u64) -> anyhow::Result<Self> {
        let aof = AofWatch::start(bed.redis.folder())?;
        let armed = vec![false; bed.orchestrators.len() + bed.workers.len()];
        let rng = StdRng::seed_from_u64(seed);
        Ok(Self { bed, strikes: Vec::new(), history, rng, aof, pending: Vec::new(), armed })
    }

    /// Strikes until it is over, and then undoes everything.
    ///
    /// # Errors
    /// When a server or a process does not come back.
    pub async fn rage(&mut self, over: CancellationToken) -> anyhow::Result<()> {
        let (began, mut next) = (Instant::now(), Instant::now());
        while !over.is_cancelled() {
            self.look_after()?;
            if Instant::now() >= next {
                let kills = self.strikes.iter().filter(|strike| strike.fault.kills().is_some()).count();
                let behind = (kills as f64) < began.elapsed().as_secs_f64() * KILLS_PER_SECOND;
                if let Some(fault) = self.draw(|fault| !behind || fault.kills().is_some()) {
                    self.strike(fault)?;
                }
                next = Instant::now() + Duration::from_millis(self.rng.random_range(PAUSE_MS));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.heal()
    }

    /// One of the faults that fit, each as often as it says.
    fn draw(&mut self, fits: impl Fn(Fault) -> bool) -> Option<Fault> {
        let fitting = || DRAWN.iter().filter(|(fault, _)| fits(*fault));
        let mut drawn = self.rng.random_range(0..fitting().map(|(_, weight)| weight).sum::<u32>());
        let found = fitting().find(|(_, weight)| {
            let hit = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            hit
        });
        found.map(|(fault, _)| *fault)
    }

    /// Strikes no more, but looks after what it did for so long.
    ///
    /// # Errors
    /// When a server or a process does not come back.
    pub async fn tend(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.look_after()?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts a process anew with a plan to fail: `after_record:crash`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn arm(&mut self, place: usize, plan: &str) -> anyhow::Result<()> {
        let (now, node) = (now_ms(), self.node(place));
        node.process.kill();
        node.process.env(failpoint::VARIABLE, plan);
        node.process.start()?;
        let name = node.process.name.clone();
        self.armed[place] = plan.contains(":crash");
        self.note(Fault::Point, format!("{name}: {plan}"), now, now);
        Ok(())
    }

    /// Stops a process for so long.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn stop(&mut self, place: usize, time: Duration) -> anyhow::Result<()> {
        let at_ms = now_ms();
        self.node(place).process.freeze()?;
        self.tend(time).await?;
        self.node(place).process.thaw()?;
        let (name, is_worker) = (self.node(place).process.name.clone(), place >= self.bed.orchestrators.len());
        let fault = if is_worker { Fault::StopWorker } else { Fault::StopOrchestrator };
        self.note(fault, name, at_ms, now_ms());
        Ok(())
    }

    /// Remembers a fault that somebody else made.
    pub fn made(&mut self, fault: Fault, target: &str, at_ms: i64) {
        self.note(fault, target, at_ms, now_ms());
    }

    /// Undoes what is due, and starts what ended at a point it was told to end at.
    fn look_after(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        while let Some(place) = self.pending.iter().position(|(at, _)| *at <= now) {
            let (_, undo) = self.pending.swap_remove(place);
            self.undo(undo)?;
        }
        for place in 0..self.armed.len() {
            let starts = self.pending.iter().any(|(_, undo)| matches!(undo, Undo::Start(at) if *at == place));
            let armed = self.armed[place];
            let node = self.node(place);
            if starts || node.process.is_running() {
                continue;
            }
            let (name, words, code) = (node.process.name.clone(), node.process.last_words(), node.process.code());
            // Who finds no store at its start says so and ends, and is started again.
            if !armed && code != Some(1) {
                self.history.violation(format!("{name} ended by itself with {code:?}: {words}"));
            }
            self.kill(place);
        }
        Ok(())
    }

    fn node(&mut self, place: usize) -> &mut Node {
        let orchestrators = self.bed.orchestrators.len();
        match place.checked_sub(orchestrators) {
            None => &mut self.bed.orchestrators[place],
            Some(worker) => &mut self.bed.workers[worker],
        }
    }

    /// Some place whose process runs and is not frozen.
    fn place(&mut self, fits: impl Fn(&str) -> bool) -> Option<usize> {
        let busy = |undo: &Undo, place| matches!(undo, Undo::Start(at) | Undo::Thaw(at) if *at == place);
        let mut places = Vec::new();
        for place in 0..self.armed.len() {
            let taken = self.pending.iter().any(|(_, undo)| busy(undo, place));
            let node = self.node(place);
            if !taken && fits(&node.process.name) && node.process.is_running() {
                places.push(place);
            }
        }
        let pick = self.rng.random_range(0..places.len().max(1));
        places.get(pick).copied()
    }

    fn later(&mut self, ms: std::ops::Range<u64>, undo: Undo) -> i64 {
        let ms = self.rng.random_range(ms);
        self.pending.push((Instant::now() + Duration::from_millis(ms), undo));
        i64::try_from(ms).unwrap_or(0)
    }

    fn note(&mut self, fault: Fault, target: impl Into<String>, at_ms: i64, until_ms: i64) {
        self.strikes.push(Strike { fault, target: target.into(), at_ms, until_ms });
    }

    /// Makes one fault, where there is somebody left to strike.
    ///
    /// # Errors
    /// When a server does not come back.
    pub fn strike(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::KillOrchestrator => self.kill_some(fault, "orchestrator", false),
            Fault::KillIoWorker => self.kill_some(fault, "worker-io", false),
            Fault::KillCpuWorker => self.kill_some(fault, "worker-cpu", false),
            Fault::Point => self.kill_some(fault, "", true),
            Fault::Promote => anyhow::bail!("a promotion is made by its scenario"),
            Fault::Skew => return self.skew_some(),
            Fault::FullDisk | Fault::FullMemory => return self.fill(fault),
            Fault::KillStore | Fault::CutLog => return self.kill_store(fault),
            Fault::KillBroker => return self.kill_broker(),
            Fault::StopOrchestrator => self.freeze(fault, "orchestrator")?,
            Fault::StopWorker => self.freeze(fault, "worker")?,
            Fault::StopStore | Fault::StopBroker => return self.freeze_server(fault),
            Fault::Cut(between) => self.disturb(fault, between, 0..1, Proxy::cut),
            Fault::HalfOpen(between) => self.disturb(fault, between, 0..1, Proxy::silence),
            Fault::Slow(between) => {
                let late = Way::Slow(Duration::from_millis(self.rng.random_range(20..300)));
                self.disturb(fault, between, 500..3_000, |proxy| proxy.set(late));
            }
            Fault::Silent(between) => self.disturb(fault, between, 500..4_000, |proxy| proxy.set(Way::Silent)),
            Fault::Unanswered(between) => self.disturb(fault, between, 300..3_000, |proxy| proxy.set(Way::Unanswered)),
            Fault::Purge | Fault::Delete | Fault::Unbind | Fault::Alarm | Fault::DiskAlarm => {
                self.strike_queues(fault);
            }
        }
        Ok(())
    }

    fn kill_some(&mut self, fault: Fault, kind: &str, arm: bool) {
        let Some(place) = self.place(|name| name.starts_with(kind)) else { return };
        let (now, name) = (now_ms(), self.node(place).process.name.clone());
        self.kill(place);
        if arm {
            let plan = self.plan(name.starts_with("orchestrator"));
            let point = plan.split(':').next().unwrap_or_default().to_owned();
            self.node(place).process.env(failpoint::VARIABLE, &plan);
            self.armed[place] = plan.contains(":crash");
            self.note(fault, format!("{name} at {point}"), now, now);
            return;
        }
        self.note(fault, name, now, now);
    }

    /// Kills a process and lets it come back after a while, without any plan to fail.
    fn kill(&mut self, place: usize) {
        self.armed[place] = false;
        let node = self.node(place);
        node.process.kill();
        node.process.unset(failpoint::VARIABLE);
        skew::unset(&mut node.process);
        self.later(50..800, Undo::Start(place));
    }

    fn skew_some(&mut self) -> anyhow::Result<()> {
        let Some(place) = self.place(|name| name.starts_with("orchestrator")) else { return Ok(()) };
        let (now, name) = (now_ms(), self.node(place).process.name.clone());
        self.kill(place);
        let seconds = if self.rng.random_range(0..2) == 0 { skew::SECONDS } else { -skew::SECONDS };
        skew::set(&mut self.node(place).process, seconds)?;
        self.note(Fault::Skew, name, now, now);
        Ok(())
    }

    /// Where the store stands still, nothing is done.
    fn fill(&mut self, fault: Fault) -> anyhow::Result<()> {
        if self.pending.iter().any(|(_, undo)| matches!(undo, Undo::ThawStore)) {
            return Ok(());
        }
        let (at_ms, redis) = (now_ms(), &self.bed.redis);
        let undo = match fault {
            Fault::FullDisk => block_in_place(|| redis.fill_disk()).map(|()| Undo::FreeDisk)?,
            _ => block_in_place(|| redis.fill_memory()).map(|()| Undo::FreeMemory)?,
        };
        let ms = self.later(500..2_500, undo);
        self.note(fault, "store", at_ms, at_ms + ms);
        Ok(())
    }

    /// A store that dies must have written what it acknowledged, but for what is cut off.
    fn free_disk(&mut self) -> anyhow::Result<()> {
        match self.pending.iter().position(|(_, undo)| matches!(undo, Undo::FreeDisk)) {
            Some(place) => {
                let (_, undo) = self.pending.swap_remove(place);
                self.undo(undo)
            }
            None => Ok(()),
        }
    }

    /// What a process is told to do at a point.
    fn plan(&mut self, orchestrator: bool) -> String {
        let points: Vec<&str> = match orchestrator {
            true => failpoint::ORCHESTRATOR.into_iter().chain(failpoint::CALLS).collect(),
            false => failpoint::WORKER.to_vec(),
        };
        let point = points[self.rng.random_range(0..points.len())];
        match self.rng.random_range(0..10) {
            0 => format!("{point}:pause:{}:3", self.rng.random_range(200..2_500)),
            // A job that is told to fail before it runs fails by right.
            1 if point != "before_run" => format!("{point}:error:{}", self.rng.random_range(1..20)),
            2 | 3 => format!("{point}:dup:{}", self.rng.random_range(1..50)),
            _ => format!("{point}:crash:{}", self.rng.random_range(1..40)),
        }
    }

    fn kill_store(&mut self, fault: Fault) -> anyhow::Result<()> {
        self.free_disk()?;
        let at_ms = now_ms();
        let cut = (fault == Fault::CutLog).then(|| self.rng.random_range(50..1_000));
        let down = Duration::from_millis(self.rng.random_range(20..600));
        let kept = cut.and_then(|ms| self.aof.length_before(ms));
        let ragged = self.rng.random_range(0..40);
        block_in_place(|| -> anyhow::Result<()> {
            self.end_store()?;
            if let Some(length) = kept {
                let length = length.saturating_sub(ragged);
                self.bed.redis.cut_aof_to(length)?;
                if let Some(from_ms) = self.aof.holds_until(length) {
                    self.history.forgot(Forgotten { from_ms, to_ms: now_ms() });
                }
            }
            std::thread::sleep(down);
            self.bed.redis.restart().context("the store does not come back")
        })?;
        self.note(fault, "store", at_ms, now_ms());
        Ok(())
    }

    /// Kills the store, and says what it may have forgotten with that.
    ///
    /// # Errors
    /// When it has no log.
    pub(super) fn end_store(&mut self) -> anyhow::Result<()> {
        self.bed.redis.kill();
        let killed_ms = now_ms();
        if self.bed.redis.may_write_late()
            && let Some(from_ms) = self.aof.holds_until(self.bed.redis.aof_len()?)
        {
            self.history.forgot(Forgotten { from_ms, to_ms: killed_ms });
        }
        Ok(())
    }

    fn kill_broker(&mut self) -> anyhow::Result<()> {
        let at_ms = now_ms();
        block_in_place(|| self.bed.rabbit.restart()).context("the broker does not come back")?;
        self.note(Fault::KillBroker, "broker", at_ms, now_ms());
        Ok(())
    }

    fn freeze(&mut self, fault: Fault, kind: &str) -> anyhow::Result<()> {
        let Some(place) = self.place(|name| name.starts_with(kind)) else { return Ok(()) };
        let (at_ms, name) = (now_ms(), self.node(place).process.name.clone());
        self.node(place).process.freeze()?;
        let ms = self.later(300..6_000, Undo::Thaw(place));
        self.note(fault, name, at_ms, at_ms + ms);
        Ok(())
    }

    fn freeze_server(&mut self, fault: Fault) -> anyhow::Result<()> {
        let at_ms = now_ms();
        let (undo, target) = match fault {
            Fault::StopStore => {
                self.bed.redis.freeze()?;
                (Undo::ThawStore, "store")
            }
            _ => {
                self.bed.rabbit.freeze()?;
                (Undo::ThawBroker, "broker")
            }
        };
        let ms = self.later(300..2_500, undo);
        self.note(fault, target, at_ms, at_ms + ms);
        Ok(())
    }

    fn disturb(&mut self, fault: Fault, between: Between, ms: std::ops::Range<u64>, with: impl FnOnce(&Proxy)) {
        let kind = if between == Between::Broker { "" } else { "orchestrator" };
        let Some(place) = self.place(|name| name.starts_with(kind)) else { return };
        let (at_ms, name) = (now_ms(), self.node(place).process.name.clone());
        if let Some(proxy) = way(self.node(place), between) {
            with(proxy);
        }
        let lasts = if ms.end > 1 { self.later(ms, Undo::Open(place, between)) } else { 0 };
        self.note(fault, name, at_ms, at_ms + lasts);
    }

    /// What is done to queues may find none: then it is not done.
    fn strike_queues(&mut self, fault: Fault) {
        let at_ms = now_ms();
        let queue = ["io.normal", "io.normal", "cpu.normal"][self.rng.random_range(0..3)];
        let (rabbit, vhost) = (&self.bed.rabbit, &self.bed.vhost);
        let done = block_in_place(|| match fault {
            Fault::Purge => rabbit.purge(vhost, queue),
            Fault::Delete => rabbit.delete(vhost, queue),
            Fault::Unbind => rabbit.unbind(vhost, "baton.jobs", queue),
            Fault::DiskAlarm => rabbit.disk_alarm(true),
            _ => rabbit.alarm(true),
        });
        if done.is_err() {
            return;
        }
        let is_alarm = matches!(fault, Fault::Alarm | Fault::DiskAlarm);
        let lasts = if is_alarm { self.later(500..3_000, Undo::EndAlarm) } else { 0 };
        self.note(fault, queue, at_ms, now_ms() + lasts);
    }

    fn undo(&mut self, undo: Undo) -> anyhow::Result<()> {
        match undo {
            Undo::Start(place) => self.node(place).process.start()?,
            Undo::Thaw(place) => {
                // It may have been killed meanwhile.
                let _ = self.node(place).process.thaw();
            }
            Undo::ThawStore => {
                let _ = self.bed.redis.thaw();
            }
            Undo::ThawBroker => {
                let _ = self.bed.rabbit.thaw();
            }
            Undo::Open(place, between) => {
                if let Some(proxy) = way(self.node(place), between) {
                    proxy.set(Way::Open);
                }
            }
            Undo::EndAlarm => block_in_place(|| {
                // Who stands still hears nothing.
                let _ = self.bed.rabbit.thaw();
                self.bed.rabbit.alarm(false)?;
                self.bed.rabbit.disk_alarm(false)
            })?,
            Undo::FreeMemory => block_in_place(|| {
                let _ = self.bed.redis.thaw();
                self.bed.redis.free_memory()
            })?,
            Undo::FreeDisk => block_in_place(|| {
                // Who stands still cannot say that it writes again.
                let _ = self.bed.redis.thaw();
                self.bed.redis.free_disk()
            })?,
        }
        Ok(())
    }

    /// Undoes everything; half-open connections stay as they are.
    ///
    /// # Errors
    /// When something does not come back.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        for (_, undo) in std::mem::take(&mut self.pending) {
            self.undo(undo)?;
        }
        for place in 0..self.armed.len() {
            let armed = self.armed[place];
            let node = self.node(place);
            node.process.unset(failpoint::VARIABLE);
            skew::unset(&mut node.process);
            if armed {
                node.process.kill();
            }
            node.process.start()?;
            self.armed[place] = false;
        }
        self.bed.proxies().for_each(|proxy| proxy.set(Way::Open));
        Ok(())
    }
}

fn way(node: &Node, between: Between) -> Option<&Proxy> {
    match between {
        Between::Store => node.store.as_ref(),
        Between::Broker => Some(&node.broker),
        Between::Calls => node.calls.as_ref(),
    }
}
