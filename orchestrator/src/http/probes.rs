//! The two probes: `healthz` says that the process lives, `readyz` that it gets anywhere.
//! Neither asks for a key; neither tells more than a load balancer needs.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::view;
use crate::Services;
use crate::api::Readiness;

/// What was found is told for so long, so that asking often costs the store nothing.
const BELIEVED: Duration = Duration::from_millis(250);

/// The process lives and answers.
pub(super) async fn alive() -> Response {
    view::json(StatusCode::OK, &json!({ "alive": true }))
}

/// Whether this process gets anywhere, asked for once at a time.
#[derive(Clone)]
pub(super) struct Ready {
    services: Services,
    last: Arc<Mutex<Option<(Instant, Readiness)>>>,
}

impl Ready {
    pub(super) fn new(services: Services) -> Self {
        Self { services, last: Arc::default() }
    }

    pub(super) async fn answer(&self) -> Response {
        let mut readiness = self.look().await;
        if self.services.shutdown.is_cancelled() {
            (readiness.ready, readiness.draining) = (false, true);
        }
        let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        view::json(status, &view::of(&readiness))
    }

    async fn look(&self) -> Readiness {
        let mut last = self.last.lock().await;
        match *last {
            Some((at, readiness)) if at.elapsed() < BELIEVED => readiness,
            _ => {
                let readiness = self.services.orchestrator.readiness().await;
                *last = Some((Instant::now(), readiness));
                readiness
            }
        }
    }
}
