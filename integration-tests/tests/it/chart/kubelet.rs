//! Probes over the network, asked as a kubelet asks them: without a key, without a certificate of
//! its own, and by an address that no certificate names.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;

use super::helm::{list, text};

/// How long a probe may take: what the chart gives it.
const WITHIN: Duration = Duration::from_secs(5);

/// Asks an `httpGet` or a `tcpSocket`.
pub(super) fn ask(probe: &Value, container: &Value, roots: &Path) -> anyhow::Result<()> {
    let (get, socket) = (&probe["httpGet"], &probe["tcpSocket"]);
    let asked = if get.is_object() { get } else { socket };
    let port = port(container, text(&asked["port"]))?;
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(WITHIN))?;
    if socket.is_object() {
        return Ok(());
    }
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: 10.244.1.7:{port}\r\nUser-Agent: kube-probe/1.34\r\nConnection: close\r\n\r\n",
        text(&get["path"])
    );
    match text(&get["scheme"]) {
        "HTTP" => answered(stream, &request),
        "HTTPS" => answered(encrypted(stream, roots)?, &request),
        other => anyhow::bail!("unknown scheme {other}"),
    }
}

/// The number of a container's port.
fn port(container: &Value, name: &str) -> anyhow::Result<u16> {
    let port = list(&container["ports"]).iter().find(|port| port["name"] == name);
    let number = port.and_then(|port| port["containerPort"].as_u64()).with_context(|| format!("no port {name}"))?;
    Ok(u16::try_from(number)?)
}

fn answered(mut stream: impl Read + Write, request: &str) -> anyhow::Result<()> {
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    anyhow::ensure!(&head == b"HTTP/1.1 200", "{}", String::from_utf8_lossy(&head));
    Ok(())
}

/// A kubelet takes any certificate; this one looks whether it is the right one.
fn encrypted(stream: TcpStream, roots: &Path) -> anyhow::Result<impl Read + Write> {
    let mut trusted = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots)? {
        trusted.add(root?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost")?;
    Ok(rustls::StreamOwned::new(rustls::ClientConnection::new(Arc::new(config), name)?, stream))
}
