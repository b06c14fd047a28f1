//! Whom a client of the control plane trusts over TLS, and what it shows of itself. The
//! files are read when a program starts.

use std::path::Path;

use baton_common::sources::Sources;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

const CA: &str = "BATON_TLS_CA";
const CERT: &str = "BATON_TLS_CLIENT_CERT";
const KEY: &str = "BATON_TLS_CLIENT_KEY";
const NAME: &str = "BATON_TLS_NAME";

/// A certificate or a key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file does not read.
    #[error("{setting} does not read: {path}: {cause}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("{0} is set and {1} is not: a client shows both or none")]
    Half(&'static str, &'static str),
}

impl Error {
    /// The setting that cannot be used.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        match self {
            Self::File { setting, .. } | Self::Half(setting, _) => setting,
        }
    }
}

/// What `https` begins with. The default trusts whom the machine trusts, and shows nothing.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    ca: Option<Certificate>,
    identity: Option<Identity>,
    name: Option<String>,
}

impl Trust {
    /// What the settings say: `BATON_TLS_CA` in place of whom the machine trusts,
    /// `BATON_TLS_CLIENT_CERT` with its key for who asks for one, and `BATON_TLS_NAME` where
    /// the server's certificate does not name the address.
    ///
    /// # Errors
    /// When a file does not read, or a part is missing.
    pub fn of(sources: &Sources) -> Result<Self, Error> {
        let file = |name, path: &str| sources.or_noted(name, read(name, path).map(Some), || None);
        let named = |name| sources.get(name).map_or(Ok(None), |path| file(name, &path));
        let half = |there, missing| sources.or_noted(there, Err(Error::Half(there, missing)), || ());
        let (ca, certificate, key) = (named(CA)?, named(CERT)?, named(KEY)?);
        match (sources.get(CERT), sources.get(KEY)) {
            (Some(_), None) => half(CERT, KEY)?,
            (None, Some(_)) => half(KEY, CERT)?,
            _ => {}
        }
        let identity = certificate.zip(key).map(|(certificate, key)| Identity::from_pem(certificate, key));
        Ok(Self { ca: ca.map(Certificate::from_pem), identity, name: sources.get(NAME) })
    }

    pub(super) fn config(&self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new();
        let config = match &self.ca {
            Some(ca) => config.ca_certificate(ca.clone()),
            None => config.with_native_roots(),
        };
        let config = match &self.identity {
            Some(identity) => config.identity(identity.clone()),
            None => config,
        };
        match &self.name {
            Some(name) => config.domain_name(name.clone()),
            None => config,
        }
    }
}

fn read(setting: &'static str, path: &str) -> Result<Vec<u8>, Error> {
    let refused = |cause: String| Error::File { setting, path: path.to_owned(), cause };
    let bytes = std::fs::read(Path::new(path)).map_err(|error| refused(error.to_string()))?;
    // What holds no block of PEM would be taken for nobody to trust.
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        Ok(bytes)
    } else {
        Err(refused("it holds no PEM".to_owned()))
    }
}
