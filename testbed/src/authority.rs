//! A certificate authority that no machine knows, and a certificate of it for servers on
//! 127.0.0.1. Made anew for each test and gone with it; who trusts it is left to tests,
//! which name [`Authority::roots`] in `SSL_CERT_FILE` of the programs they start.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// The authority and its one server, as files.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Makes keys and certificates.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn new() -> anyhow::Result<Self> {
        let mut root = CertificateParams::new(Vec::new())?;
        root.distinguished_name.push(DnType::CommonName, "An authority of a test");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = KeyPair::generate()?;
        let root_pem = root.self_signed(&root_key)?.pem();
        let server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let server_key = KeyPair::generate()?;
        let server_pem = server.signed_by(&server_key, &Issuer::new(root, root_key))?.pem();
        let authority = Self { folder: tempfile::Builder::new().prefix("baton-authority-").tempdir()? };
        let files = [
            (authority.roots(), root_pem),
            (authority.certificate(), server_pem),
            (authority.key(), server_key.serialize_pem()),
        ];
        for (path, text) in files {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(authority)
    }

    /// The authority's own certificate, in PEM.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    /// The server's certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// The server's private key, in PEM.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("server.key")
    }

    /// Arguments with which Redis speaks TLS on `port`, beside its plain port.
    #[must_use]
    pub fn redis_args(&self, port: u16) -> Vec<String> {
        let (port, roots, certificate, key) = (port.to_string(), self.roots(), self.certificate(), self.key());
        let text = |path: PathBuf| path.display().to_string();
        let pairs = [
            ("--tls-port", port),
            ("--tls-ca-cert-file", text(roots)),
            ("--tls-cert-file", text(certificate)),
            ("--tls-key-file", text(key)),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    /// Lines of `rabbitmq.conf` with which RabbitMQ speaks TLS on `port`, beside its plain
    /// port.
    #[must_use]
    pub fn rabbit_config(&self, port: u16) -> Vec<String> {
        vec![
            format!("listeners.ssl.default = 127.0.0.1:{port}"),
            format!("ssl_options.cacertfile = {}", self.roots().display()),
            format!("ssl_options.certfile = {}", self.certificate().display()),
            format!("ssl_options.keyfile = {}", self.key().display()),
            "ssl_options.verify = verify_none".to_owned(),
            "ssl_options.fail_if_no_peer_cert = false".to_owned(),
        ]
    }
}
