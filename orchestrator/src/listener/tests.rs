//! A real orchestrator behind certificates, asked by clients that have the right ones, wrong
//! ones, old ones and none; and by connections that say nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_common::sources::Sources;
use baton_control::grpc::{Endpoints, Trust, cause};
use baton_proto::v1;
use baton_proto::v1::runs_client::RunsClient;
use baton_testbed::{Authority, Validity};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::{Certificates, Listener, TlsFiles};
use crate::testing::services;
use crate::{grpc, http};

const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    grpc: SocketAddr,
    http: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Both wires behind these files.
async fn served(files: &TlsFiles) -> Served {
    let services = services().await;
    let shutdown = services.shutdown.clone();
    let (wire, web) = (listen().await, listen().await);
    let served =
        Served { grpc: wire.local_addr().unwrap(), http: web.local_addr().unwrap(), shutdown: shutdown.clone() };
    let wire = Listener::from(wire).over(Some(Arc::new(Certificates::http2(files.clone()).unwrap())));
    let web = Listener::from(web).over(Some(Arc::new(Certificates::http1(files.clone()).unwrap())));
    tokio::spawn(http::serve(web, services.clone(), shutdown));
    tokio::spawn(grpc::serve(wire, services, Duration::from_millis(100)));
    served
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn files(authority: &Authority, client_ca: Option<&Authority>) -> TlsFiles {
    TlsFiles { certificate: authority.certificate(), key: authority.key(), client_ca: client_ca.map(Authority::roots) }
}

/// Files of a client, by setting.
fn trust(said: &[(&str, PathBuf)]) -> Trust {
    let said = said.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string()));
    Trust::of(&Sources::read(None, said).unwrap()).unwrap()
}

/// Lists runs over gRPC: nothing where it works, and otherwise why not.
async fn ask(served: &Served, trust: &Trust) -> Option<String> {
    let endpoints = Endpoints::trusting(&format!("https://{}", served.grpc), None, trust).unwrap();
    let mut client = RunsClient::new(endpoints.current().1);
    let asked = client.list(v1::ListRunsRequest::default());
    match tokio::time::timeout(PATIENCE, asked).await.expect("an answer") {
        Ok(_) => None,
        Err(status) => {
            let unanswered = [Code::Unavailable, Code::Cancelled, Code::Unknown];
            assert!(unanswered.contains(&status.code()), "{status:?}");
            Some(cause(&status).unwrap_or_default())
        }
    }
}

