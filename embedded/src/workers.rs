//! The workers of an embedded cluster: the same loop as in a cluster, over the direct handle.

use std::sync::Arc;

use baton_broker::Broker;
use baton_common::WorkerId;
use baton_common::tool::QueueClass;
use baton_control::ControlPlane;
use baton_orchestrator::Orchestrator;
use baton_tools::Catalogue;
use baton_worker::{CpuPool, Parts, Renewal, Settings, Status, Worker};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Options, wiring};

/// The workers under way.
pub(crate) struct Workers {
    options: Options,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Workers {
    pub(crate) fn new(options: &Options) -> Self {
        Self { options: options.clone(), stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    pub(crate) fn start(
        &mut self,
        id: WorkerId,
        class: QueueClass,
        orchestrator: &Orchestrator,
        broker: &Arc<dyn Broker>,
        catalogue: &Arc<Catalogue>,
    ) -> anyhow::Result<()> {
        let control: Arc<dyn ControlPlane> = Arc::new(orchestrator.clone());
        let direct = control.clone();
        let slots = match class {
            QueueClass::Io => self.options.io_slots,
            QueueClass::Cpu => self.options.cpu_slots,
        };
        let settings = Settings {
            slots: slots.max(1),
            drain_grace_ms: self.options.grace_ms,
            scratch: self.options.data_dir.clone(),
            ..Settings::new(class)
        };
        let parts = Parts {
            id,
            place: format!("pid {}", std::process::id()),
            broker: broker.clone(),
            control,
            blobs: Some(orchestrator.blobs().clone()),
            catalogue: catalogue.clone(),
            spool: wiring::spool(&self.options, class.name())?,
            cpu: match class {
                QueueClass::Io => CpuPool::Inline,
                QueueClass::Cpu => baton_worker::wiring::cpu_pool(settings.slots, settings.cpu_nice)?,
            },
            renewal: Renewal::Thread(Arc::new(move || direct.clone())),
            seed: id.0,
            settings,
            status: Arc::new(Status::default()),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            if let Err(error) = Worker::run(parts, stop).await {
                tracing::error!(class = class.name(), error = %error, "worker ended by itself");
            }
        });
        Ok(())
    }

    /// Lets jobs finish within the worker's own grace.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends them as a crash does.
    pub(crate) fn abort(&mut self) {
        self.tasks.abort_all();
    }
}
