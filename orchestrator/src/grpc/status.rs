//! From our errors to gRPC: one closed table of codes, and the detail that tells code,
//! cause and cure.

use baton_control::grpc::convert::Malformed;
use baton_proto::{detail, v1};
use tonic::{Code, Status};

use crate::api::{ApiError, ErrorKind};
use crate::auth;

/// The code of each kind.
pub(super) fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Conflict => Code::FailedPrecondition,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Internal => Code::Internal,
    }
}

/// An error of the API as a status.
pub(super) fn of_api(error: ApiError) -> Status {
    with_problems(error, Vec::new())
}

/// An error of the API as a status that also tells what is wrong with a graph.
pub(super) fn with_problems(error: ApiError, problems: Vec<v1::Problem>) -> Status {
    if error.kind == ErrorKind::Internal {
        tracing::error!(code = %error.code, cause = %error.cause, "call failed");
    }
    let code = code_of(error.kind);
    let detail = v1::ErrorDetail { code: error.code, cause: error.cause, cure: error.cure, problems };
    match error.retry_after_ms {
        Some(ms) => detail::to_status_again(code, &detail, ms),
        None => detail::to_status(code, &detail),
    }
}

/// A malformed field as a status.
pub(super) fn of_malformed(error: Malformed) -> Status {
    of_api(ApiError::invalid("malformed_request", error.to_string(), "send what the proto describes"))
}

/// A refused caller as a status.
pub(super) fn of_auth(error: auth::Error) -> Status {
    of_api(error.into())
}

/// What the control plane refuses a worker, as a status.
pub(super) fn of_control(error: baton_control::Error) -> Status {
    of_api(error.into())
}

/// The status of calls that a server in drain ends early.
pub(super) fn draining() -> Status {
    of_api(ApiError::draining())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_code_of_its_own_and_tells_code_cause_and_cure() {
        let kinds = [
            (ErrorKind::NotFound, Code::NotFound),
            (ErrorKind::Invalid, Code::InvalidArgument),
            (ErrorKind::Conflict, Code::FailedPrecondition),
            (ErrorKind::Unavailable, Code::Unavailable),
            (ErrorKind::Exhausted, Code::ResourceExhausted),
            (ErrorKind::Denied, Code::PermissionDenied),
            (ErrorKind::Unauthenticated, Code::Unauthenticated),
            (ErrorKind::Internal, Code::Internal),
        ];
        for (kind, code) in kinds {
            let status = of_api(ApiError::new(kind, "some_code", "the cause", "the cure"));
            let detail = detail::of_status(&status).expect("a detail");
            assert_eq!((status.code(), status.message()), (code, "the cause"));
            assert_eq!((detail.code.as_str(), detail.cure.as_str()), ("some_code", "the cure"));
        }
    }

    #[test]
    fn a_missing_key_and_a_missing_scope_differ() {
        assert_eq!(of_auth(auth::Error::Missing).code(), Code::Unauthenticated);
        assert_eq!(of_auth(auth::Error::Scope(auth::Scope::Work)).code(), Code::PermissionDenied);
    }
}
