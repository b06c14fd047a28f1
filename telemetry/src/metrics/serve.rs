//! Serving `/metrics` to whoever scrapes, for processes that serve nothing else over HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::registry;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may stay, with all it asks.
const STAYS: Duration = Duration::from_secs(300);
/// How long a request may take to say what it asks.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// After a connection that could not be accepted, as when no file may be opened.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers `GET /metrics` on `listener` for as long as it is polled. Before each answer `look`
/// tells what is not measured as it happens.
pub async fn serve<L, F>(listener: TcpListener, look: L)
where
    L: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (look, seats) = (Arc::new(look), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let mut connections = JoinSet::new();
    loop {
        let Ok(seat) = seats.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "no connection for metrics");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let look = look.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let look = look.clone();
                async move { Ok::<_, Infallible>(answer(&request, || look()).await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
            let talk = builder.serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(STAYS, talk).await;
            drop(seat);
        });
    }
}

async fn answer<F: Future<Output = ()>>(
    request: &Request<Incoming>,
    look: impl FnOnce() -> F,
) -> Response<Full<Bytes>> {
    let status = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            look().await;
            let mut response = Response::new(Full::from(registry::text()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(registry::CONTENT_TYPE));
            return response;
        }
        (_, "/metrics") => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::NOT_FOUND,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
