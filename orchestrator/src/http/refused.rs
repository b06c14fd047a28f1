//! From our errors to HTTP: one closed table of statuses, and the body that tells code,
//! cause and cure.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use baton_engine::spec::Problem;
use serde_json::json;

use super::view;
use crate::api::{ApiError, ErrorKind};
use crate::auth;

/// Why a call is not answered with what it asked for.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) error: ApiError,
    /// What is wrong with a graph, and where.
    pub(super) problems: Vec<Problem>,
    /// In place of the status of its kind, for what only HTTP knows.
    status: Option<StatusCode>,
}

/// The status of each kind.
pub(super) fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Refused {
    /// An error that HTTP has a status of its own for.
    pub(super) fn with_status(error: ApiError, status: StatusCode) -> Self {
        Self { status: Some(status), ..Self::from(error) }
    }

    /// A graph that is not valid.
    pub(super) fn with_problems(error: ApiError, problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::from(error) }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| status_of(self.error.kind))
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, problems: Vec::new(), status: None }
    }
}

impl From<auth::Error> for Refused {
    fn from(error: auth::Error) -> Self {
        ApiError::from(error).into()
    }
}

/// An error as it stands in a body, with the names that the command line uses too.
pub(super) fn body(error: &ApiError, problems: &[Problem]) -> serde_json::Value {
    let mut body = json!({ "code": error.code, "cause": error.cause, "cure": error.cure, "kind": error.kind.name() });
    if let Some(ms) = error.retry_after_ms {
        body["retry_after_ms"] = ms.into();
    }
    if !problems.is_empty() {
        body["problems"] = problems.iter().map(view::problem).collect();
    }
    json!({ "error": body })
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if self.error.kind == ErrorKind::Internal {
            tracing::error!(code = %self.error.code, cause = %self.error.cause, "call failed");
        }
        let mut response = view::json(self.status(), &body(&self.error, &self.problems));
        let headers = response.headers_mut();
        match self.error.kind {
            ErrorKind::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            ErrorKind::Unavailable | ErrorKind::Exhausted => {
                let seconds = self.error.retry_after_ms.unwrap_or(1_000).div_ceil(1_000).max(1);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_status_of_its_own_and_tells_code_cause_and_cure() {
        let kinds = [
            (ErrorKind::NotFound, 404),
            (ErrorKind::Invalid, 400),
            (ErrorKind::Conflict, 409),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Exhausted, 429),
            (ErrorKind::Denied, 403),
            (ErrorKind::Unauthenticated, 401),
            (ErrorKind::Internal, 500),
        ];
        for (kind, status) in kinds {
            let error = ApiError::new(kind, "some_code", "the cause", "the cure");
            let told = &body(&error, &[])["error"];
            assert_eq!(
                (&told["code"], &told["cause"], &told["cure"]),
                (&"some_code".into(), &"the cause".into(), &"the cure".into())
            );
            assert_eq!(Refused::from(error).into_response().status().as_u16(), status);
        }
    }
}
