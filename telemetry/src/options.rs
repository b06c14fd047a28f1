//! What a process says about its logs and traces; nothing here takes effect by itself.

use std::env;
use std::io::{IsTerminal, stderr};

use baton_common::sources::{self, Sources};

/// The environment variable that holds the log filter, such as `info,baton_store=debug`.
pub const FILTER_VARIABLE: &str = "BATON_LOG";

/// The environment variable that names the collector, such as `http://127.0.0.1:4317`.
pub const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The environment variable that says which share of the runs is traced, from 0 to 1.
pub const RATIO_VARIABLE: &str = "BATON_TRACE_RATIO";

/// How a process logs and where its spans go.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The name of the service in traces, such as `baton-orchestrator`.
    pub service: String,
    /// Lines of JSON rather than text for people.
    pub json: bool,
    /// Directives in the manner of `RUST_LOG`.
    pub filter: String,
    /// Where to send spans over gRPC; no spans are made without it.
    pub otlp_endpoint: Option<String>,
    /// The share of runs that spans are kept of, from 0 to 1.
    pub trace_ratio: f64,
}

impl Options {
    /// The defaults of a service: JSON unless a terminal is watching, level `info`, no collector;
    /// with one, every run is traced.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        let (json, filter) = (!stderr().is_terminal(), "info".to_owned());
        Self { service: service.into(), json, filter, otlp_endpoint: None, trace_ratio: 1.0 }
    }

    /// The defaults, changed by `BATON_LOG` and `OTEL_EXPORTER_OTLP_ENDPOINT` where they are set.
    /// What a settings file may say as well is read by the program: see [`trace_ratio`].
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

/// The share of runs that these settings say is traced, if they do.
///
/// # Errors
/// When it is no number from 0 to 1.
pub fn trace_ratio(sources: &Sources) -> Result<Option<f64>, sources::Error> {
    let ratio = sources.parse::<f64>(RATIO_VARIABLE)?;
    if ratio.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
        let cause = "it is a share of the runs, from 0 to 1".to_owned();
        return sources.settled(Err(sources::Error::Value { name: RATIO_VARIABLE.to_owned(), cause }), || None);
    }
    Ok(ratio)
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

    #[test]
    fn a_share_of_the_runs_is_no_less_than_none_and_no_more_than_all() {
        let ratio = |value: &str| {
            let environment = [(RATIO_VARIABLE.to_owned(), value.to_owned())];
            trace_ratio(&Sources::read(None, environment).expect("read"))
        };
        assert_eq!((ratio("0.1"), ratio("0"), ratio("1")), (Ok(Some(0.1)), Ok(Some(0.0)), Ok(Some(1.0))));
        for bad in ["-0.1", "1.5", "NaN", "ten"] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
        assert_eq!(trace_ratio(&Sources::default()), Ok(None));
    }
}
