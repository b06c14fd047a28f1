//! A collector that keeps the spans it is sent; what they should be is up to the tests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// A running collector on a port of its own; it ends with the test's runtime.
pub(crate) struct Collector {
    address: SocketAddr,
    kept: Kept,
}

/// What the tests look at in a span.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace_id: String,
    pub(crate) parent: String,
    pub(crate) service: String,
    pub(crate) keys: Vec<String>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Kept::default();
        let service = Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        tokio::spawn(service.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, kept }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The one span that has arrived.
    pub(crate) fn only_span(&self) -> Span {
        let mut spans = self.kept.spans();
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }
}

impl Kept {
    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().expect("not poisoned");
        let groups = requests.iter().flat_map(|request| &request.resource_spans);
        groups
            .flat_map(|group| {
                let attributes = group.resource.iter().flat_map(|resource| &resource.attributes);
                let service = attributes
                    .filter(|attribute| attribute.key == "service.name")
                    .find_map(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
                        Value::StringValue(text) => Some(text.clone()),
                        _ => None,
                    })
                    .unwrap_or_default();
                let spans = group.scope_spans.iter().flat_map(|scope| &scope.spans);
                spans.map(move |span| Span {
                    name: span.name.clone(),
                    trace_id: hex(&span.trace_id),
                    parent: hex(&span.parent_span_id),
                    service: service.clone(),
                    keys: span.attributes.iter().map(|attribute| attribute.key.clone()).collect(),
                })
            })
            .collect()
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().expect("not poisoned").push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
