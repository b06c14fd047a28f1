//! [`Http`] over the checked client.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::Failure;
use baton_egress::{Allow, Client, Method, Policy, Request, Url};
use bytes::Bytes;

use crate::ModelConfig;
use crate::http::{Http, HttpReply};

/// The longest call: the attempt's own time limit is what counts.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// The most bytes of an answer, a little more than providers admit themselves.
const BODY_BYTES_MAX: u64 = 80 * 1024 * 1024;

/// A client for the configured models: the policy, and beside it the hosts and ports that
/// the operator named as base URLs.
#[must_use]
pub fn client(config: &ModelConfig, policy: &Policy) -> Arc<dyn Http> {
    let mut policy = policy.clone();
    policy.allow.extend(config.base_urls().iter().filter_map(|url| {
        let url = Url::parse(url).ok()?;
        Some(Allow::new(url.host_str()?, url.port_or_known_default()?))
    }));
    Arc::new(Checked(Client::new(policy)))
}

struct Checked(Client);

#[async_trait]
impl Http for Checked {
    async fn post(&self, url: &str, headers: &[(&str, String)], body: Bytes) -> Result<HttpReply, Failure> {
        let mut request = Request::new(Method::POST, url).body(body).timeout(TIMEOUT).body_bytes_max(BODY_BYTES_MAX);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = self.0.send(request).await?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
        Ok(HttpReply { status: response.status(), headers, body: Box::pin(response.into_stream()) })
    }
}
