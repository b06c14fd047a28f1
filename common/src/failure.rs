//! Failures: what went wrong with a job, a node or a run, in a form that can be stored,
//! routed on and shown to a person.

use serde::{Deserialize, Serialize};

/// What a failure allows: the first four may be tried again, the others may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The same call may succeed later: a refused connection, an overloaded server.
    Transient,
    /// The other side asked for a pause.
    RateLimited,
    /// The attempt ran past its time.
    Timeout,
    /// The worker that ran the attempt went away.
    WorkerLost,
    /// The arguments are wrong; the same call will always fail.
    Invalid,
    /// A policy forbids the call.
    Refused,
    /// It failed, and trying again will not help.
    Permanent,
    /// Several workers died running it.
    Poison,
    /// It was cancelled.
    Cancelled,
    /// A question was not answered in time.
    Expired,
}

impl ErrorClass {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Transient,
        Self::RateLimited,
        Self::Timeout,
        Self::WorkerLost,
        Self::Invalid,
        Self::Refused,
        Self::Permanent,
        Self::Poison,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Whether another attempt may be made at all.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimited | Self::Timeout | Self::WorkerLost)
    }

    /// The name used in graphs, records and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::WorkerLost => "worker_lost",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Permanent => "permanent",
            Self::Poison => "poison",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl std::fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One failure. `code` is stable and documented in `docs/errors/`; `message` is for people
/// and holds no secret and no prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// What may be done about it.
    pub class: ErrorClass,
    /// Stable, lower-case, words joined by `_`.
    pub code: String,
    /// A phrase for people.
    pub message: String,
    /// The other side's wish for a pause before the next attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure of that class and code.
    pub fn new(class: ErrorClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class, code: code.into(), message: message.into(), retry_after_ms: None }
    }

    /// The arguments are wrong.
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Invalid, code, message)
    }

    /// A policy forbids it.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Refused, code, message)
    }

    /// It may succeed later.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Transient, code, message)
    }

    /// It will not succeed.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Permanent, code, message)
    }

    /// The attempt ran past `ms` milliseconds.
    #[must_use]
    pub fn timeout(ms: u64) -> Self {
        Self::new(ErrorClass::Timeout, "timeout", format!("the attempt ran longer than {ms} ms"))
    }

    /// The same failure with the other side's wish for a pause.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }
}
