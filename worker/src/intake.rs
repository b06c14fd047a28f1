//! Taking messages, only with a free slot and only while the control plane answers.
//! Messages that cannot be read go to the dead letters, those of another cluster are
//! dropped, those for tools this worker lacks go back.

use std::sync::Arc;
use std::time::Duration;

use baton_broker::{Body, Broker, Consumer, Delivery, Error};
use baton_common::TraceContext;
use baton_common::ids::ClaimRequest;
use baton_common::job::{ENVELOPE_BYTES_MAX, Envelope};
use baton_telemetry::trace::{Kind, Span};
use baton_telemetry::{about, names};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::arrivals::Arrivals;
use crate::backoff::Backoff;
use crate::status::Status;
use crate::worker::Shared;

/// The only version of the envelope there is.
const ENVELOPE_VERSION: u32 = 1;

/// A message on its way to its claim, with the slot it will run on.
pub(crate) struct Pending {
    pub(crate) delivery: Box<dyn Delivery>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) request: ClaimRequest,
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) tries: u32,
    /// The time it waited, which its claim hangs below.
    pub(crate) trace: Option<TraceContext>,
    /// The claim under way.
    pub(crate) claim: Span,
}

/// The intake of one worker.
pub(crate) struct Intake {
    pub(crate) shared: Arc<Shared>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) cluster: String,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) arrivals: Arc<Arrivals>,
}

/// What became of a message that was read.
enum Read {
    Ours(Arc<Envelope>),
    Garbage(&'static str),
    Foreign,
    NoSuchTool(Arc<Envelope>),
}

impl Intake {
    /// Takes messages until `shutdown`.
    ///
    /// # Errors
    /// When the broker was closed by its owner.
    pub(crate) async fn run(self, shutdown: &CancellationToken) -> Result<(), Error> {
        let _end = self.arrivals.end_with();
        let mut returns = JoinSet::new();
        let settings = &self.shared.settings;
        let mut backoff = Backoff::new(&self.shared.dice, settings.backoff_ms, settings.backoff_ms_max);
        loop {
            let taken = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                taken = self.take_all(&mut returns, shutdown) => taken,
            };
            match taken {
                Ok(()) => break,
                Err(Error::Closed) => return Err(Error::Closed),
                Err(error) => tracing::warn!(%error, "broker does not deliver"),
            }
            if shutdown.run_until_cancelled(backoff.pause()).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn take_all(&self, returns: &mut JoinSet<()>, shutdown: &CancellationToken) -> Result<(), Error> {
        let settings = &self.shared.settings;
        let mut consumer = self.broker.consume(&settings.queues(), settings.prefetch()).await?;
        loop {
            let Some(slot) = self.slot(&mut *consumer, shutdown).await? else {
                return consumer.pause().await;
            };
            let delivery = tokio::select! {
                biased;
                () = shutdown.cancelled() => return consumer.pause().await,
                () = self.shared.reach.wait_down() => continue,
                delivery = consumer.next() => delivery?,
            };
            while returns.try_join_next().is_some() {}
            self.sort(delivery, slot, returns).await?;
        }
    }

    /// A free slot while the control plane answers; gives back what was prefetched when
    /// that takes long. `None` at the shutdown.
    async fn slot(
        &self,
        consumer: &mut dyn Consumer,
        shutdown: &CancellationToken,
    ) -> Result<Option<OwnedSemaphorePermit>, Error> {
        if !self.shared.reach.is_open() {
            consumer.pause().await?;
            if shutdown.run_until_cancelled(self.shared.reach.wait_open()).await.is_none() {
                return Ok(None);
            }
        }
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(Some(slot));
        }
        let patience = Duration::from_millis(self.shared.settings.full_pause_ms);
        let soon = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(None),
            soon = tokio::time::timeout(patience, self.slots.clone().acquire_owned()) => soon,
        };
        if let Ok(slot) = soon {
            return Ok(slot.ok());
        }
        consumer.pause().await?;
        let slot = shutdown.run_until_cancelled(self.slots.clone().acquire_owned()).await;
        Ok(slot.and_then(Result::ok))
    }

    async fn sort(
        &self,
        delivery: Box<dyn Delivery>,
        slot: OwnedSemaphorePermit,
        returns: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        match self.read(delivery.body()) {
            Read::Ours(envelope) => {
                let request = ClaimRequest(self.shared.dice.bits());
                let trace = waited(&*delivery, &envelope, self.broker.system());
                let claim = Span::none();
                self.arrivals.hand_over(Pending { delivery, envelope, request, slot, tries: 0, trace, claim });
                Ok(())
            }
            Read::Garbage(why) => {
                tracing::warn!(queue = delivery.queue(), bytes = delivery.body().len(), why, "message rejected");
                Status::add(&self.shared.status.rejected);
                answered(delivery.reject().await)
            }
            Read::Foreign => {
                tracing::warn!(queue = delivery.queue(), "message of another cluster dropped");
                Status::add(&self.shared.status.dropped);
                answered(delivery.ack().await)
            }
            Read::NoSuchTool(envelope) => {
                let Envelope { tool, tool_major, job, thread, .. } = &*envelope;
                let sent = TraceContext::read(delivery.traceparent());
                about::job(job, None, thread.as_ref(), sent)
                    .in_scope(|| tracing::warn!(tool, major = tool_major, "message for a tool this worker lacks"));
                let pause = Duration::from_millis(self.shared.settings.foreign_pause_ms);
                returns.spawn(async move {
                    tokio::time::sleep(pause).await;
                    let _ = delivery.give_back().await;
                });
                Ok(())
            }
        }
    }

    fn read(&self, body: &Body) -> Read {
        let envelope = match body.value::<Envelope>() {
            Some(envelope) => envelope,
            None if body.len() > ENVELOPE_BYTES_MAX => return Read::Garbage("longer than an envelope"),
            None => match serde_json::from_slice::<Envelope>(body) {
                Ok(envelope) => Arc::new(envelope),
                Err(_) => return Read::Garbage("no envelope"),
            },
        };
        if envelope.v != ENVELOPE_VERSION {
            return Read::Garbage("an envelope of another version");
        }
        if *envelope.cluster != *self.cluster {
            return Read::Foreign;
        }
        match self.shared.tool(&envelope.tool) {
            Some((spec, _)) if spec.major == envelope.tool_major => Read::Ours(envelope),
            _ => Read::NoSuchTool(envelope),
        }
    }
}

/// The time that a message waited: from its publication, as far as that is known, until now.
fn waited(delivery: &dyn Delivery, envelope: &Envelope, system: &'static str) -> Option<TraceContext> {
    // Publishers of an earlier version say it in the body.
    let sent = TraceContext::read(delivery.traceparent().or(envelope.traceparent.as_deref()));
    let span = Span::child(names::SPAN_WAIT, Kind::Consumer, sent).with(|span| {
        span.name(format!("{} {}", names::SPAN_WAIT, delivery.queue()))
            .set(names::MESSAGING_SYSTEM, system)
            .set(names::MESSAGING_DESTINATION, delivery.queue().to_owned())
            .set(names::MESSAGING_OPERATION, names::SPAN_WAIT)
            .set(names::MESSAGING_OPERATION_TYPE, "receive")
            .set(names::MESSAGING_MESSAGE_ID, envelope.job.to_string())
            .set(names::RUN_ID, envelope.job.run.to_string());
        if let Some(published) = envelope.published_at {
            span.since(published);
        }
    });
    span.context().or(sent)
}

/// An answer that does not reach the broker comes back as another delivery.
fn answered(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(Error::Closed) => Err(Error::Closed),
        _ => Ok(()),
    }
}
