//! A worker, from its announcement to its leaving. It owns every task it starts: when its
//! future is dropped, nothing of it goes on, as after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use baton_blobs::BlobStore;
use baton_broker::Broker;
use baton_common::WorkerId;
use baton_common::pace::Pace;
use baton_common::tool::{QueueClass, ToolSpec};
use baton_control::{Announcement, ControlPlane, Welcome};
use baton_tools::{Catalogue, Tool};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::again::at_once;
use crate::announce::Announcer;
use crate::arrivals::Arrivals;
use crate::backoff::Dice;
use crate::claim::Claimer;
use crate::held::Held;
use crate::intake::Intake;
use crate::lease::{self, Renewal, Renewer};
use crate::reach::Reach;
use crate::resume;
use crate::settings::Settings;
use crate::spool::Spool;
use crate::status::Status;
use crate::transfer::Ways;

/// Where cpu tools run.
#[derive(Clone)]
pub enum CpuPool {
    /// On these threads; `slots` should equal their number.
    Rayon(Arc<rayon::ThreadPool>),
    /// On the worker's own task: for simulators, whose time would run away from threads.
    /// A tool that blocks on the runtime panics here, which fails its job alone.
    Inline,
}

/// What a worker is made of.
#[derive(Clone)]
pub struct Parts {
    /// This process; a new one after each start.
    pub id: WorkerId,
    /// Host and process id, for people.
    pub place: String,
    /// Hints of jobs come from here.
    pub broker: Arc<dyn Broker>,
    /// Claims, renewals and results go there.
    pub control: Arc<dyn ControlPlane>,
    /// The blob store, where the worker reaches it itself.
    pub blobs: Option<Arc<dyn BlobStore>>,
    /// Tools; those of another class are left out.
    pub catalogue: Arc<Catalogue>,
    /// Results wait here while nobody answers.
    pub spool: Arc<dyn Spool>,
    /// Where cpu tools run.
    pub cpu: CpuPool,
    /// Where leases are renewed.
    pub renewal: Renewal,
    /// The seed of jitter and claim requests: random in real processes.
    pub seed: u64,
    /// Timings and bounds.
    pub settings: Settings,
    /// Kept up to date for whoever watches.
    pub status: Arc<Status>,
}

