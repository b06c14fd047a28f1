//! A cluster of real programs in which everybody shows a certificate to everybody: Redis and
//! RabbitMQ want one of orchestrators and workers, orchestrators one of workers, of `baton`,
//! of their own probe and of whoever asks over HTTP. All are told of theirs as an operator
//! tells them, in `baton.toml`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_integration_tests::cluster::{Cluster, ClusterOptions, program};
use baton_testbed::{Authority, Rabbit, RabbitOptions, Redis, RedisOptions, Validity, free_port};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const GRAPH: &str = "
baton: 1
graph: says
input: { text: string }
output: { said: state.said }
state: { said: { type: string, default: '' } }
start: say
nodes:
  say:
    tool: { name: debug.echo, args: { text: '{{ input.text }}' } }
    save: { said: output.text }
    then: end
";

const PATIENCE: Duration = Duration::from_secs(60);

/// Files of one who comes with a certificate, and of one who comes without.
struct Bed {
    authority: Authority,
    folder: tempfile::TempDir,
    grpc: u16,
    http: u16,
}

impl Bed {
    /// A `baton.toml` of who trusts the authority, with these lines.
    fn file(&self, name: &str, lines: &[String]) -> PathBuf {
        let path = self.folder.path().join(name);
        let trusts = format!(
            "orchestrator = \"https://127.0.0.1:{}\"\ntls_ca = {:?}\n{}\n",
            self.grpc,
            self.authority.roots(),
            lines.join("\n")
        );
        std::fs::write(&path, trusts).unwrap();
        path
    }

    /// What a program of the cluster says and answers, with these settings.
    fn run(&self, name: &str, config: &Path, words: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(program(name).unwrap())
            .args(words)
            .env_clear()
            .env("BATON_CONFIG", config)
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), said.join("\n"))
    }

    /// The first line that HTTP answers with.
    async fn get(&self, client: Option<(&Path, &Path)>) -> Result<String, std::io::Error> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.roots()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate).unwrap().collect::<Result<_, _>>().unwrap();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        };
        let stream = TcpStream::connect(("127.0.0.1", self.http)).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_in_which_everybody_shows_a_certificate_runs_and_lets_nobody_else_in() {
    let authority = Authority::new().unwrap();
    let (redis_port, rabbit_port) = (free_port().unwrap(), free_port().unwrap());
    let mut args = authority.redis_args(redis_port);
    args.extend(["--tls-auth-clients", "yes"].map(str::to_owned));
    let redis = Redis::start(RedisOptions { args, ..RedisOptions::default() }).unwrap();
    let config = authority.rabbit_config(rabbit_port).into_iter();
    let config =
        config.map(|line| line.replace("verify_none", "verify_peer").replace("peer_cert = false", "peer_cert = true"));
    let rabbit = Rabbit::start(RabbitOptions { config: config.collect(), ..RabbitOptions::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.client(Validity::Now).unwrap();
    let bed = Bed { authority, folder, grpc: free_port().unwrap(), http: free_port().unwrap() };

    let shows = [format!("tls_client_cert = {certificate:?}"), format!("tls_client_key = {key:?}")];
    let files = format!(
        "ca_file={}&cert_file={}&key_file={}",
        bed.authority.roots().display(),
        certificate.display(),
        key.display()
    );
    let broker = format!("broker = \"amqps://guest:guest@127.0.0.1:{rabbit_port}/%2f?queue_type=classic&{files}\"");
    let worker = [shows.to_vec(), vec![broker.clone()]].concat();
    let serves = vec![
        broker,
        format!("store = \"rediss://127.0.0.1:{redis_port}/?{files}\""),
        format!("grpc_addr = \"127.0.0.1:{}\"\nhttp_addr = \"127.0.0.1:{}\"", bed.grpc, bed.http),
        format!("tls_cert = {:?}\ntls_key = {:?}", bed.authority.certificate(), bed.authority.key()),
        format!("tls_client_ca = {:?}", bed.authority.roots()),
    ];
    let orchestrator = bed.file("orchestrator.toml", &[shows.to_vec(), serves.clone()].concat());
    let (worker, own) = (bed.file("worker.toml", &worker), bed.file("own.toml", &shows));
    let (stranger, blind) = (bed.file("stranger.toml", &[]), bed.file("blind.toml", &serves));

    let options = ClusterOptions { orchestrators: 1, io_workers: 1, cpu_workers: 0, ..ClusterOptions::default() };
    let mut cluster = Cluster::over(&options, redis, rabbit).await.unwrap();
    for (process, file) in
        cluster.orchestrators.iter_mut().zip([&orchestrator]).chain(cluster.workers.iter_mut().zip([&worker]))
    {
        for name in ["BATON_STORE", "BATON_BROKER", "BATON_GRPC_ADDR", "BATON_HTTP_ADDR", "BATON_ORCHESTRATOR"] {
            process.unset(name);
        }
        process.env("BATON_CONFIG", &file.display().to_string());
        process.start().unwrap();
    }
    let began = Instant::now();
    loop {
        let (code, said) = bed.run("baton", &own, &["workers", "--json"]);
        if code == Some(0) && said.contains(r#""class": "io""#) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "no worker came in: {said}\n{}", cluster.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    runs(&bed, &own, &cluster);

    // Who shows none is not let in, whichever way he comes.
    let (code, said) = bed.run("baton", &stranger, &["list"]);
    assert_eq!(code, Some(5), "{said}");
    let probe = |file: &Path| bed.run("baton-orchestrator", file, &["health"]).0;
    assert_eq!((probe(&orchestrator), probe(&blind)), (Some(0), Some(1)));
    assert!(bed.get(Some((&certificate, &key))).await.unwrap().contains("200") && bed.get(None).await.is_err());
    // Servers and clients speak of nothing else on their encrypted ports.
    let told = cluster.rabbit.ctl(&["list_connections", "ssl", "peer_cert_subject"]).unwrap();
    let told: Vec<&str> = told.lines().filter(|line| !line.starts_with("ssl")).collect();
    assert!(told.len() >= 2 && told.iter().all(|line| line.contains("A client of a test")), "{told:?}");
    are_sound(&bed, [("orchestrator", &orchestrator), ("worker", &worker), ("cli", &own)]);
}

/// A run from its submit to its end, by the command line.
fn runs(bed: &Bed, own: &Path, cluster: &Cluster) {
    let graph = bed.folder.path().join("says.yaml");
    std::fs::write(&graph, GRAPH).unwrap();
    let (code, said) = bed.run("baton", own, &["graph", "apply", &graph.display().to_string()]);
    assert_eq!(code, Some(0), "{said}");
    let words = ["submit", "says", "--input", r#"{"text": "hello"}"#, "--wait", "--json"];
    let (code, said) = bed.run("baton", own, &words);
    assert_eq!(code, Some(0), "{said}\n{}", cluster.logs());
    let run: Value = serde_json::from_str(&said[said.find('{').unwrap()..=said.rfind('}').unwrap()]).unwrap();
    assert_eq!(run["output"], json!({"said": "hello"}), "{run}");
}

/// What a check says of the settings that they run with.
fn are_sound(bed: &Bed, files: [(&str, &PathBuf); 3]) {
    for (name, file) in files {
        let (code, said) = bed.run("baton", file, &["config", "check", "--for", name]);
        assert_eq!(code, Some(0), "{said}");
    }
}