/// The first line that HTTP answers with, over TLS.
async fn get(served: &Served, roots: &Path, client: Option<(&Path, &Path)>) -> Result<String, String> {
    let mut store = rustls::RootCertStore::empty();
    store.add(CertificateDer::from_pem_file(roots).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(store);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).unwrap().collect::<Result<_, _>>().unwrap();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
        }
    };
    let stream = TcpStream::connect(served.http).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let said = |error: std::io::Error| error.to_string();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(said)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.map_err(said)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.map_err(said)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_trusts_the_certificate_is_served_and_who_does_not_is_told_why() {
    let (ours, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let served = served(&files(&ours, None)).await;
    assert_eq!(ask(&served, &trust(&[("BATON_TLS_CA", ours.roots())])).await, None);
    assert_eq!(get(&served, &ours.roots(), None).await.as_deref(), Ok("HTTP/1.1 200 OK"));
    for wrong in [trust(&[("BATON_TLS_CA", other.roots())]), Trust::default()] {
        let why = ask(&served, &wrong).await.unwrap();
        assert!(why.contains("invalid peer certificate"), "{why}");
    }
    let named = Sources::read(
        None,
        [("BATON_TLS_CA", ours.roots().display().to_string()), ("BATON_TLS_NAME", "elsewhere.example".to_owned())]
            .map(|(name, value)| (name.to_owned(), value)),
    )
    .unwrap();
    let why = ask(&served, &Trust::of(&named).unwrap()).await.unwrap();
    assert!(why.contains("not valid for name"), "{why}");
    // In the clear nobody gets in, and nobody holds anything up.
    let endpoints = Endpoints::new(&format!("http://{}", served.grpc), None).unwrap();
    let plain = RunsClient::new(endpoints.current().1).list(v1::ListRunsRequest::default()).await;
    assert!(plain.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_not_trusted() {
    let expired = Authority::with_validity(Validity::Past).unwrap();
    let served = served(&files(&expired, None)).await;
    let why = ask(&served, &trust(&[("BATON_TLS_CA", expired.roots())])).await.unwrap();
    assert!(why.contains("expired"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_clients_that_the_authority_vouches_for_come_in() {
    let (ours, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let expired = ours.client(Validity::Past).unwrap();
    let (known, stranger) = (ours.client(Validity::Now).unwrap(), other.client(Validity::Now).unwrap());
    let served = served(&files(&ours, Some(&ours))).await;
    let with = |pair: Option<&(PathBuf, PathBuf)>| {
        let mut said = vec![("BATON_TLS_CA", ours.roots())];
        if let Some((certificate, key)) = pair {
            said.extend([("BATON_TLS_CLIENT_CERT", certificate.clone()), ("BATON_TLS_CLIENT_KEY", key.clone())]);
        }
        trust(&said)
    };
    assert_eq!(ask(&served, &with(Some(&known))).await, None);
    let get = async |pair: Option<&(PathBuf, PathBuf)>| {
        get(&served, &ours.roots(), pair.map(|(certificate, key)| (certificate.as_path(), key.as_path()))).await
    };
    assert_eq!(get(Some(&known)).await.as_deref(), Ok("HTTP/1.1 200 OK"));
    for (who, pair, alert) in [
        ("nobody", None, "CertificateRequired"),
        ("a stranger", Some(&stranger), "alert"),
        ("yesterday's", Some(&expired), "CertificateExpired"),
    ] {
        let why = ask(&served, &with(pair)).await.unwrap();
        assert!(why.contains(alert) || why.contains("BATON_TLS_CLIENT_CERT"), "{who}: {why}");
        let why = get(pair).await.unwrap_err();
        assert!(why.contains(alert) || why.contains("reset"), "{who}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_shown_without_a_restart_and_broken_ones_change_nothing() {
    let (old, new) = (Authority::new().unwrap(), Authority::new().unwrap());
    let folder = TempDir::new().unwrap();
    let shown = TlsFiles {
        certificate: folder.path().join("server.pem"),
        key: folder.path().join("server.key"),
        client_ca: None,
    };
    let show = |authority: &Authority| {
        std::fs::copy(authority.certificate(), &shown.certificate).unwrap();
        std::fs::copy(authority.key(), &shown.key).unwrap();
    };
    show(&old);
    let served = served(&shown).await;
    let (trusts_old, trusts_new) = (trust(&[("BATON_TLS_CA", old.roots())]), trust(&[("BATON_TLS_CA", new.roots())]));
    assert_eq!(ask(&served, &trusts_old).await, None);
    show(&new);
    until(async || ask(&served, &trusts_new).await.is_none()).await;
    assert!(ask(&served, &trusts_old).await.is_some());
    std::fs::write(&shown.certificate, "no certificate").unwrap();
    // Read, refused and the one before kept: seen after twice the time between two looks.
    let began = Instant::now();
    while began.elapsed() < 2 * super::certificates::LOOK_EVERY {
        assert_eq!(ask(&served, &trusts_new).await, None);
    }
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "it never is");
    }
}

#[test]
fn certificates_that_cannot_be_used_end_the_start_and_say_which() {
    let (one, two) = (Authority::new().unwrap(), Authority::new().unwrap());
    let told = |files: TlsFiles| Certificates::http2(files).map(|_| ()).unwrap_err().to_string();
    let missing = TlsFiles { certificate: "/nowhere.pem".into(), ..files(&one, None) };
    assert!(told(missing).contains("BATON_TLS_CERT does not read"));
    let mixed = TlsFiles { key: two.key(), ..files(&one, None) };
    assert!(told(mixed).contains("BATON_TLS_KEY"));
    let no_root = TlsFiles { client_ca: Some(one.key()), ..files(&one, None) };
    assert!(told(no_root).contains("BATON_TLS_CLIENT_CA"));
    let half = TlsFiles::of(|name| (name == "BATON_TLS_CERT").then(|| one.certificate()));
    assert_eq!(half.unwrap_err().to_string(), "BATON_TLS_CERT is set and BATON_TLS_KEY is not: TLS takes both");
    let ca_alone = TlsFiles::of(|name| (name == "BATON_TLS_CLIENT_CA").then(|| one.roots()));
    assert!(ca_alone.is_err() && TlsFiles::of(|_| None).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let authority = Authority::new().unwrap();
    let tls = Some(Arc::new(Certificates::http2(files(&authority, None)).unwrap()));
    let tcp = listen().await;
    let address = tcp.local_addr().unwrap();
    let mut incoming = Listener { tcp, tls, handshake_within: Duration::from_millis(50) }.incoming();
    let accepting = tokio::spawn(async move { drop(incoming.next().await) });
    for said in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[22, 3, 1]] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "a connection that said {said:?} is held");
    }
    assert!(!accepting.is_finished(), "nobody came in");
    accepting.abort();
}
