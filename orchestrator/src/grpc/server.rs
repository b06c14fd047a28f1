//! Serving: which services there are, limits and keepalive, and an end within a bound.

use std::time::Duration;

use baton_common::TraceContext;
use baton_common::trace::TRACEPARENT;
use baton_proto::{AUTHORIZATION, DESCRIPTORS, MESSAGE_BYTES_MAX, v1};
use futures_util::stream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use v1::archive_server::ArchiveServer;
use v1::blobs_server::BlobsServer;
use v1::control_plane_server::ControlPlaneServer;
use v1::graphs_server::GraphsServer;
use v1::history_server::HistoryServer;
use v1::operate_server::OperateServer;
use v1::operations_server::OperationsServer;
use v1::quotas_server::QuotasServer;
use v1::runs_server::RunsServer;
use v1::schedules_server::SchedulesServer;
use v1::transfer_server::TransferServer;

use super::{admission, status};
use crate::api::Caller;
use crate::auth::Scope;
use crate::listener::{Greeting, Listener};
use crate::{Orchestrator, Services};

const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const HEALTH_EVERY: Duration = Duration::from_secs(2);
/// What every client begins with: the preface and the head of its first frame.
const GREETING: Greeting = Greeting { bytes: 33, within: Duration::from_secs(10) };
/// Metadata of a call at most.
const METADATA_BYTES_MAX: u32 = 16 * 1024;
/// Calls at a time on a connection; more wait.
const CALLS_MAX: u32 = 256;
/// How long a call may take to its answer, or a stream to its first one: longer than any client of ours waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(330);

/// Why serving ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptors cannot be read.
    #[error("reflection could not be set up")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server failed.
    #[error("the server stopped")]
    Transport(#[from] tonic::transport::Error),
}

impl Services {
    /// Who makes this call, if it may.
    pub(super) async fn caller<T>(&self, request: &Request<T>, scope: Scope) -> Result<Caller, Status> {
        let mut caller = self.auth.caller(bearer(request.metadata()), scope).await.map_err(status::of_auth)?;
        caller.trace = trace(request.metadata());
        Ok(caller)
    }
}

/// Serves on `listener` until the services' shutdown is asked for, and then at most
/// `grace` longer for calls under way.
///
/// # Errors
/// When serving cannot begin, or ends by itself.
pub async fn serve(listener: impl Into<Listener>, services: Services, grace: Duration) -> Result<(), Error> {
    serve_with(listener.into(), services, grace, GREETING).await
}

pub(super) async fn serve_with(
    listener: Listener,
    services: Services,
    grace: Duration,
    greeting: Greeting,
) -> Result<(), Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    macro_rules! limited {
        ($server:ident) => {
            $server::new(services.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        };
    }
    let shutdown = services.shutdown.clone();
    let routes = Routes::new(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(limited!(RunsServer))
        .add_service(limited!(GraphsServer))
        .add_service(limited!(HistoryServer))
        .add_service(limited!(OperateServer))
        .add_service(limited!(OperationsServer))
        .add_service(limited!(QuotasServer))
        .add_service(limited!(SchedulesServer))
        .add_service(limited!(ControlPlaneServer))
        .add_service(limited!(TransferServer))
        .add_service(limited!(BlobsServer))
        .add_service(limited!(ArchiveServer));
    let age_ms = services.orchestrator.settings().connection_age_ms;
    let mut server = tonic::transport::Server::builder();
    if age_ms > 0 {
        server = server.max_connection_age(Duration::from_millis(age_ms));
    }
    let router = server
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .max_concurrent_streams(CALLS_MAX)
        .timeout(ANSWER_WITHIN)
        .add_routes(admission::before(routes, services.clone()));
    let watched = report_health(health, services.orchestrator.clone(), shutdown.clone());
    let incoming = stream::unfold(listener.incoming().greeted(greeting), |mut incoming| async move {
        Some((Ok::<_, std::io::Error>(incoming.next().await), incoming))
    });
    let serving = router.serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    // Connections that never say a word would hold a graceful end up for ever.
    let bound = async {
        shutdown.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = bound => {
            tracing::warn!(grace_ms = grace.as_millis(), "connections dropped");
            Ok(())
        }
        () = watched => Ok(()),
    }
}

/// Says whether calls can be served: as long as the store answers and nobody shuts down.
async fn report_health(health: HealthReporter, orchestrator: Orchestrator, shutdown: CancellationToken) {
    let names = [
        "",
        "baton.v1.Runs",
        "baton.v1.Graphs",
        "baton.v1.History",
        "baton.v1.Operate",
        "baton.v1.Operations",
        "baton.v1.Schedules",
        "baton.v1.ControlPlane",
        "baton.v1.Transfer",
        "baton.v1.Blobs",
        "baton.v1.Archive",
    ];
    let mut last = None;
    let look = async {
        loop {
            let status =
                if orchestrator.health().await.store { ServingStatus::Serving } else { ServingStatus::NotServing };
            if last != Some(status) {
                last = Some(status);
                tracing::info!(%status, "health");
                for name in names {
                    health.set_service_status(name, status).await;
                }
            }
            tokio::time::sleep(HEALTH_EVERY).await;
        }
    };
    shutdown.run_until_cancelled(look).await;
    for name in names {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    std::future::pending().await
}

/// The span that a call goes on with, if it names one.
pub(super) fn trace(metadata: &MetadataMap) -> Option<TraceContext> {
    TraceContext::read(metadata.get(TRACEPARENT)?.to_str().ok())
}

/// The key of a call.
pub(super) fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let text = metadata.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_bearer() {
        let key = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert(AUTHORIZATION, text.parse().expect("a value"));
            bearer(&metadata).map(str::to_owned)
        };
        assert_eq!(key("Bearer k").as_deref(), Some("k"));
        assert_eq!(key("bearer  k ").as_deref(), Some("k"));
        assert_eq!(key("Basic k"), None);
        assert_eq!(key("Bearer "), None);
        assert_eq!(bearer(&MetadataMap::new()), None);
    }
}
