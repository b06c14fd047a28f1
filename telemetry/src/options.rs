//! What a process says about its logs and traces; nothing here takes effect by itself.

use std::env;
use std::io::{IsTerminal, stderr};

/// The environment variable that holds the log filter, such as `info,baton_store=debug`.
pub const FILTER_VARIABLE: &str = "BATON_LOG";

/// The environment variable that names the collector, such as `http://127.0.0.1:4317`.
pub const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// How a process logs and where its spans go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name of the service in traces, such as `baton-orchestrator`.
    pub service: String,
    /// Lines of JSON rather than text for people.
    pub json: bool,
    /// Directives in the manner of `RUST_LOG`.
    pub filter: String,
    /// Where to send spans over gRPC; no spans are made without it.
    pub otlp_endpoint: Option<String>,
}

impl Options {
    /// The defaults of a service: JSON unless a terminal is watching, level `info`, no collector.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), json: !stderr().is_terminal(), filter: "info".to_owned(), otlp_endpoint: None }
    }

    /// The defaults, changed by `BATON_LOG` and `OTEL_EXPORTER_OTLP_ENDPOINT` where they are set.
    #[must_use]
    pub fn from_env(service: impl Into<String>) -> Self {
        Self::new(service).overridden_by(|name| env::var(name).ok())
    }

    fn overridden_by(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        if let Some(filter) = set(FILTER_VARIABLE) {
            self.filter = filter;
        }
        self.otlp_endpoint = set(ENDPOINT_VARIABLE).or(self.otlp_endpoint);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_defaults() {
        let options = Options::new("s").overridden_by(|name| match name {
            FILTER_VARIABLE => Some("debug".to_owned()),
            ENDPOINT_VARIABLE => Some("http://collector:4317".to_owned()),
            _ => None,
        });
        assert_eq!(options.filter, "debug");
        assert_eq!(options.otlp_endpoint.as_deref(), Some("http://collector:4317"));
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let options = Options::new("s").overridden_by(|_| Some(" ".to_owned()));
        assert_eq!((options.filter.as_str(), options.otlp_endpoint), ("info", None));
    }
}
