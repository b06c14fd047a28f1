//! The calls of the server, over gRPC, to one orchestrator after another.

use std::future::Future;
use std::time::Duration;

use baton_control::grpc::{Carrier, Endpoints, Trust, cause};
use baton_proto::{MESSAGE_BYTES_MAX, v1};
use tonic::{Code, Status};
use v1::archive_client::ArchiveClient;
use v1::blobs_client::BlobsClient;
use v1::graphs_client::GraphsClient;
use v1::history_client::HistoryClient;
use v1::operate_client::OperateClient;
use v1::operations_client::OperationsClient;
use v1::quotas_client::QuotasClient;
use v1::runs_client::RunsClient;
use v1::schedules_client::SchedulesClient;

use crate::exit::Failed;

const CALL: Duration = Duration::from_secs(30);

/// The server, wherever it is.
#[derive(Clone)]
pub(crate) struct Client {
    endpoints: Endpoints,
}

impl Client {
    pub(crate) fn new(addresses: &str, key: Option<&str>, trust: &Trust) -> Result<Self, Failed> {
        let endpoints = Endpoints::trusting(addresses, key, trust)
            .map_err(|error| Failed::usage("invalid_address", error, "set BATON_ORCHESTRATOR"))?;
        Ok(Self { endpoints })
    }

    /// A call of `Runs`. Repeating it elsewhere must do no harm.
    pub(crate) async fn runs<T, F>(&self, call: impl Fn(RunsClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(RunsClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Graphs`.
    pub(crate) async fn graphs<T, F>(&self, call: impl Fn(GraphsClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(GraphsClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `History`.
    pub(crate) async fn history<T, F>(&self, call: impl Fn(HistoryClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(HistoryClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Archive`.
    pub(crate) async fn archive<T, F>(&self, call: impl Fn(ArchiveClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(ArchiveClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Blobs`.
    pub(crate) async fn blobs<T, F>(&self, call: impl Fn(BlobsClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(BlobsClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Operate`.
    pub(crate) async fn operate<T, F>(&self, call: impl Fn(OperateClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(OperateClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Operations`.
    pub(crate) async fn operations<T, F>(&self, call: impl Fn(OperationsClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(OperationsClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Quotas`.
    pub(crate) async fn quotas<T, F>(&self, call: impl Fn(QuotasClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(QuotasClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    /// A call of `Schedules`.
    pub(crate) async fn schedules<T, F>(&self, call: impl Fn(SchedulesClient<Carrier>) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.ask(|carrier| call(SchedulesClient::new(carrier).max_decoding_message_size(MESSAGE_BYTES_MAX))).await
    }

    async fn ask<T, F>(&self, call: impl Fn(Carrier) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let (mut last, mut why) = (Status::unavailable(""), None);
        for _ in 0..self.endpoints.count() {
            let (place, carrier) = self.endpoints.current();
            last = match tokio::time::timeout(CALL, call(carrier)).await {
                Ok(Ok(answer)) => return Ok(answer),
                // A connection that ended before an answer: nobody was reached. A proxy before a
                // server that is just starting ends them so.
                Ok(Err(status))
                    if matches!(status.code(), Code::Cancelled | Code::Unknown) && cause(&status).is_some() =>
                {
                    why = cause(&status);
                    Status::unavailable("")
                }
                Ok(Err(status)) => {
                    why = cause(&status);
                    status
                }
                Err(_) => Status::deadline_exceeded(""),
            };
            if !matches!(last.code(), Code::Unavailable | Code::DeadlineExceeded) {
                break;
            }
            self.endpoints.gave_up_on(place);
        }
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let mut failed = Failed::from(last);
        if failed.code == "server_unreachable" {
            failed.cause = format!("the server at {} cannot be reached{why}", self.endpoints.addresses());
        }
        Err(failed)
    }
}

/// One unary call with a request that can be sent again.
macro_rules! call {
    ($client:expr, $service:ident, $method:ident, $request:expr) => {{
        let request = $request;
        $client
            .$service(|mut service| {
                let request = request.clone();
                async move { service.$method(request).await.map(tonic::Response::into_inner) }
            })
            .await
    }};
}
pub(crate) use call;
