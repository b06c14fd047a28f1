//! A certificate authority that no machine knows, and a certificate of it for servers on
//! 127.0.0.1. Made anew for each test and gone with it; who trusts it is left to tests,
//! which name [`Authority::roots`] in `SSL_CERT_FILE` of the programs they start.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

/// Whether a certificate is one of these days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It is.
    Now,
    /// Its time is over.
    Past,
}

/// The authority and its one server, as files.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes keys and certificates.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn new() -> anyhow::Result<Self> {
        Self::with_validity(Validity::Now)
    }

    /// The same, with a server whose certificate is valid then.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn with_validity(validity: Validity) -> anyhow::Result<Self> {
        let mut root = CertificateParams::new(Vec::new())?;
        root.distinguished_name.push(DnType::CommonName, "An authority of a test");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = KeyPair::generate()?;
        let root_pem = root.self_signed(&root_key)?.pem();
        let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        limit(&mut server, validity);
        let server_key = KeyPair::generate()?;
        let issuer = Issuer::new(root, root_key);
        let server_pem = server.signed_by(&server_key, &issuer)?.pem();
        let authority = Self { folder: tempfile::Builder::new().prefix("baton-authority-").tempdir()?, issuer };
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

    /// A client that the authority vouches for: its certificate and its key, in PEM.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn client(&self, validity: Validity) -> anyhow::Result<(PathBuf, PathBuf)> {
        let mut client = CertificateParams::new(Vec::new())?;
        client.distinguished_name.push(DnType::CommonName, "A client of a test");
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        limit(&mut client, validity);
        let key = KeyPair::generate()?;
        let pem = client.signed_by(&key, &self.issuer)?.pem();
        let path = |end: &str| self.folder.path().join(format!("client-{validity:?}.{end}"));
        let files = (path("pem"), path("key"));
        fs::write(&files.0, pem).context("cannot write a client's certificate")?;
        fs::write(&files.1, key.serialize_pem()).context("cannot write a client's key")?;
        Ok(files)
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

fn limit(certificate: &mut CertificateParams, validity: Validity) {
    if validity == Validity::Past {
        certificate.not_before = date_time_ymd(2001, 1, 1);
        certificate.not_after = date_time_ymd(2002, 1, 1);
    }
}
