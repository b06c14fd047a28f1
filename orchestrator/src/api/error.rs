//! The one error of the API: what went wrong, why, and what helps.
//!
//! `kind` is closed and maps to status codes at the edges; `code` names the page in
//! `docs/errors/`. Failures of a run are no errors of the API: they are part of a
//! [`super::RunView`].

use baton_common::Failure;
use baton_common::failure::ErrorClass;

use crate::auth;

/// What a caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// It does not exist, or belongs to somebody else.
    NotFound,
    /// The request is wrong; the same request will always fail.
    Invalid,
    /// It contradicts what is recorded.
    Conflict,
    /// Nothing is known of what happened: repeat the same request.
    Unavailable,
    /// A bound is reached; it may pass.
    Exhausted,
    /// The caller may not do this.
    Denied,
    /// Nobody knows who calls.
    Unauthenticated,
    /// A fault of the program.
    Internal,
}

impl ErrorKind {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Exhausted => "exhausted",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::Internal => "internal",
        }
    }
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {cause}")]
pub struct ApiError {
    /// Stable, lower-case, words joined by `_`.
    pub code: String,
    /// What is wrong, as a phrase.
    pub cause: String,
    /// What helps, as a phrase; empty where nothing is known.
    pub cure: String,
    /// What may be done about it.
    pub kind: ErrorKind,
    /// When to come again, in milliseconds from now, where that is known.
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, code: impl Into<String>, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { kind, code: code.into(), cause: cause.into(), cure: cure.into(), retry_after_ms: None }
    }

    /// The same, with when to come again, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(self, ms: u64) -> Self {
        Self { retry_after_ms: Some(ms), ..self }
    }

    /// The request is wrong.
    pub fn invalid(code: impl Into<String>, cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, cause, cure)
    }

    /// There is no such thing, or it is not the caller's.
    pub fn not_found(what: &'static str, name: impl std::fmt::Display) -> Self {
        let cause = format!("there is no {what} {name}");
        Self::new(ErrorKind::NotFound, format!("{}_not_found", what.replace(' ', "_")), cause, "check the name")
    }

    /// A server in drain ends calls early.
    #[must_use]
    pub fn draining() -> Self {
        let cause = "this orchestrator is shutting down";
        Self::new(ErrorKind::Unavailable, "draining", cause, "call again: another one goes on")
    }

    /// A fault of the program.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, "internal", cause.to_string(), "look into the orchestrator's log")
    }
}

impl From<baton_store::Error> for ApiError {
    fn from(error: baton_store::Error) -> Self {
        let cause = error.to_string();
        match error {
            baton_store::Error::Unavailable(_) => {
                Self::new(ErrorKind::Unavailable, "store_unavailable", cause, "repeat the same request")
            }
            baton_store::Error::Full(_) => Self::new(ErrorKind::Exhausted, "store_full", cause, "give the store room"),
            baton_store::Error::Broken(_) => {
                Self::new(ErrorKind::Internal, "store_broken", cause, "look into the orchestrator's log")
            }
        }
    }
}

impl From<auth::Error> for ApiError {
    fn from(error: auth::Error) -> Self {
        let cause = error.to_string();
        let unknown = |code: &str, cure: &str| Self::new(ErrorKind::Unauthenticated, code, cause.as_str(), cure);
        match error {
            auth::Error::Missing => unknown("api_key_missing", "set BATON_API_KEY"),
            auth::Error::Unknown => {
                unknown("api_key_unknown", "check BATON_API_KEY, or make a key with `baton keys create`")
            }
            auth::Error::Expired => unknown("api_key_expired", "make a new key with `baton keys create`"),
            auth::Error::Scope(_) => {
                let cure = "use a key with this scope: `baton keys create --scope …`";
                Self::new(ErrorKind::Denied, "scope_missing", cause, cure)
            }
            auth::Error::Failed(failed) => failed,
        }
    }
}

impl From<baton_control::Error> for ApiError {
    fn from(error: baton_control::Error) -> Self {
        match error {
            baton_control::Error::Unavailable(cause) => {
                Self::new(ErrorKind::Unavailable, "control_unavailable", cause, "")
            }
            baton_control::Error::Refused(cause) => Self::new(ErrorKind::Denied, "control_refused", cause, ""),
        }
    }
}

impl From<baton_blobs::Error> for ApiError {
    fn from(error: baton_blobs::Error) -> Self {
        let cause = error.to_string();
        match error {
            baton_blobs::Error::NotFound(key) => Self::not_found("blob", key),
            baton_blobs::Error::Key(_) => Self::invalid("invalid_path", cause, "use a relative path of plain names"),
            baton_blobs::Error::Failed { .. } => {
                Self::new(ErrorKind::Unavailable, "blobs_unavailable", cause, "repeat the same request")
            }
            baton_blobs::Error::Changed { .. }
            | baton_blobs::Error::UnknownStore(_)
            | baton_blobs::Error::Setting(_) => Self::internal(cause),
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let kind = match failure.class {
            ErrorClass::Invalid => ErrorKind::Invalid,
            ErrorClass::Refused => ErrorKind::Denied,
            ErrorClass::Transient | ErrorClass::Timeout | ErrorClass::WorkerLost => ErrorKind::Unavailable,
            ErrorClass::RateLimited => ErrorKind::Exhausted,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, failure.code, failure.message, "")
    }
}
