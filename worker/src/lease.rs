//! Renewing leases in batches, at a third of their length. In real processes on a thread
//! with a runtime and a connection of its own, so that neither a busy io runtime nor cpu
//! jobs can hold it up; in a simulator as a plain task.

use std::sync::Arc;
use std::time::Duration;

use baton_common::WorkerId;
use baton_common::job::RenewAnswer;
use baton_control::{ControlPlane, Error, Hold};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backoff::{Backoff, Dice};
use crate::held::{Held, HeldJob, Stop};
use crate::reach::Reach;
use crate::status::Status;

/// Leases in one call.
const BATCH_MAX: usize = 500;

/// Opens a connection for the lease thread, within that thread's runtime.
pub type Connect = Arc<dyn Fn() -> Arc<dyn ControlPlane> + Send + Sync>;

/// Where leases are renewed.
#[derive(Clone)]
pub enum Renewal {
    /// On the worker's own runtime, over its connection: for simulators and tests.
    Task,
    /// On a thread of its own, over a connection of its own.
    Thread(Connect),
}

/// What renewing needs.
#[derive(Clone)]
pub(crate) struct Renewer {
    pub(crate) worker: WorkerId,
    pub(crate) held: Held,
    pub(crate) reach: Reach,
    pub(crate) dice: Arc<Dice>,
    pub(crate) status: Arc<Status>,
    pub(crate) lease_ms: u64,
    pub(crate) call_timeout_ms: u64,
}

/// Starts renewing; it ends when what is returned is dropped, or with the tasks.
pub(crate) fn start(
    renewal: &Renewal,
    renewer: Renewer,
    control: Arc<dyn ControlPlane>,
    tasks: &mut JoinSet<()>,
) -> std::io::Result<DropGuard> {
    let end = CancellationToken::new();
    let until = end.clone();
    match renewal {
        Renewal::Task => {
            tasks.spawn(async move { renewer.run(control, &until).await });
        }
        Renewal::Thread(connect) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let connect = connect.clone();
            let work = move || runtime.block_on(async { renewer.run(connect(), &until).await });
            std::thread::Builder::new().name("baton-lease".to_owned()).spawn(work)?;
        }
    }
    Ok(end.drop_guard())
}

impl Renewer {
    /// Renews until `end`. No error ends it.
    async fn run(self, control: Arc<dyn ControlPlane>, end: &CancellationToken) {
        let every = Duration::from_millis((self.lease_ms / 3).max(1));
        let mut backoff = Backoff::new(&self.dice, self.lease_ms / 30, self.lease_ms / 6);
        let mut pause = every;
        while end.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let Some(outcome) = end.run_until_cancelled(self.renew_all(&*control)).await else { return };
            pause = match outcome {
                Ok(()) => {
                    backoff.reset();
                    every
                }
                Err(error) => {
                    self.reach.down(&error);
                    backoff.next()
                }
            };
        }
    }

    async fn renew_all(&self, control: &dyn ControlPlane) -> Result<(), Error> {
        for batch in self.held.to_renew().chunks(BATCH_MAX) {
            let holds: Vec<Hold> = batch.iter().map(|job| job.hold.clone()).collect();
            let call = control.renew(self.worker, holds);
            let limit = Duration::from_millis(self.call_timeout_ms.min(self.lease_ms / 3).max(1));
            let late = |_| Error::Unavailable("no answer to a renewal".to_owned());
            let answers = tokio::time::timeout(limit, call).await.map_err(late)??;
            self.reach.up();
            for (job, answer) in batch.iter().zip(answers) {
                self.settle(job, answer);
            }
        }
        Ok(())
    }

    fn settle(&self, job: &HeldJob, answer: RenewAnswer) {
        let reason = match answer {
            RenewAnswer::Held(_) => return,
            RenewAnswer::Lost => Stop::Lost,
            RenewAnswer::Cancel => Stop::Cancelled,
        };
        if job.stop(reason) {
            if reason == Stop::Lost {
                Status::add(&self.status.lost);
            }
            let fence = job.hold.fence.0;
            job.about.in_scope(|| tracing::info!(fence, ?reason, "job told to stop"));
        }
    }
}
