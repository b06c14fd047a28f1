//! What every program of Baton does alike: logs, traces and metrics, and beside them reading
//! settings, ending at a signal and obeying fault drills.
//!
//! One call sets logs and traces up, one guard brings both down.
//! Logs go to standard error, as lines of JSON unless a person is watching. Spans go to an
//! OTLP collector when one is named and cost next to nothing when none is. Losing the
//! collector loses spans and nothing else: it slows no caller and holds up no exit.
//! Which spans exist, and what they carry, is up to the planes; the words they use for it
//! are in [`names`].

pub mod about;
pub mod drill;
mod export;
mod filter;
mod init;
mod line;
mod logs;
pub mod metrics;
pub mod names;
mod options;
mod panics;
pub mod settings;
mod signals;
pub mod trace;

pub use export::SHUTDOWN_MS_MAX;
pub use init::{Error, Guard, init};
pub use options::{ENDPOINT_VARIABLE, FILTER_VARIABLE, Options, RATIO_VARIABLE, trace_ratio};
pub use signals::cancel_at_signal;
