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
    detail::to_status(code, &v1::ErrorDetail { code: error.code, cause: error.cause, cure: error.cure, problems })
}

/// A malformed field as a status.
pub(super) fn of_malformed(error: Malformed) -> Status {
    of_api(ApiError::invalid("malformed_request", error.to_string(), "send what the proto describes"))
}

/// A refused caller as a status.
pub(super) fn of_auth(error: auth::Error) -> Status {
    let (code, name, cure) = match &error {
        auth::Error::Missing => (Code::Unauthenticated, "api_key_missing", "set BATON_API_KEY"),
        auth::Error::Unknown => {
            (Code::Unauthenticated, "api_key_unknown", "check BATON_API_KEY, or make a key with `baton keys create`")
        }
        auth::Error::Scope(_) => {
            (Code::PermissionDenied, "scope_missing", "use a key with this scope: `baton keys create --scope …`")
        }
        auth::Error::Failed(failed) => return of_api(failed.clone()),
    };
    let detail = v1::ErrorDetail { code: name.into(), cause: error.to_string(), cure: cure.into(), problems: vec![] };
    detail::to_status(code, &detail)
}

/// What the control plane refuses a worker, as a status.
pub(super) fn of_control(error: baton_control::Error) -> Status {
    let (kind, name, cause) = match error {
        baton_control::Error::Unavailable(cause) => (ErrorKind::Unavailable, "control_unavailable", cause),
        baton_control::Error::Refused(cause) => (ErrorKind::Denied, "control_refused", cause),
    };
    of_api(ApiError::new(kind, name, cause, ""))
}

/// The status of calls that a server in drain ends early.
pub(super) fn draining() -> Status {
    of_api(ApiError::new(
        ErrorKind::Unavailable,
        "draining",
        "this orchestrator is shutting down",
        "call again: another one goes on",
    ))
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
