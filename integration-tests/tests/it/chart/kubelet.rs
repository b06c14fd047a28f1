//! Probes over the network, asked as a kubelet asks them: without a key, without a certificate of
//! its own, and by an address that no certificate names. And pages, asked as Prometheus asks them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;

use super::helm::{list, text};

/// How long a probe may take: what the chart gives it.
const WITHIN: Duration = Duration::from_secs(5);

/// Who asks over TLS.
#[derive(Clone, Copy)]
pub(super) struct Caller<'c> {
    /// Who vouches for the server.
    pub(super) roots: &'c Path,
    /// The files of the certificate and key that are shown.
    pub(super) shown: Option<(&'c str, &'c str)>,
}

/// Asks an `httpGet`.
pub(super) fn ask(probe: &Value, container: &Value, roots: &Path) -> anyhow::Result<()> {
    let get = &probe["httpGet"];
    let caller = match text(&get["scheme"]) {
        "HTTP" => None,
        "HTTPS" => Some(Caller { roots, shown: None }),
        other => anyhow::bail!("unknown scheme {other}"),
    };
    page(container, text(&get["port"]), text(&get["path"]), caller).map(drop)
}

/// What a container answers at the port of that name; over TLS where somebody asks so.
pub(super) fn page(container: &Value, port_name: &str, path: &str, tls: Option<Caller<'_>>) -> anyhow::Result<String> {
    let port = port(container, port_name)?;
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(WITHIN))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 10.244.1.7:{port}\r\nUser-Agent: kube-probe/1.34\r\nConnection: close\r\n\r\n"
    );
    match tls {
        None => answered(stream, &request),
        Some(caller) => answered(encrypted(stream, caller)?, &request),
    }
}

/// The number of a container's port.
fn port(container: &Value, name: &str) -> anyhow::Result<u16> {
    let port = list(&container["ports"]).iter().find(|port| port["name"] == name);
    let number = port.and_then(|port| port["containerPort"].as_u64()).with_context(|| format!("no port {name}"))?;
    Ok(u16::try_from(number)?)
}

fn answered(mut stream: impl Read + Write, request: &str) -> anyhow::Result<String> {
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 16_384]);
    // Who hangs up without a word has said all there is.
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("nothing"));
    Ok(answer)
}

/// A kubelet takes any certificate; this one looks whether it is the right one.
fn encrypted(stream: TcpStream, caller: Caller<'_>) -> anyhow::Result<impl Read + Write> {
    let mut trusted = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(caller.roots)? {
        trusted.add(root?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted);
    let config = match caller.shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
        }
    };
    let name = ServerName::try_from("localhost")?;
    Ok(rustls::StreamOwned::new(rustls::ClientConnection::new(Arc::new(config), name)?, stream))
}
