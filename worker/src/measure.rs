//! Serving what a worker measures: on a port of its own, which nothing else is served on. What
//! happens is counted where it happens; what stands is told when somebody scrapes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use baton_telemetry::metrics;
use tokio::net::TcpListener;

use crate::worker::Parts;

/// The listener at that address. Where nobody named it and it is taken, as by another worker
/// of this machine, there is none.
///
/// # Errors
/// When somebody named it and it cannot be had.
pub(crate) async fn listen(address: Option<(SocketAddr, bool)>) -> anyhow::Result<Option<TcpListener>> {
    let Some((address, said)) = address else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if said => Err(error).with_context(|| format!("BATON_METRICS_ADDR {address} cannot be listened on")),
        Err(error) => {
            tracing::warn!(%address, %error, "metrics not served");
            Ok(None)
        }
    }
}

/// Serves the metrics of the worker made of these parts for as long as it is polled.
pub(crate) fn serve(listener: TcpListener, parts: &Parts) -> impl Future<Output = ()> + Send + use<> {
    let (class, slots) = (parts.settings.class.name(), parts.settings.slots);
    let (status, spool) = (parts.status.clone(), parts.spool.clone());
    metrics::serve(listener, move || {
        let (status, spool) = (status.clone(), Arc::clone(&spool));
        async move {
            let told = metrics::worker();
            let running = status.counts().running;
            told.slots.set(&[class], slots as u64);
            told.slots_used.set(&[class], running);
            told.spooled.set(&[], spool.keys().await.len() as u64);
            metrics::pools().tell("slots", usize::try_from(running).unwrap_or(usize::MAX), slots);
        }
    })
}
