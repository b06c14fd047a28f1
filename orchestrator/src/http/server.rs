//! Serving: connections within a bound, patience that ends, and an end in two steps. Once
//! the services shut down, calls are refused and streams end, while the probes still tell
//! so; once `done`, the connections end too.

use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dispatch;
use crate::Services;
use crate::listener::{Connection, Listener};

/// How long a request may take to say what it asks.
const HEADERS_WITHIN: Duration = Duration::from_secs(20);
/// How often a quiet stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Headers of a request at most.
const HEADERS_MAX: usize = 100;
/// The line and the headers of a request at most.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long answers under way may take once all else has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves on `listener` until `done`, and refuses calls from the moment the services'
/// shutdown is asked for.
pub async fn serve(listener: impl Into<Listener>, services: Services, done: CancellationToken) {
    serve_with(listener, services, done, Pace { heartbeat: HEARTBEAT, headers_within: HEADERS_WITHIN }).await;
}

/// What is waited for, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How often a quiet stream shows that it lives.
    pub(super) heartbeat: Duration,
    /// How long a request may take to say what it asks, and a connection to ask again.
    pub(super) headers_within: Duration,
}

pub(super) async fn serve_with(listener: impl Into<Listener>, services: Services, done: CancellationToken, pace: Pace) {
    let service = TowerToHyperService::new(dispatch::router(services, pace.heartbeat).into_service());
    let connections = TaskTracker::new();
    let mut incoming = listener.into().incoming();
    while let Some(connection) = done.run_until_cancelled(incoming.next()).await {
        connections.spawn(talk(connection, service.clone(), done.clone(), pace.headers_within));
    }
    connections.close();
    if tokio::time::timeout(LAST_WORDS, connections.wait()).await.is_err() {
        tracing::warn!("http connections dropped");
    }
}

type Service = TowerToHyperService<axum::routing::RouterIntoService<hyper::body::Incoming>>;

/// One connection, to its end.
async fn talk(connection: Connection, service: Service, done: CancellationToken, headers_within: Duration) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(headers_within)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(connection), service));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = done.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST_WORDS, connection).await {
                Ok(outcome) => outcome,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "http connection ended");
    }
}
