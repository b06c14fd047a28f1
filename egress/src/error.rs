//! From what the HTTP library says to a failure with code, cause and cure.

use std::error::Error;
use std::time::Duration;

use baton_common::{ErrorClass, Failure};

use crate::resolve::{Refused, Unknown};

/// The request could not be sent or its answer not be read.
pub(crate) fn of_reqwest(error: &reqwest::Error, place: &str) -> Failure {
    if let Some(refused) = cause::<Refused>(error) {
        return not_public(place, &refused.to_string());
    }
    if let Some(unknown) = cause::<Unknown>(error) {
        return Failure::transient(
            "http_name_unknown",
            format!("{unknown}; check the host's spelling and the network"),
        );
    }
    if error.is_timeout() {
        let message = format!("{place} did not accept the connection in time");
        return Failure::new(ErrorClass::Timeout, "http_timeout", message);
    }
    if error.is_builder() {
        return Failure::invalid("http_bad_request", format!("the request to {place} cannot be written"));
    }
    let reason = innermost(error);
    if reason.contains("certificate") || reason.contains("UnknownIssuer") {
        return Failure::permanent("http_bad_certificate", format!("{place} cannot be trusted: {reason}"));
    }
    let code = if error.is_connect() { "http_unreachable" } else { "http_broken" };
    Failure::transient(code, format!("{place}: {reason}"))
}

/// The address is not public and no exception names it.
pub(crate) fn not_public(place: &str, reason: &str) -> Failure {
    Failure::refused(
        "egress_refused",
        format!("{place} is not public: {reason}; an operator may allow its host and port in egress.allow"),
    )
}

/// The time of the request is over.
pub(crate) fn timeout(place: &str, limit: Duration) -> Failure {
    let message = format!("{place} did not answer within {} ms", limit.as_millis());
    Failure::new(ErrorClass::Timeout, "http_timeout", message)
}

/// The answer has more bytes than the request allows.
pub(crate) fn too_large(place: &str, bytes_max: u64) -> Failure {
    Failure::permanent("http_too_large", format!("the answer of {place} has more than {bytes_max} bytes"))
}

/// What a status that is no success means for another attempt.
pub(crate) fn of_status(status: u16, place: &str, retry_after_ms: Option<u64>) -> Failure {
    let (class, code) = match status {
        429 => (ErrorClass::RateLimited, "http_rate_limited"),
        408 | 425 | 500 | 502 | 503 | 504 | 520..=529 => (ErrorClass::Transient, "http_unavailable"),
        401 | 403 | 407 => (ErrorClass::Permanent, "http_unauthorized"),
        404 | 410 => (ErrorClass::Permanent, "http_not_found"),
        _ => (ErrorClass::Permanent, "http_status"),
    };
    let mut failure = Failure::new(class, code, format!("{place} answered with status {status}"));
    failure.retry_after_ms = retry_after_ms.filter(|_| class.retryable());
    failure
}

fn cause<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|error| error.downcast_ref::<T>())
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the connection failed".to_owned(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}
