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

/// A status that carries the detail; its message is the cause, so that simple clients see it.
#[must_use]
pub fn to_status(code: Code, detail: &ErrorDetail) -> Status {
    let body = RpcStatus {
        code: code as i32,
        message: detail.cause.clone(),
        details: vec![Any { type_url: TYPE_URL.to_owned(), value: detail.encode_to_vec() }],
    };
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
        assert_eq!(of_status(&status), Some(detail));
    }

    #[test]
    fn a_status_of_someone_else_has_no_detail() {
        assert_eq!(of_status(&Status::unavailable("proxy")), None);
        assert_eq!(of_status(&Status::with_details(Code::Internal, "x", vec![0xff, 0x01].into())), None);
    }
}
