//! Where the orchestrators are, and how to reach one of them.
//!
//! Connections are made when first needed and made again when they break. Any orchestrator
//! serves any call, so a call that one of them did not answer goes to the next.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton_proto::AUTHORIZATION;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::trust::{self, Trust};

/// Where an orchestrator is when nobody says so.
pub const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7420";

const CONNECT: Duration = Duration::from_secs(3);
/// Calls in vain name the next orchestrator, but a connection whose other end is gone without a
/// word is only ended by this.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel that carries the caller's key.
pub type Carrier = InterceptedService<Channel, Bearer>;

/// An address or a key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address is not written as one.
    #[error("{address:?} is no address of an orchestrator ({cause}): write it as http://host:port")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The list holds no address.
    #[error("no address of an orchestrator is given: write it as http://host:port")]
    Empty,
    /// Whom `https` trusts, or what it shows, cannot be used.
    #[error(transparent)]
    Trust(#[from] trust::Error),
    /// The key holds characters that cannot travel. It is not repeated here.
    #[error("the API key holds characters that no key has")]
    Key,
}

/// Adds the API key to every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    fn new(key: Option<&str>) -> Result<Self, Error> {
        let Some(key) = key else { return Ok(Self(None)) };
        let mut value: MetadataValue<Ascii> = format!("Bearer {key}").parse().map_err(|_| Error::Key)?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert(AUTHORIZATION, value.clone());
        }
        Ok(request)
    }
}

/// One or several orchestrators, of which one is asked at a time.
#[derive(Clone)]
pub struct Endpoints {
    carriers: Arc<[Carrier]>,
    names: Arc<[String]>,
    current: Arc<AtomicUsize>,
}

impl Endpoints {
    /// Endpoints of a list of addresses, separated by commas. Connects nowhere yet; must be
    /// called within a runtime.
    ///
    /// # Errors
    /// When the list is empty, or an address or the key is malformed.
    pub fn new(addresses: &str, key: Option<&str>) -> Result<Self, Error> {
        Self::trusting(addresses, key, &Trust::default())
    }

    /// The same where `https` trusts others than this machine does, or shows a certificate.
    ///
    /// # Errors
    /// When the list is empty, or an address, the key or a certificate is malformed.
    pub fn trusting(addresses: &str, key: Option<&str>, trust: &Trust) -> Result<Self, Error> {
        let names: Vec<String> =
            addresses.split(',').map(str::trim).filter(|text| !text.is_empty()).map(with_scheme).collect();
        if names.is_empty() {
            return Err(Error::Empty);
        }
        let bearer = Bearer::new(key)?;
        let carriers = names
            .iter()
            .map(|name| Ok(InterceptedService::new(endpoint(name, trust)?.connect_lazy(), bearer.clone())))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { carriers: carriers.into(), names: names.into(), current: Arc::default() })
    }

    /// The one that answered last, and its place in the list.
    #[must_use]
    pub fn current(&self) -> (usize, Carrier) {
        let place = self.current.load(Ordering::Relaxed) % self.carriers.len();
        (place, self.carriers[place].clone())
    }

    /// The one at `place` did not answer: later calls begin with the next.
    pub fn gave_up_on(&self, place: usize) {
        let next = (place + 1) % self.carriers.len();
        let _ = self.current.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.carriers.len()
    }

    /// Their addresses, for people.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.names.join(", ")
    }
}

/// What went wrong on the way, where nobody answered: a refused connection, a certificate
/// that is not trusted.
#[must_use]
pub fn cause(status: &Status) -> Option<String> {
    let mut cause = std::error::Error::source(status)?;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // A server tells a client without a certificate only after the client has begun to speak.
    let at_once = status.code() == Code::Cancelled || cause.to_string().contains("CertificateRequired");
    let hint = "; a server that asks for a client certificate ends connections so: see BATON_TLS_CLIENT_CERT";
    Some(format!("{cause}{}", if at_once { hint } else { "" }))
}

/// Whether a status says that nothing is known of what happened, so that the call may be
/// made again, here or elsewhere.
#[must_use]
pub fn may_repeat(code: Code) -> bool {
    match code {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Aborted
        | Code::ResourceExhausted => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

fn with_scheme(text: &str) -> String {
    if text.contains("://") { text.to_owned() } else { format!("http://{text}") }
}

fn endpoint(address: &str, trust: &Trust) -> Result<Endpoint, Error> {
    let refused = |cause: &dyn Display| Error::Address { address: address.to_owned(), cause: cause.to_string() };
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| refused(&error))?;
    if endpoint.uri().authority().is_none() {
        return Err(refused(&"it names no host"));
    }
    let endpoint = match endpoint.uri().scheme_str() {
        Some("http") => endpoint,
        Some("https") => endpoint.tls_config(trust.config()).map_err(|error| refused(&error))?,
        _ => return Err(refused(&"only http and https are spoken")),
    };
    Ok(endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_of_addresses_is_taken_in_turn() {
        let endpoints = Endpoints::new("http://a:1, b:2,", None).expect("addresses");
        assert_eq!(endpoints.addresses(), "http://a:1, http://b:2");
        assert_eq!(endpoints.current().0, 0);
        endpoints.gave_up_on(0);
        endpoints.gave_up_on(0);
        assert_eq!(endpoints.current().0, 1, "a late report about the first moves nothing");
        endpoints.gave_up_on(1);
        assert_eq!(endpoints.current().0, 0);
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        for text in ["", " , ", "ftp://x", "http://", "http://a b"] {
            assert!(Endpoints::new(text, None).is_err(), "{text:?}");
        }
        let error = Endpoints::new("a:1", Some("line\nbreak")).map(|_| ()).expect_err("no key");
        assert!(!error.to_string().contains("line"), "the key is not repeated");
    }
}
