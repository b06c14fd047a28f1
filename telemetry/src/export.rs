//! Sending spans to an OTLP collector, in batches, apart from everything else.
//!
//! The sender has a thread and a small runtime of its own: however busy or stuck the
//! process's own threads are, an export neither waits for them nor takes one of them.
//! Each export and the shutdown have limits; a full queue drops spans.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{RetryPolicy, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tracing_subscriber::{Layer, Registry};

use crate::{Error, filter, names};

/// The longest a shutdown takes, in milliseconds, whatever the collector does.
pub const SHUTDOWN_MS_MAX: u64 = 2_500;

const EXPORT_LIMIT: Duration = Duration::from_secs(2);
const FLUSH_LIMIT: Duration = Duration::from_millis(SHUTDOWN_MS_MAX - 100);
const BATCH_DELAY: Duration = Duration::from_secs(1);

/// The running export of a process.
#[derive(Debug)]
pub(crate) struct Export {
    provider: SdkTracerProvider,
    runtime: Option<Runtime>,
}

impl Export {
    /// Starts to send spans of `service` to `endpoint`; the connection is made when first needed.
    pub(crate) fn start(service: &str, endpoint: &str) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("baton-spans")
            .enable_all()
            .build()
            .map_err(Error::Thread)?;
        let sender = {
            let _inside = runtime.enter();
            opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .with_timeout(EXPORT_LIMIT)
                .with_retry_policy(RetryPolicy::disabled())
                .build()
                .map_err(|source| Error::Endpoint { endpoint: endpoint.to_owned(), source })?
        };
        let watched =
            Watched { sender: Arc::new(sender), runtime: runtime.handle().clone(), losing: AtomicBool::new(false) };
        let batches = BatchSpanProcessor::builder(watched)
            .with_batch_config(BatchConfigBuilder::default().with_scheduled_delay(BATCH_DELAY).build())
            .build();
        let provider =
            SdkTracerProvider::builder().with_span_processor(batches).with_resource(resource(service)).build();
        Ok(Self { provider, runtime: Some(runtime) })
    }

    /// The layer that turns spans of `tracing` into exported ones.
    pub(crate) fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("baton"))
            .with_location(false)
            .with_threads(false)
            .with_filter(filter::for_spans())
            .boxed()
    }

    /// Sends what is left and ends the sender, off the runtime's threads.
    pub(crate) async fn shutdown(self) {
        let (done, ended) = oneshot::channel();
        thread::spawn(move || {
            drop(self);
            // Nobody waits any longer: then nobody needs to know.
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(Duration::from_millis(SHUTDOWN_MS_MAX), ended).await;
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // Spans that cannot be sent in time are lost, which `Watched` has reported.
        let _ = self.provider.shutdown_with_timeout(FLUSH_LIMIT);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn resource(service: &str) -> Resource {
    Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new(names::SERVICE_VERSION, env!("CARGO_PKG_VERSION")))
        .build()
}

/// An exporter with a hard limit on each export and a log line when spans begin to be lost.
#[derive(Debug)]
struct Watched<E> {
    sender: Arc<E>,
    runtime: Handle,
    losing: AtomicBool,
}

impl<E: SpanExporter + 'static> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sender = Arc::clone(&self.sender);
        let sending = async move { tokio::time::timeout(EXPORT_LIMIT, sender.export(batch)).await };
        let result = match self.runtime.spawn(sending).await {
            Ok(Ok(result)) => result,
            Ok(Err(_elapsed)) => Err(OTelSdkError::Timeout(EXPORT_LIMIT)),
            Err(ended) => Err(OTelSdkError::InternalFailure(ended.to_string())),
        };
        match &result {
            Err(error) if !self.losing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, spans, "spans are being lost");
            }
            Ok(()) if self.losing.swap(false, Ordering::Relaxed) => tracing::info!("spans are being sent again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.sender.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(sender) = Arc::get_mut(&mut self.sender) {
            sender.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use tracing_subscriber::prelude::*;

    use super::*;

    /// Makes many spans for a collector at `endpoint`, then shuts down; says how long each took.
    async fn times_with(endpoint: &str) -> (Duration, Duration) {
        let export = Export::start("test", endpoint).expect("started");
        let begin = Instant::now();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(export.layer()), || {
            for _ in 0..10_000 {
                drop(tracing::info_span!(target: "test", "job").entered());
            }
        });
        let made = begin.elapsed();
        let begin = Instant::now();
        export.shutdown().await;
        (made, begin.elapsed())
    }

    #[tokio::test]
    async fn a_dead_collector_holds_up_nothing_on_a_single_thread() {
        let (made, ended) = times_with("http://127.0.0.1:1").await;
        assert!(made < Duration::from_secs(2), "spans took {made:?}");
        assert!(ended < Duration::from_secs(3), "shutdown took {ended:?}");
    }

    #[tokio::test]
    async fn a_silent_collector_holds_up_nothing() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
        let (made, ended) = times_with(&endpoint).await;
        assert!(made < Duration::from_secs(2), "spans took {made:?}");
        assert!(ended < Duration::from_secs(3), "shutdown took {ended:?}");
    }

    #[test]
    fn dropping_the_export_outside_of_a_runtime_ends_in_time() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let export =
            Export::start("test", &format!("http://{}", silent.local_addr().expect("an address"))).expect("started");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(export.layer()), || {
            drop(tracing::info_span!(target: "test", "job").entered());
        });
        let begin = Instant::now();
        drop(export);
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
}