/// Why a worker ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane does not take this worker.
    #[error("this worker is not admitted")]
    Refused(#[source] baton_control::Error),
    /// The broker was closed by its owner.
    #[error("the broker is closed")]
    Broker(#[source] baton_broker::Error),
    /// The thread that renews leases could not be started.
    #[error("the lease thread did not start")]
    Thread(#[source] std::io::Error),
}

/// What the tasks of a worker share.
pub(crate) struct Shared {
    pub(crate) id: WorkerId,
    pub(crate) control: Arc<dyn ControlPlane>,
    pub(crate) ways: Arc<Ways>,
    pub(crate) catalogue: Arc<Catalogue>,
    /// How quick the jobs of each io tool have been.
    pub(crate) paces: BTreeMap<String, Arc<Pace>>,
    pub(crate) spool: Arc<dyn Spool>,
    pub(crate) spooled: Notify,
    pub(crate) cpu: CpuPool,
    pub(crate) settings: Arc<Settings>,
    pub(crate) status: Arc<Status>,
    pub(crate) held: Held,
    pub(crate) reach: Reach,
    pub(crate) dice: Arc<Dice>,
}

impl Shared {
    /// The tool of that name, if this worker's class runs it.
    pub(crate) fn tool(&self, name: &str) -> Option<(&ToolSpec, &Tool)> {
        let spec = self.catalogue.spec(name).filter(|spec| spec.class == self.settings.class)?;
        Some((spec, self.catalogue.get(name)?))
    }
}

/// The worker.
pub struct Worker;

impl Worker {
    /// Works until `shutdown`, then takes no more, lets jobs finish within the grace and
    /// leaves.
    ///
    /// # Errors
    /// When the worker is not admitted, its broker was closed, or a thread did not start.
    pub async fn run(parts: Parts, shutdown: CancellationToken) -> Result<(), Error> {
        let dice = Arc::new(Dice::new(parts.seed));
        let settings = Arc::new(parts.settings.clone());
        let io_tools = parts.catalogue.specs().into_iter().filter(|spec| spec.class == QueueClass::Io);
        let shared = Arc::new(Shared {
            id: parts.id,
            control: parts.control.clone(),
            ways: Arc::new(Ways::new(parts.blobs.clone())),
            catalogue: parts.catalogue.clone(),
            paces: io_tools.map(|spec| (spec.name.clone(), Arc::default())).collect(),
            spool: parts.spool.clone(),
            spooled: Notify::new(),
            cpu: parts.cpu.clone(),
            settings,
            status: parts.status.clone(),
            held: Held::default(),
            reach: Reach::new(),
            dice,
        });
        let announcer = announcer(&parts, &shared);
        let Some(welcome) = announcer.first(&shutdown).await.map_err(Error::Refused)? else { return Ok(()) };
        let mut services = JoinSet::new();
        services.spawn(announcer.repeat(welcome.announce_ms));
        services.spawn(resume::offer_spooled(shared.clone()));
        let renewer = renewer(&shared, &welcome);
        let _leases =
            lease::start(&parts.renewal, renewer, parts.control.clone(), &mut services).map_err(Error::Thread)?;
        parts.status.ready.store(true, Ordering::Relaxed);
        tracing::info!(worker = %parts.id, class = parts.settings.class.name(), slots = parts.settings.slots, "worker ready");
        let outcome = work(&parts, &shared, welcome, &shutdown).await;
        parts.status.ready.store(false, Ordering::Relaxed);
        outcome
    }
}

/// Intake and claimer side by side, in this order: what the intake hands over, the claimer
/// sees in the same turn. It ends after the intake, with the jobs.
async fn work(
    parts: &Parts,
    shared: &Arc<Shared>,
    welcome: Welcome,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let arrivals = Arc::new(Arrivals::default());
    let lease_ms = welcome.lease_ms;
    let intake = Intake {
        shared: shared.clone(),
        broker: parts.broker.clone(),
        cluster: welcome.cluster,
        slots: Arc::new(Semaphore::new(parts.settings.slots)),
        arrivals: arrivals.clone(),
    };
    let claimer = Claimer { shared: shared.clone(), arrivals, lease_ms };
    // A broker that was closed ends the intake, and with it the arrivals and the claimer.
    let both = async { tokio::join!(biased; intake.run(shutdown), claimer.run(shutdown)) };
    let (taken, ()) = at_once(both).await;
    taken.map_err(Error::Broker)
}

fn announcer(parts: &Parts, shared: &Arc<Shared>) -> Announcer {
    let specs = parts.catalogue.specs();
    let tools = specs.into_iter().filter(|spec| spec.class == parts.settings.class).collect();
    let announcement = Announcement {
        worker: parts.id,
        class: parts.settings.class,
        slots: u32::try_from(parts.settings.slots).unwrap_or(u32::MAX),
        tools,
        place: parts.place.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        queues: parts.settings.queues().into_iter().filter(|queue| baton_broker::beside(queue) == queue).collect(),
        held: BTreeMap::new(),
    };
    Announcer {
        control: parts.control.clone(),
        announcement,
        held: shared.held.clone(),
        reach: shared.reach.clone(),
        dice: shared.dice.clone(),
        settings: shared.settings.clone(),
    }
}

fn renewer(shared: &Arc<Shared>, welcome: &Welcome) -> Renewer {
    Renewer {
        worker: shared.id,
        held: shared.held.clone(),
        reach: shared.reach.clone(),
        dice: shared.dice.clone(),
        status: shared.status.clone(),
        lease_ms: welcome.lease_ms,
        call_timeout_ms: shared.settings.call_timeout_ms,
    }
}
