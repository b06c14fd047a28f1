//! Serving: connections within a bound, patience that ends, and an end in two steps. Once
//! the services shut down, calls are refused and streams end, while the probes still tell
//! so; once `done`, the connections end too.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dispatch;
use crate::Services;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a request may take to say what it asks.
const HEADERS_WITHIN: Duration = Duration::from_secs(20);
/// How often a quiet stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers under way may take once all else has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves on `listener` until `done`, and refuses calls from the moment the services'
/// shutdown is asked for.
pub async fn serve(listener: TcpListener, services: Services, done: CancellationToken) {
    serve_with(listener, services, done, HEARTBEAT).await;
}

pub(super) async fn serve_with(
    listener: TcpListener,
    services: Services,
    done: CancellationToken,
    heartbeat: Duration,
) {
    let service = TowerToHyperService::new(dispatch::router(services, heartbeat).into_service());
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    let accepting = async {
        while let Ok(slot) = slots.clone().acquire_owned().await {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (service, done) = (service.clone(), done.clone());
            connections.spawn(async move {
                talk(stream, service, done).await;
                drop(slot);
            });
        }
    };
    done.run_until_cancelled(accepting).await;
    connections.close();
    if tokio::time::timeout(LAST_WORDS, connections.wait()).await.is_err() {
        tracing::warn!("http connections dropped");
    }
}

type Service = TowerToHyperService<axum::routing::RouterIntoService<hyper::body::Incoming>>;

/// One connection, to its end.
async fn talk(stream: TcpStream, service: Service, done: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
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
