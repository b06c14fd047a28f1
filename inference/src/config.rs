//! The part of `baton.toml` that speaks of models: `[providers.NAME]`, `[routes.NAME]` and `[prices.NAME]`.
//! Opening what it names is left to [`crate::Routes`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use baton_common::Failure;
use serde::{Deserialize, Serialize};

use crate::Price;
use crate::openai::{Endpoint, Secret, Structured};

/// Milliseconds without a byte after which a call is given up, unless configured: longer
/// than slow models think before their first word.
const IDLE_MS: u64 = 120_000;

/// The tables.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Servers of models, by the name that candidates use.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// Routes, by the name that graphs use.
    pub routes: BTreeMap<String, RouteConfig>,
    /// Prices, by the name of the model that answers.
    pub prices: BTreeMap<String, Price>,
}

baton_common::described! {
    /// A named model choice.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RouteConfig {
        /// `PROVIDER/MODEL`, `extractive` or `scripted:FILE`, tried in order.
        pub candidates: Vec<String>,
    }
}

baton_common::described! {
    /// A server that offers OpenAI's chat completions.
    #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct ProviderConfig {
        /// Its base, with `/v1`; known of `openai` and `ollama`.
        pub base_url: Option<String>,
        /// Where the key is: `env:NAME` or `file:PATH`.
        pub key: Option<String>,
        /// How it takes output schemas: `schema`, `object` or `prompt`.
        pub structured: Structured,
        /// Whether it wants `max_completion_tokens`; by default only OpenAI itself does.
        pub completion_tokens: Option<bool>,
        /// Milliseconds without a byte after which a call is given up; 120,000 by default.
        pub idle_ms: Option<u64>,
    }
}

/// A candidate of a route, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// Quotes its input.
    Extractive,
    /// Replays a file.
    Scripted(PathBuf),
    /// A model of a server.
    Endpoint(Endpoint),
}

impl ModelConfig {
    /// The candidates of a route.
    pub(crate) fn candidates(&self, route: &RouteConfig) -> Result<Vec<Candidate>, Failure> {
        if route.candidates.is_empty() {
            return Err(Failure::invalid("route_invalid", "a route needs a candidate"));
        }
        route.candidates.iter().map(|text| self.candidate(text)).collect()
    }

    /// The base URLs that the routes use and the operator wrote down, or that are known.
    pub(crate) fn base_urls(&self) -> Vec<String> {
        let candidates = self.routes.values().flat_map(|route| &route.candidates);
        let providers = candidates.filter_map(|text| text.split_once('/').map(|(provider, _)| provider));
        providers.filter_map(|provider| self.base_url(provider)).collect()
    }

    fn base_url(&self, provider: &str) -> Option<String> {
        let written = self.providers.get(provider).and_then(|config| config.base_url.clone());
        written.or_else(|| known(provider).map(|(base, _)| base.to_owned()))
    }

    fn candidate(&self, text: &str) -> Result<Candidate, Failure> {
        if text == "extractive" {
            return Ok(Candidate::Extractive);
        }
        if let Some(path) = text.strip_prefix("scripted:") {
            return Ok(Candidate::Scripted(PathBuf::from(path)));
        }
        let Some((provider, model)) = text.split_once('/') else {
            return Err(Failure::invalid(
                "route_invalid",
                format!("candidate {text:?} is PROVIDER/MODEL, extractive or scripted:FILE"),
            ));
        };
        self.endpoint(provider, model).map(Candidate::Endpoint)
    }

    fn endpoint(&self, provider: &str, model: &str) -> Result<Endpoint, Failure> {
        let config = self.providers.get(provider).cloned().unwrap_or_default();
        let known = known(provider);
        let base_url = self.base_url(provider).ok_or_else(|| {
            Failure::invalid(
                "provider_unknown",
                format!("provider {provider:?} has no base URL: add [providers.{provider}] base_url = \"…\""),
            )
        })?;
        let reference = config.key.or_else(|| known.and_then(|(_, key)| key.map(str::to_owned)));
        let is_openai = base_url.contains("//api.openai.com");
        Ok(Endpoint {
            name: format!("{provider}/{model}"),
            key: reference.as_deref().map(secret).transpose()?,
            structured: config.structured,
            completion_tokens: config.completion_tokens.unwrap_or(is_openai),
            idle_ms: config.idle_ms.unwrap_or(IDLE_MS),
            model: model.to_owned(),
            base_url,
        })
    }
}

/// Base and key reference of servers that need no configuration.
fn known(provider: &str) -> Option<(&'static str, Option<&'static str>)> {
    match provider {
        "openai" => Some(("https://api.openai.com/v1", Some("env:OPENAI_API_KEY"))),
        "ollama" => Some(("http://127.0.0.1:11434/v1", None)),
        _ => None,
    }
}

fn secret(reference: &str) -> Result<Secret, Failure> {
    secret_text(reference).map(Secret::new)
}

/// The secret that a reference stands for: `env:NAME` or `file:PATH`.
///
/// # Errors
/// `invalid` when it is no reference, or nothing is there.
pub fn secret_text(reference: &str) -> Result<String, Failure> {
    let missing = |why: String| Failure::invalid("key_missing", format!("key reference {reference:?}: {why}"));
    let text = if let Some(name) = reference.strip_prefix("env:") {
        std::env::var(name).map_err(|_| missing("the variable is not set".to_owned()))?
    } else if let Some(path) = reference.strip_prefix("file:") {
        std::fs::read_to_string(path).map_err(|error| missing(error.to_string()))?
    } else {
        return Err(Failure::invalid("key_invalid", "a key is given as env:NAME or file:PATH, never itself"));
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(missing("it is empty".to_owned()));
    }
    Ok(text.to_owned())
}
