//! How an error travels: a `google.rpc.Status` in the details, holding an `ErrorDetail`.
//!
//! Which code an error has, and what is done about it, is decided elsewhere.

use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};

use crate::v1::ErrorDetail;

const TYPE_URL: &str = "type.googleapis.com/baton.v1.ErrorDetail";

/// The message that gRPC tools expect behind `grpc-status-details-bin`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

const RETRY_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// When to come again, as clients of gRPC know it.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// The same, with when to come again, in milliseconds from now.
#[must_use]
pub fn to_status_again(code: Code, detail: &ErrorDetail, ms: u64) -> Status {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(ms % 1_000 * 1_000_000).unwrap_or(0);
    let again = RetryInfo { retry_delay: Some(prost_types::Duration { seconds, nanos }) };
    let again = Any { type_url: RETRY_URL.to_owned(), value: again.encode_to_vec() };
    status(code, detail, vec![again])
}

/// When to come again, in milliseconds, where a status says so.
#[must_use]
pub fn retry_after_ms(status: &Status) -> Option<u64> {
    let body = RpcStatus::decode(status.details()).ok()?;
    let any = body.details.iter().find(|any| any.type_url == RETRY_URL)?;
    let delay = RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay?;
    Some(u64::try_from(delay.seconds).ok()? * 1_000 + u64::try_from(delay.nanos).ok()? / 1_000_000)
}

/// A status that carries the detail; its message is the cause, so that simple clients see it.
#[must_use]
pub fn to_status(code: Code, detail: &ErrorDetail) -> Status {
    status(code, detail, Vec::new())
}

fn status(code: Code, detail: &ErrorDetail, more: Vec<Any>) -> Status {
    let mut details = vec![Any { type_url: TYPE_URL.to_owned(), value: detail.encode_to_vec() }];
    details.extend(more);
    let body = RpcStatus { code: code as i32, message: detail.cause.clone(), details };
    Status::with_details(code, detail.cause.clone(), body.encode_to_vec().into())
}

/// The detail of a status, if it carries one.
#[must_use]
pub fn of_status(status: &Status) -> Option<ErrorDetail> {
    let body = RpcStatus::decode(status.details()).ok()?;
    let any = body.details.iter().find(|any| any.type_url == TYPE_URL)?;
    ErrorDetail::decode(any.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_survives_the_way() {
        let detail = ErrorDetail {
            code: "run_not_found".to_owned(),
            cause: "there is no run 003".to_owned(),
            cure: "list runs with `baton list`".to_owned(),
            problems: Vec::new(),
        };
        let status = to_status(Code::NotFound, &detail);
        assert_eq!((status.code(), status.message()), (Code::NotFound, "there is no run 003"));
        assert_eq!((of_status(&status), retry_after_ms(&status)), (Some(detail.clone()), None));
        let again = to_status_again(Code::ResourceExhausted, &detail, 2_500);
        assert_eq!((of_status(&again), retry_after_ms(&again)), (Some(detail), Some(2_500)));
    }

    #[test]
    fn a_status_of_someone_else_has_no_detail() {
        assert_eq!(of_status(&Status::unavailable("proxy")), None);
        assert_eq!(of_status(&Status::with_details(Code::Internal, "x", vec![0xff, 0x01].into())), None);
    }
}
