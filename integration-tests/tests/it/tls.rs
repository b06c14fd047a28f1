//! A cluster whose every connection to servers is encrypted, with certificates that only a
//! throwaway authority vouches for: `rediss://`, `amqps://` and a tool that asks `https://`.
//! Whom a program trusts is said to it by `SSL_CERT_FILE`, as to most others.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use baton_integration_tests::cluster::{Cluster, ClusterOptions, program};
use baton_testbed::{Authority, Rabbit, RabbitOptions, Redis, RedisOptions, free_port};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const GRAPH: &str = "
baton: 1
graph: asks
input: { url: string }
output: { status: state.status }
state: { status: { type: integer, default: 0 } }
start: ask
nodes:
  ask:
    tool: { name: http.request, args: { method: GET, url: '{{ input.url }}' } }
    save: { status: output.status }
    then: end
";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_speaks_nothing_but_tls_to_its_servers() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let (redis_port, rabbit_port) = (free_port().unwrap(), free_port().unwrap());
    let redis = RedisOptions { args: authority.redis_args(redis_port), ..RedisOptions::default() };
    let redis = Redis::start(redis).unwrap();
    let rabbit = RabbitOptions { config: authority.rabbit_config(rabbit_port), ..RabbitOptions::default() };
    let rabbit = Rabbit::start(rabbit).unwrap();
    let (known, unknown) = (https(&authority).await, https(&stranger).await);

    let options = ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::over(&options, redis, rabbit).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("baton.toml");
    std::fs::write(&file, format!("[egress]\nallow = [\"127.0.0.1:{known}\", \"127.0.0.1:{unknown}\"]")).unwrap();
    let broker = format!("amqps://guest:guest@127.0.0.1:{rabbit_port}/%2f?queue_type=classic");
    for process in cluster.orchestrators.iter_mut().chain(&mut cluster.workers) {
        process.env("SSL_CERT_FILE", &authority.roots().display().to_string());
        process.env("BATON_BROKER", &broker);
        process.env("BATON_CONFIG", &file.display().to_string());
    }
    cluster.orchestrators[0].env("BATON_STORE", &format!("rediss://127.0.0.1:{redis_port}/"));
    cluster.run_all().await.unwrap();
    cluster.client.apply(GRAPH, &[]).await.unwrap();

    let trusted = ask(&cluster, known).await;
    assert_eq!((trusted.0.as_str(), trusted.1), ("succeeded", Some(json!({"status": 200}))), "{}", cluster.logs());
    let distrusted = ask(&cluster, unknown).await;
    assert_eq!(distrusted.0, "failed");
    assert!(distrusted.2.contains("http_bad_certificate"), "{}", distrusted.2);

    // Both servers listen in the clear too, for this test: nobody but this test came there.
    let redis = cluster.redis.cli(&["client", "list"]).unwrap();
    let encrypted = redis.lines().filter(|line| line.contains(&format!("laddr=127.0.0.1:{redis_port} "))).count();
    assert!(encrypted > 0 && redis.lines().count() == encrypted + 1, "{redis}");
    let rabbit = cluster.rabbit.ctl(&["list_connections", "ssl"]).unwrap();
    let told: Vec<&str> = rabbit.lines().filter(|line| *line != "ssl").collect();
    assert!(told.len() >= 2 && told.iter().all(|line| *line == "true"), "{rabbit}");
}

#[test]
fn a_store_that_nobody_vouches_for_is_not_used() {
    let authority = Authority::new().unwrap();
    let port = free_port().unwrap();
    let redis = Redis::start(RedisOptions { args: authority.redis_args(port), ..RedisOptions::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program("baton-orchestrator").unwrap())
        .env_clear()
        .env("BATON_STORE", format!("rediss://127.0.0.1:{port}/"))
        .env("BATON_BROKER", "memory:")
        .env("BATON_GRPC_ADDR", "127.0.0.1:0")
        .env("BATON_DATA_DIR", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("certificate"), "{said}");
    assert_eq!(redis.cli(&["dbsize"]).unwrap(), "0", "nothing was written");
}

/// Nobody need be asked to know that nobody can be.
#[test]
fn a_folder_of_trust_that_is_missing_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").display().to_string();
    let there = folder.path().join("there");
    std::fs::create_dir(&there).unwrap();
    let there = there.display().to_string();
    let run = |name: &str, words: &[&str], trust: &[(&str, &str)]| {
        let output = Command::new(program(name).unwrap())
            .args(words)
            .env_clear()
            .env("BATON_STORE", format!("rediss://127.0.0.1:{}/", free_port().unwrap()))
            .env("BATON_BROKER", "memory:")
            .env("BATON_GRPC_ADDR", "127.0.0.1:0")
            .env("BATON_DATA_DIR", folder.path())
            .envs(trust.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        (output.status.success(), said)
    };
    for (name, words) in [("baton-orchestrator", [].as_slice()), ("baton", ["config", "check"].as_slice())] {
        let (fine, said) = run(name, words, &[("SSL_CERT_DIR", missing.as_str())]);
        let told = ["trust_unreadable", &missing, "SSL_CERT_DIR"].iter().all(|word| said.contains(word));
        assert!(!fine && told, "{name}: {said}");
        let (_, said) = run(name, words, &[("SSL_CERT_DIR", there.as_str())]);
        assert!(!said.contains("trust_unreadable"), "{name}: {said}");
    }
}

/// A run that asks that port: its status, output and failure.
async fn ask(cluster: &Cluster, port: u16) -> (String, Option<serde_json::Value>, String) {
    let input = json!({"url": format!("https://127.0.0.1:{port}/")});
    let run = cluster.client.submit("asks", &input, &format!("ask-{port}")).await.unwrap();
    let seen = cluster.client.settled(&run, Duration::from_secs(60)).await.unwrap();
    (seen.status, seen.output, seen.failure.unwrap_or_default())
}

/// A server that answers every request with 200, for as long as the test lasts; its port.
async fn https(authority: &Authority) -> u16 {
    let chain = CertificateDer::pem_file_iter(authority.certificate()).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(authority.key()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // Who does not trust the certificate hangs up here.
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}
