//! A collector of spans that keeps the bytes it is sent; what they may hold is up to the
//! test.

use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// A running collector; it ends with the test's runtime.
pub(super) struct Collector {
    address: SocketAddr,
    kept: Kept,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(usize, Vec<u8>)>>);

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Kept::default();
        let service = Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        tokio::spawn(service.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, kept }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Spans so far.
    pub(super) fn count(&self) -> usize {
        self.kept.0.lock().0
    }

    /// Everything that came.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.kept.0.lock().1.clone()
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
        let mut kept = self.0.lock();
        kept.0 += scopes.map(|scope| scope.spans.len()).sum::<usize>();
        kept.1.extend(request.encode_to_vec());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
