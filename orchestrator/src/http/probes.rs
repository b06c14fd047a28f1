//! The two probes: `healthz` says that the process lives, `readyz` that it gets anywhere; and
//! `metrics` beside them. None asks for a key; the probes tell no more than a load balancer needs,
//! metrics neither ids nor contents.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use baton_telemetry::metrics;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::view;
use crate::api::Readiness;
use crate::{Orchestrator, Services};

/// What was found is told for so long, so that asking often costs the store nothing.
const BELIEVED: Duration = Duration::from_millis(250);

/// The process lives and answers.
pub(super) async fn alive() -> Response {
    view::json(StatusCode::OK, &json!({ "alive": true }))
}

/// What this process measures and knows of the cluster, for Prometheus.
pub(super) async fn metrics(orchestrator: &Orchestrator) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], orchestrator.metrics().await).into_response()
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
