//! Routes: which models stand behind a name, and whom to ask next when one cannot answer
//! now. Waiting and trying the same one again is left to the task machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::{ErrorClass, Failure};
use tokio_util::sync::CancellationToken;

use crate::config::Candidate;
use crate::extractive::Extractive;
use crate::http::Http;
use crate::openai::OpenAi;
use crate::scripted::Scripted;
use crate::{ChatModel, ChatReply, ChatRequest, Delta, DeltaSink, ModelConfig, Price};

/// The routes of one worker.
#[derive(Clone)]
pub struct Routes {
    routes: BTreeMap<String, Vec<Arc<dyn ChatModel>>>,
    /// Whether names that are not configured answer with `extractive`.
    open: bool,
    prices: BTreeMap<String, Price>,
}

impl Routes {
    /// Without any configuration every route is `extractive`.
    #[must_use]
    pub fn extractive() -> Self {
        Self { routes: BTreeMap::new(), open: true, prices: BTreeMap::new() }
    }

    /// The configured routes; their servers are reached over `http`.
    ///
    /// # Errors
    /// `invalid` when a candidate cannot be read, a provider is unknown, a key is missing
    /// or a script cannot be opened.
    pub fn from_config(config: &ModelConfig, http: &Arc<dyn Http>) -> Result<Self, Failure> {
        if let Some((model, _)) = config.prices.iter().find(|(_, price)| !price.is_sound()) {
            return Err(Failure::invalid("route_invalid", format!("the price of {model:?} is below nothing")));
        }
        let prices = config.prices.clone();
        let mut routes = Self { routes: BTreeMap::new(), open: config.routes.is_empty(), prices };
        for (name, route) in &config.routes {
            let mut models: Vec<Arc<dyn ChatModel>> = Vec::new();
            let candidates = config.candidates(route).map_err(|failure| at_route(name, failure))?;
            for (candidate, text) in candidates.into_iter().zip(&route.candidates) {
                models.push(match candidate {
                    Candidate::Extractive => Arc::new(Extractive),
                    Candidate::Endpoint(endpoint) => Arc::new(OpenAi::new(endpoint, http.clone())),
                    Candidate::Scripted(path) => Arc::new(Scripted::from_file(text, &path)?),
                });
            }
            routes.routes.insert(name.clone(), models);
        }
        Ok(routes)
    }

    /// The same with that route added; for tests and own workers.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, models: Vec<Arc<dyn ChatModel>>) -> Self {
        self.routes.insert(name.into(), models);
        self
    }

    /// A route's name where it is configured; `extractive` stands for all others.
    #[must_use]
    pub fn known(&self, route: &str) -> &str {
        self.routes.get_key_value(route).map_or("extractive", |(name, _)| name)
    }

    /// What an answer cost, in dollars; nothing where its model has no price.
    #[must_use]
    pub fn cost(&self, reply: &ChatReply) -> Option<f64> {
        self.prices.get(&reply.model).map(|price| price.of(&reply.usage))
    }

    /// Asks the route's candidates in order until one answers.
    ///
    /// # Errors
    /// The first failure that does not allow another try, else the first failure with the
    /// shortest pause any candidate asked for; `route_unknown` when nothing is configured
    /// under that name.
    pub async fn chat(
        &self,
        route: &str,
        request: &ChatRequest,
        sink: &dyn DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<ChatReply, Failure> {
        let Some(models) = self.routes.get(route) else {
            if self.open {
                return Extractive.chat(request, sink, cancel).await;
            }
            let known: Vec<&str> = self.routes.keys().map(String::as_str).collect();
            return Err(Failure::invalid(
                "route_unknown",
                format!("no route {route:?}; there are {}", known.join(", ")),
            ));
        };
        let mut kept: Option<Failure> = None;
        for model in models {
            let watched = Restarting { sink, told: std::sync::atomic::AtomicBool::new(false) };
            let failure = match model.chat(request, &watched, cancel).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if watched.told.into_inner() {
                sink.delta(Delta::Restart);
            }
            tracing::debug!(route, model = model.name(), code = failure.code, class = %failure.class, "candidate failed");
            if !failure.class.retryable() {
                // What an earlier candidate could do later is worth more than a refusal now.
                return Err(kept.unwrap_or(failure));
            }
            kept = Some(kept.map_or(failure.clone(), |first| sooner(first, &failure)));
        }
        Err(kept.unwrap_or_else(|| Failure::invalid("route_invalid", format!("route {route:?} has no candidate"))))
    }
}

/// The call was cancelled by whoever made it.
pub(crate) fn cancelled() -> Failure {
    Failure::new(ErrorClass::Cancelled, "cancelled", "the call was cancelled")
}

fn at_route(name: &str, failure: Failure) -> Failure {
    Failure { message: format!("route {name:?}: {}", failure.message), ..failure }
}

/// The first failure, with the shorter of both pauses; no wish means no pause.
fn sooner(first: Failure, next: &Failure) -> Failure {
    let retry_after_ms = match (first.retry_after_ms, next.retry_after_ms) {
        (Some(left), Some(right)) => Some(left.min(right)),
        _ => None,
    };
    Failure { retry_after_ms, ..first }
}

/// Notes whether anything was shown, so that it can be taken back.
struct Restarting<'a> {
    sink: &'a dyn DeltaSink,
    told: std::sync::atomic::AtomicBool,
}

impl DeltaSink for Restarting<'_> {
    fn delta(&self, delta: Delta) {
        self.told.store(true, std::sync::atomic::Ordering::Relaxed);
        self.sink.delta(delta);
    }
}
