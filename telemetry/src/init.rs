//! Setting logs, spans and the panic hook up for a whole process, and taking them down.

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;

use crate::export::Export;
use crate::trace::{self, Tracer};
use crate::{Options, filter, logs, panics};

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter is not written as one.
    #[error("log filter {text:?} is not understood: write a level or target=level, separated by commas")]
    Filter {
        /// The filter as it was given.
        text: String,
        /// What the parser says.
        source: ParseError,
    },
    /// The collector's address cannot be used.
    #[error("spans cannot be sent to {endpoint:?}: write it as http://host:port or https://host:port")]
    Endpoint {
        /// The address as it was given.
        endpoint: String,
        /// What the exporter says.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The thread that sends spans could not be started.
    #[error("the thread that sends spans did not start")]
    Thread(#[source] std::io::Error),
}

/// Keeps telemetry running; when it goes, the spans that are left are sent, within
/// [`SHUTDOWN_MS_MAX`](crate::SHUTDOWN_MS_MAX).
#[derive(Debug)]
#[must_use = "spans are sent only as long as the guard lives"]
pub struct Guard {
    export: Option<Export>,
    installed: bool,
}

impl Guard {
    /// Whether this call set telemetry up; `false` when an earlier one had already.
    #[must_use]
    pub fn installed(&self) -> bool {
        self.installed
    }

    /// Sends what is left without blocking the runtime; returns in bounded time whatever
    /// the collector does. Dropping the guard does the same on the current thread.
    pub async fn shutdown(mut self) {
        if let Some(export) = self.export.take() {
            trace::close();
            export.shutdown().await;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.export.is_some() {
            trace::close();
        }
    }
}

/// Sets up logs, spans and the panic hook for the whole process. A second call changes nothing.
///
/// # Errors
/// When the filter or the collector's address is malformed. A collector that does not
/// answer is no error.
pub fn init(options: &Options) -> Result<Guard, Error> {
    let log_filter = filter::for_logs(&options.filter)?;
    let export =
        options.otlp_endpoint.as_ref().map(|endpoint| Export::start(&options.service, endpoint)).transpose()?;
    let lines = logs::layer(options.json, log_filter, BoxMakeWriter::new(std::io::stderr));
    let installed = tracing_subscriber::registry().with(lines).try_init().is_ok();
    if installed {
        panics::install(options.json);
    }
    let ratio = options.trace_ratio;
    let export = export.filter(|export| installed && trace::install(Tracer::new(export.sink(), ratio)));
    Ok(Guard { export, installed })
}
