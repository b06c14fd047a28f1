//! Certificates of a connection to the broker: whom it trusts beside the system, and what it
//! shows. Read from the files that an address names, once.

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};

use super::options::OptionsError;

/// What the files hold; nothing by default.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Certificates {
    ca: Option<String>,
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl Certificates {
    /// Reads the file of a parameter; says whether the parameter names one.
    pub(super) fn set(&mut self, name: &str, path: &str) -> Result<bool, OptionsError> {
        let read = || read(name, path);
        match name {
            "ca_file" => self.ca = Some(String::from_utf8_lossy(&read()?).into_owned()),
            "cert_file" => self.certificate = Some(read()?),
            "key_file" => self.key = Some(read()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether they fit together, and to an address with or without TLS.
    pub(super) fn fit(&self, tls: bool) -> Result<(), OptionsError> {
        let refused = |cause: &str| Err(OptionsError::Address(cause.to_owned()));
        match (tls, &self.certificate, &self.key) {
            (false, ..) if *self != Self::default() => {
                refused("certificates are named, but the scheme is one without TLS: use amqps")
            }
            (_, Some(_), None) | (_, None, Some(_)) => refused("cert_file and key_file go together"),
            _ => Ok(()),
        }
    }

    pub(super) fn config(&self) -> OwnedTLSConfig {
        let identity = self.certificate.clone().zip(self.key.clone());
        OwnedTLSConfig {
            identity: identity.map(|(pem, key)| OwnedIdentity::PKCS8 { pem, key }),
            cert_chain: self.ca.clone(),
        }
    }
}

fn read(name: &str, path: &str) -> Result<Vec<u8>, OptionsError> {
    let refused = |cause: String| OptionsError::File { name: name.to_owned(), path: path.to_owned(), cause };
    let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    // What holds no block of PEM would be taken for nobody to trust.
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        Ok(bytes)
    } else {
        Err(refused("it holds no PEM".to_owned()))
    }
}
