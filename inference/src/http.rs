//! What providers need of an HTTP client: one streaming POST. [`crate::egress`] implements
//! it over the checked client; nothing else may.

use std::pin::Pin;

use async_trait::async_trait;
use baton_common::Failure;
use bytes::Bytes;
use futures_util::Stream;

/// A body as it comes.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// A reply whose body is still to come.
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl HttpReply {
    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// The first header of that lower-case name.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A client that can post.
#[async_trait]
pub trait Http: Send + Sync {
    /// Posts and returns once the head of the reply is there.
    ///
    /// # Errors
    /// `transient` when nothing came back, `refused` when a policy forbids the address.
    async fn post(&self, url: &str, headers: &[(&str, String)], body: Bytes) -> Result<HttpReply, Failure>;
}
