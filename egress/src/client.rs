//! Sends requests: checks the target, follows redirects, keeps the time. Two connectors
//! stand behind it, and they share no connection: one reaches public addresses only, one
//! reaches what the operator's list names.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use baton_common::Failure;
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use tokio::time::Instant;
use url::{Host, Url};

use crate::redirect::{Hop, asked, place};
use crate::resolve::Resolver;
use crate::response::Limits;
use crate::{Lookup, Policy, Request, Response, SystemLookup, address, error};

/// The checked HTTP client; a clone shares its connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    lookup: Arc<dyn Lookup>,
    public: OnceLock<Option<reqwest::Client>>,
    allowed: OnceLock<Option<reqwest::Client>>,
}

impl Client {
    /// A client under that policy. Certificates are read at the first request.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::with_lookup(policy, Arc::new(SystemLookup))
    }

    /// The same, with another way of finding addresses.
    #[must_use]
    pub fn with_lookup(policy: Policy, lookup: Arc<dyn Lookup>) -> Self {
        let (public, allowed) = (OnceLock::new(), OnceLock::new());
        Self { inner: Arc::new(Inner { policy, lookup, public, allowed }) }
    }

    /// Sends a request and gives back the answer, whatever its status; the body is still
    /// to come. Dropping the future or the answer ends the request.
    ///
    /// # Errors
    /// When the policy refuses the target, when it cannot be reached or does not answer in
    /// time, and when the request cannot be written.
    pub async fn send(&self, request: Request) -> Result<Response, Failure> {
        let policy = &self.inner.policy;
        let timeout = request.timeout.unwrap_or(Duration::from_millis(policy.timeout_ms));
        let bytes_max = request.body_bytes_max.unwrap_or(policy.body_bytes_max);
        let deadline = Instant::now() + timeout;
        let limits = Limits { timeout, deadline, idle: request.idle, bytes_max, bytes_left: bytes_max };
        let url = Url::parse(&request.url).map_err(|e| Failure::invalid("http_bad_url", format!("not a URL: {e}")))?;
        let headers = headers(&request.headers)?;
        let mut hop = Hop { method: request.method, url, headers, body: request.body };
        for _ in 0..=policy.redirects_max {
            let inner = self.once(&hop, limits).await?;
            let status = inner.status();
            let location = inner.headers().get("location").and_then(|value| value.to_str().ok());
            match location.filter(|_| asked(status)) {
                None => return Ok(Response { inner, url: hop.url, limits }),
                Some(location) => hop = hop.follow(status, location)?,
            }
        }
        let message = format!("{} is one redirect too many: {} are followed", place(&hop.url), policy.redirects_max);
        Err(Failure::permanent("http_too_many_redirects", message))
    }

    async fn once(&self, hop: &Hop, limits: Limits) -> Result<reqwest::Response, Failure> {
        let at = place(&hop.url);
        let connector = self.connector_for(&hop.url)?;
        let request = connector
            .request(hop.method.clone(), hop.url.clone())
            .headers(hop.headers.clone())
            .body(reqwest::Body::from(hop.body.clone()));
        match tokio::time::timeout_at(limits.deadline, request.send()).await {
            Err(_) => Err(error::timeout(&at, limits.timeout)),
            Ok(answer) => answer.map_err(|e| error::of_reqwest(&e, &at)),
        }
    }

    /// Judges the target. A name is judged by the connector, by its addresses.
    fn connector_for(&self, url: &Url) -> Result<&reqwest::Client, Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            let message = format!("{} is not http or https", url.scheme());
            return Err(Failure::refused("egress_scheme", message));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let message = "the URL holds a user name or password; use the authorization header";
            return Err(Failure::invalid("http_bad_url", message));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Failure::invalid("http_bad_url", "the URL names no host"));
        };
        let inner = &self.inner;
        if inner.policy.allows(&host.to_string(), port) {
            return inner.connector(&inner.allowed, false);
        }
        let literal = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if let Some(reason) = literal.and_then(address::objection) {
            return Err(error::not_public(&place(url), reason));
        }
        inner.connector(&inner.public, true)
    }
}

impl Inner {
    fn connector<'a>(
        &self,
        place: &'a OnceLock<Option<reqwest::Client>>,
        public_only: bool,
    ) -> Result<&'a reqwest::Client, Failure> {
        place.get_or_init(|| self.build(public_only)).as_ref().ok_or_else(|| {
            Failure::permanent("http_unavailable_here", "the HTTP client cannot be set up on this machine")
        })
    }

    fn build(&self, public_only: bool) -> Option<reqwest::Client> {
        // Another part of the process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(Duration::from_millis(self.policy.connect_timeout_ms))
                .dns_resolver(Resolver { lookup: self.lookup.clone(), public_only })
        };
        // A machine without root certificates can still speak http; https then fails with
        // a certificate error.
        let built = builder().build().or_else(|error| {
            tracing::warn!(%error, "no root certificates found, https will fail");
            builder().tls_certs_only([]).build()
        });
        built.inspect_err(|error| tracing::error!(%error, "cannot set up the http client")).ok()
    }
}

/// Headers that belong to the connection are not the caller's to set.
fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let bad = |rule: &str| Failure::invalid("http_bad_header", format!("the header {name:?} {rule}"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("has no valid name"))?;
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE].contains(&parsed) {
            return Err(bad("is set by the client itself"));
        }
        let value =
            HeaderValue::from_str(value).map_err(|_| bad("has a value with characters that headers cannot hold"))?;
        headers.insert(parsed, value);
    }
    Ok(headers)
}
