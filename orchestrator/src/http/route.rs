//! One call over HTTP: how it is addressed, what it takes, and what answers it.

use std::pin::Pin;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::fields::Fields;
use super::refused::Refused;
use crate::Services;
use crate::api::Caller;
use crate::auth::Scope;

/// What a handler gives.
pub(super) type Answer = Result<Response, Refused>;

/// What answers a call.
pub(super) type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One call.
pub(super) struct Route {
    pub(super) method: Method,
    /// With `{names}`, as in the document.
    pub(super) path: &'static str,
    /// Its name in the document, and so in clients that are made from it.
    pub(super) operation: &'static str,
    /// One line about it.
    pub(super) summary: &'static str,
    pub(super) scope: Scope,
    /// What its query may hold; described under `parameters` in `schemas.json`.
    pub(super) query: &'static [&'static str],
    /// Headers that mean something to it; described there too.
    pub(super) headers: &'static [&'static str],
    /// The schema of its body. Names the schema does not have are refused.
    pub(super) body: Option<&'static str>,
    /// Status, and the schema of what it answers when all is well.
    pub(super) answers: &'static [(u16, &'static str)],
    /// The codes it may refuse with, beside those of every call.
    pub(super) codes: &'static [&'static str],
    pub(super) handler: Handler,
}

/// A call on its way to its handler: let through, and read.
pub(super) struct Call {
    pub(super) services: Services,
    pub(super) caller: Caller,
    pub(super) headers: HeaderMap,
    pub(super) path: Fields,
    pub(super) query: Fields,
    pub(super) body: Fields,
    /// How often a stream that has nothing to say shows that it lives.
    pub(super) heartbeat: Duration,
}

impl Call {
    /// A header's text, where it is one.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.trim().to_owned()).filter(|text| !text.is_empty())
    }
}
