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
use opentelemetry_otlp::{RetryPolicy, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor as _};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::trace::Sink;
use crate::{Error, names};

/// The longest a shutdown takes, in milliseconds, whatever the collector does.
pub const SHUTDOWN_MS_MAX: u64 = 2_500;

const EXPORT_LIMIT: Duration = Duration::from_secs(2);
const FLUSH_LIMIT: Duration = Duration::from_millis(SHUTDOWN_MS_MAX - 100);
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// Spans that wait to be sent; more are dropped.
const WAITING_MAX: usize = 16_384;

/// The running export of a process.
#[derive(Debug)]
pub(crate) struct Export {
    batches: Batches,
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
        let config =
            BatchConfigBuilder::default().with_scheduled_delay(BATCH_DELAY).with_max_queue_size(WAITING_MAX).build();
        let mut batches = BatchSpanProcessor::builder(watched).with_batch_config(config).build();
        batches.set_resource(&resource(service));
        Ok(Self { batches: Batches(Arc::new(batches)), runtime: Some(runtime) })
    }

    /// What takes spans to be sent.
    pub(crate) fn sink(&self) -> Batches {
        self.batches.clone()
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
        let _ = self.batches.0.shutdown_with_timeout(FLUSH_LIMIT);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The way of spans into the batches.
#[derive(Debug, Clone)]
pub(crate) struct Batches(Arc<BatchSpanProcessor>);

impl Sink for Batches {
    fn take(&self, span: SpanData) {
        self.0.on_end(span);
    }
}

fn resource(service: &str) -> Resource {
    Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new(names::SERVICE_VERSION, env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new(names::PROCESS_PID, i64::from(std::process::id())))
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
    use std::time::{Instant, SystemTime};

    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span() -> SpanData {
        let ids = (TraceId::from(1), SpanId::from(1));
        SpanData {
            span_context: SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "job".into(),
            start_time: SystemTime::now(),
            end_time: SystemTime::now(),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: opentelemetry::InstrumentationScope::default(),
        }
    }

    /// Makes many spans for a collector at `endpoint`, then shuts down; says how long each took.
    async fn times_with(endpoint: &str) -> (Duration, Duration) {
        let export = Export::start("test", endpoint).expect("started");
        let (begin, sink) = (Instant::now(), export.sink());
        for _ in 0..100_000 {
            sink.take(span());
        }
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
        export.sink().take(span());
        let begin = Instant::now();
        drop(export);
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
}
