//! Watching a run as server-sent events: what is recorded has an id and goes on behind it,
//! what is shown meanwhile has none.
//!
//! Nothing is kept for a reader: the next event is read from the store when the connection
//! takes more. A browser that lost the connection comes back with the last id it saw.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use baton_common::RunId;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::time::timeout;

use super::fields::malformed;
use super::route::{Answer, Call};
use super::{refused, view};
use crate::Services;
use crate::api::{ApiError, Caller, Updates, WatchStream, Watched};

/// Asks browsers to come back soon.
const OPENING: &str = "retry: 1000\n\n";
/// Says nothing, so that both ends notice when the other is gone.
const BEAT: &str = ": still here\n\n";
/// Behind the number of the last event: the end was seen too.
const ENDED: &str = ".ended";

/// The events of a run behind `after`, or behind the id a returning reader names.
pub(super) async fn events(call: &Call, run: RunId, after: u64, state: bool) -> Answer {
    let after = match call.header("last-event-id") {
        None => after,
        Some(id) => match id.strip_suffix(ENDED) {
            Some(_) => return over(call, run).await,
            None => id.parse().map_err(|_| malformed("Last-Event-ID", "it is none of ours"))?,
        },
    };
    let items = call.services.orchestrator.watch(&call.caller, run, after).await?;
    let state = state.then(|| Updates::new(call.services.orchestrator.clone(), call.caller.clone(), run, after));
    let watching = Watching { state, services: call.services.clone(), caller: call.caller.clone(), run, after, items };
    let opening = stream::once(async { OPENING.to_owned() });
    let texts = opening.chain(texts(watching, call.heartbeat));
    let body = Body::from_stream(texts.map(|text| Ok::<_, std::convert::Infallible>(Bytes::from(text))));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies would gather what must come at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Whoever saw the end need not come back: this is how browsers are told.
async fn over(call: &Call, run: RunId) -> Answer {
    call.services.orchestrator.get(&call.caller, run).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

struct Watching {
    services: Services,
    caller: Caller,
    run: RunId,
    after: u64,
    items: WatchStream,
    /// Tells what events change, where that was asked for.
    state: Option<Updates>,
}

fn texts(watching: Watching, heartbeat: Duration) -> impl Stream<Item = String> + Send {
    stream::unfold(Some(watching), move |watching| async move {
        let mut watching = watching?;
        let shutdown = watching.services.shutdown.clone();
        let next = shutdown.run_until_cancelled(timeout(heartbeat, watching.items.next())).await;
        match next {
            Some(Err(_)) => Some((BEAT.to_owned(), Some(watching))),
            Some(Ok(Some(Ok(item)))) => match watching.text(item).await {
                Ok(text) => Some((text, Some(watching))),
                Err(error) => Some((broken(&error), None)),
            },
            Some(Ok(Some(Err(error)))) => Some((broken(&error), None)),
            Some(Ok(None)) => Some((watching.ending().text().await, None)),
            None => Some((broken(&ApiError::draining()), None)),
        }
    })
}

impl Watching {
    async fn text(&mut self, item: Watched) -> Result<String, ApiError> {
        Ok(match item {
            Watched::Event(event) => {
                let mut shown = view::event(&event);
                if let Some(state) = &mut self.state
                    && let Some(changes) = state.of(&event).await?
                {
                    shown["changes"] = view::of(&changes);
                }
                self.after = event.seq;
                message("event", Some(&event.seq.to_string()), &shown)
            }
            Watched::Gap(gap) => {
                self.after = gap.last;
                message("gap", Some(&gap.last.to_string()), &view::gap(&gap))
            }
            Watched::Live(live) => message("live", None, &view::live(&live)),
        })
    }

    /// What is left once nothing more comes.
    fn ending(self) -> Ending {
        let Self { services, caller, run, after, .. } = self;
        Ending { services, caller, run, after }
    }
}

/// The last message of a stream, yet to be made.
struct Ending {
    services: Services,
    caller: Caller,
    run: RunId,
    after: u64,
}

impl Ending {
    /// The run as it ended. Events that stop before that are no end.
    async fn text(self) -> String {
        match self.services.orchestrator.get(&self.caller, self.run).await {
            Ok(run) if run.summary.status.is_terminal() => {
                message("ended", Some(&format!("{}{ENDED}", self.after)), &view::run(&run))
            }
            Ok(_) => broken(&ApiError::draining()),
            Err(error) => broken(&error),
        }
    }
}

/// The stream ends here and the run does not: come back.
fn broken(error: &ApiError) -> String {
    message("broken", None, &refused::body(error, &[]))
}

/// JSON has no line breaks outside of its texts, and writes those as `\n`.
fn message(name: &str, id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}
