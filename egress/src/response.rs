//! An answer whose body comes piece by piece, within the request's limits.

use std::time::Duration;

use baton_common::{ErrorClass, Failure};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::redirect::place;
use crate::{error, retry_after};

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub(crate) inner: reqwest::Response,
    pub(crate) url: Url,
    pub(crate) limits: Limits,
}

/// What is left of a request's limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
    pub(crate) idle: Option<Duration>,
    pub(crate) bytes_max: u64,
    pub(crate) bytes_left: u64,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    /// Whether the status says that it went well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.inner.status().is_success()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// One header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// Where the answer comes from, behind all redirects.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How long the other side wants to be left alone, in milliseconds.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        let exact = self.header("retry-after-ms").and_then(|text| text.trim().parse().ok());
        exact.or_else(|| retry_after::parse(self.header("retry-after")?, jiff::Timestamp::now()))
    }

    /// What the status means, if it is no success.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        (!self.is_success()).then(|| error::of_status(self.status(), &place(&self.url), self.retry_after_ms()))
    }

    /// The answer itself, if its status is a success.
    ///
    /// # Errors
    /// The [`Response::failure`].
    pub fn checked(self) -> Result<Self, Failure> {
        match self.failure() {
            Some(failure) => Err(failure),
            None => Ok(self),
        }
    }

    /// The next piece of the body, or nothing at its end.
    ///
    /// # Errors
    /// When the limits are exceeded or the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let at = place(&self.url);
        let quiet_until = self.limits.idle.map(|idle| Instant::now() + idle);
        let (until, limit) = match (quiet_until, self.limits.idle) {
            (Some(quiet_until), Some(idle)) if quiet_until < self.limits.deadline => (quiet_until, idle),
            _ => (self.limits.deadline, self.limits.timeout),
        };
        let piece = match tokio::time::timeout_at(until, self.inner.chunk()).await {
            Err(_) => return Err(error::timeout(&at, limit)),
            Ok(piece) => piece.map_err(|e| error::of_reqwest(&e, &at))?,
        };
        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        match self.limits.bytes_left.checked_sub(length) {
            Some(left) => self.limits.bytes_left = left,
            None => return Err(error::too_large(&at, self.limits.bytes_max)),
        }
        Ok(piece)
    }

    /// The pieces of the body as a stream that ends with the first failure.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
        stream::unfold(Some(self), async |response| {
            let mut response = response?;
            match response.chunk().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(response))),
                Ok(None) => None,
                Err(failure) => Some((Err(failure), None)),
            }
        })
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Response::chunk`].
    pub async fn bytes(mut self) -> Result<Bytes, Failure> {
        if self.inner.content_length().is_some_and(|length| length > self.limits.bytes_left) {
            return Err(error::too_large(&place(&self.url), self.limits.bytes_max));
        }
        let mut body = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// As [`Response::chunk`], and `http_not_json` when it is none.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let at = place(&self.url);
        serde_json::from_slice(&self.bytes().await?).map_err(|e| {
            Failure::new(
                ErrorClass::Permanent,
                "http_not_json",
                format!("{at} did not answer with the expected JSON: {e}"),
            )
        })
    }
}
