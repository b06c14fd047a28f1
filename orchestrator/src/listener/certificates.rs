//! The certificate of a listener, its key, and whose clients it takes: read from files, and
//! read again when they change. A connection keeps what it began with.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::time::Instant;

/// How old what is known of the files may be.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

const CERT: &str = "BATON_TLS_CERT";
const KEY: &str = "BATON_TLS_KEY";
const CLIENT_CA: &str = "BATON_TLS_CLIENT_CA";

/// Certificates that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One of the settings stands without the other it needs.
    #[error("{0} is set and {1} is not: TLS takes both")]
    Half(&'static str, &'static str),
    /// A file does not read as what it must hold.
    #[error("{setting} does not read: {path}: {cause}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// Certificate and key are no pair, or cannot be used so.
    #[error("the certificate of {CERT} cannot be used with the key of {KEY}: {0}")]
    Pair(String),
}

/// Where certificates lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// Who vouches for clients, in PEM; without it nobody asks them for a certificate.
    pub client_ca: Option<PathBuf>,
}

impl Error {
    /// The setting it is about.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Half(setting, _) | Self::File { setting, .. } => setting,
            Self::Pair(_) => CERT,
        }
    }
}

impl TlsFiles {
    /// What the settings of these names hold; none where they name nothing.
    ///
    /// # Errors
    /// When only a part of it is named.
    pub fn of(path: impl Fn(&str) -> Option<PathBuf>) -> Result<Option<Self>, Error> {
        match (path(CERT), path(KEY), path(CLIENT_CA)) {
            (Some(certificate), Some(key), client_ca) => Ok(Some(Self { certificate, key, client_ca })),
            (Some(_), None, _) => Err(Error::Half(CERT, KEY)),
            (None, Some(_), _) => Err(Error::Half(KEY, CERT)),
            (None, None, Some(_)) => Err(Error::Half(CLIENT_CA, CERT)),
            (None, None, None) => Ok(None),
        }
    }

    /// Everything that is wrong with them.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Error> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map(drop).map_err(|cause| refused(KEY, &self.key, &cause));
        let client_ca = self.client_ca.as_ref().map(|path| certificates(CLIENT_CA, path).map(drop));
        let each = [certificates(CERT, &self.certificate).map(drop), key, client_ca.unwrap_or(Ok(()))];
        let wrong: Vec<Error> = each.into_iter().filter_map(Result::err).collect();
        if wrong.is_empty() { read(self, b"h2").err().into_iter().collect() } else { wrong }
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// What a listener shows and asks for.
pub struct Certificates {
    files: TlsFiles,
    protocol: &'static [u8],
    known: Mutex<Known>,
}

struct Known {
    config: Arc<ServerConfig>,
    seen: Seen,
    looked_at: Instant,
}

/// Times and sizes of the files.
type Seen = Vec<Option<(SystemTime, u64)>>;

impl Certificates {
    /// Reads them for a listener that speaks HTTP/2.
    ///
    /// # Errors
    /// When a file does not read, or they do not fit together.
    pub fn http2(files: TlsFiles) -> Result<Self, Error> {
        Self::new(files, b"h2")
    }

    /// Reads them for a listener that speaks HTTP/1.1.
    ///
    /// # Errors
    /// When a file does not read, or they do not fit together.
    pub fn http1(files: TlsFiles) -> Result<Self, Error> {
        Self::new(files, b"http/1.1")
    }

    fn new(files: TlsFiles, protocol: &'static [u8]) -> Result<Self, Error> {
        let seen = look(&files);
        let config = Arc::new(read(&files, protocol)?);
        Ok(Self { files, protocol, known: Mutex::new(Known { config, seen, looked_at: Instant::now() }) })
    }

    /// What the files say, as of a second ago at the latest. Files that do not read change
    /// nothing.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let mut known = self.known.lock();
        if known.looked_at.elapsed() >= LOOK_EVERY {
            known.looked_at = Instant::now();
            let seen = look(&self.files);
            if seen != known.seen {
                known.seen = seen;
                match read(&self.files, self.protocol) {
                    Ok(config) => {
                        known.config = Arc::new(config);
                        tracing::info!(certificate = %self.files.certificate.display(), "certificates read again");
                    }
                    Err(error) => tracing::error!(%error, "new certificates do not read; the old ones stay"),
                }
            }
        }
        known.config.clone()
    }
}

fn look(files: &TlsFiles) -> Seen {
    let of = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    files.all().map(of).collect()
}

fn read(files: &TlsFiles, protocol: &[u8]) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(CERT, &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|cause| refused(KEY, &files.key, &cause))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Pair(error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(CLIENT_CA, path)? {
                roots.add(root).map_err(|cause| refused(CLIENT_CA, path, &cause))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|cause| refused(CLIENT_CA, path, &cause))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| Error::Pair(error.to_string()))?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

fn certificates(setting: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|cause| refused(setting, path, &cause))?;
    if all.is_empty() { Err(refused(setting, path, &"it holds no certificate")) } else { Ok(all) }
}

fn refused(setting: &'static str, path: &Path, cause: &dyn Display) -> Error {
    Error::File { setting, path: path.display().to_string(), cause: cause.to_string() }
}
