//! Reads the dead letters. A dead letter only changes the state of its task, which the
//! sweeper then publishes again: nothing is published here, so nothing can go in circles.

use std::sync::Arc;

use baton_broker::{Delivery, beside};
use baton_common::TraceContext;
use baton_common::job::Envelope;
use baton_common::transition::{Op, Republish};
use baton_telemetry::metrics;
use tokio::time::{Duration, sleep};

use crate::about;
use crate::orchestrator::Inner;

/// Pause before the dead letters are asked for again, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// Reads dead letters until the orchestrator stops.
pub(crate) async fn read_dead_letters(inner: Arc<Inner>) {
    loop {
        tokio::select! {
            biased;
            () = inner.shutdown.cancelled() => return,
            () = read_some(&inner) => {}
        }
        tokio::select! {
            biased;
            () = inner.shutdown.cancelled() => return,
            () = sleep(Duration::from_millis(inner.jittered(PAUSE_MS))) => {}
        }
    }
}

/// Until the consumer breaks.
async fn read_some(inner: &Inner) {
    let mut consumer = match inner.broker.consume_dead().await {
        Ok(consumer) => consumer,
        Err(error) => {
            tracing::debug!(%error, "dead letters not read");
            return;
        }
    };
    while let Ok(letter) = consumer.next().await {
        if let Err(error) = read(inner, letter).await {
            tracing::debug!(%error, "dead letter given back");
        }
    }
}

async fn read(inner: &Inner, letter: Box<dyn Delivery>) -> Result<(), baton_broker::Error> {
    let metrics = metrics::orchestrator();
    metrics.dead_letters.of(&[beside(letter.origin())]).inc();
    let Ok(envelope) = serde_json::from_slice::<Envelope>(letter.body()) else {
        tracing::warn!(queue = letter.queue(), bytes = letter.body().len(), "dead letter does not read");
        return letter.ack().await;
    };
    if envelope.cluster != inner.cluster {
        return letter.ack().await;
    }
    let (job, seq) = (envelope.job, envelope.dispatch_seq);
    let trace = TraceContext::read(letter.traceparent().or(envelope.traceparent.as_deref()));
    let about = about::of_attempt(inner, &job, (None, envelope.thread.as_ref()), trace);
    about.in_scope(|| tracing::warn!("dead letter"));
    let partition = job.run.partition;
    match inner.change_op(Op::Republish(Republish { job, seq })).await {
        Ok(again) => {
            if again {
                metrics.republications.of(&["dead_letter"]).inc();
            }
            inner.nudge_now(partition);
            letter.ack().await
        }
        Err(error) => {
            about.in_scope(|| tracing::debug!(%error, "dead letter left for later"));
            sleep(Duration::from_millis(inner.jittered(PAUSE_MS))).await;
            letter.give_back().await
        }
    }
}
