//! What a redirect does to a request. Whether its target may be reached is checked like
//! that of any request.

use baton_common::Failure;
use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT,
};
use reqwest::{Method, StatusCode};
use url::Url;

/// Headers that may follow to another origin; all others may hold a secret.
const HARMLESS: [HeaderName; 6] =
    [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_LANGUAGE, CONTENT_TYPE, USER_AGENT];

/// One request on its way, changed by each redirect.
pub(crate) struct Hop {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Whether the status asks to go elsewhere.
pub(crate) fn asked(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Hop {
    /// The request that follows the redirect.
    pub(crate) fn follow(mut self, status: StatusCode, location: &str) -> Result<Self, Failure> {
        let bad = || Failure::permanent("http_bad_redirect", format!("{} redirects to no address", place(&self.url)));
        let target = self.url.join(location).map_err(|_| bad())?;
        if self.url.scheme() == "https" && target.scheme() != "https" {
            return Err(Failure::refused(
                "egress_downgrade",
                format!(
                    "{} redirects from https to {}; call the final address itself",
                    place(&self.url),
                    target.scheme()
                ),
            ));
        }
        if target.origin() != self.url.origin() {
            let kept = HARMLESS.iter().filter_map(|name| Some((name.clone(), self.headers.get(name)?.clone())));
            self.headers = kept.collect();
        }
        let to_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if to_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
        }
        self.url = target;
        Ok(self)
    }
}

/// Scheme, host and port of a URL: what messages may show of it.
pub(crate) fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}
