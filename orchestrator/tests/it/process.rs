//! `baton-orchestrator` as operators meet it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn command(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton-orchestrator"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BATON_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .env("BATON_STORE", "sqlite:store")
        .env("BATON_BROKER", "memory:")
        .env("BATON_GRPC_ADDR", "127.0.0.1:0")
        .env("BATON_ADDR_FILE", folder.join("address"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends the program with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, variables: &[(&str, &str)]) -> (Running, String) {
    let running = Running(command(folder, variables).stderr(Stdio::null()).spawn().expect("it starts"));
    let (file, started) = (folder.join("address"), Instant::now());
    while !file.exists() {
        assert!(started.elapsed() < PATIENCE, "it never told its address");
        std::thread::sleep(Duration::from_millis(10));
    }
    (running, std::fs::read_to_string(file).expect("an address"))
}

fn refused(folder: &Path, variables: &[(&str, &str)]) -> String {
    let Output { status, stderr, .. } = command(folder, variables).output().expect("it starts");
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).expect("text")
}

#[test]
fn it_tells_its_address_is_healthy_and_drains_at_a_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut running, address) = start(folder.path(), &[]);
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{address}");
    let health = || {
        let mut probe = command(folder.path(), &[("BATON_GRPC_ADDR", &address)]);
        probe.arg("health").output().expect("it starts").status.code()
    };
    let started = Instant::now();
    while health() != Some(0) {
        assert!(started.elapsed() < PATIENCE, "it is never healthy");
    }
    let web = std::fs::read_to_string(folder.path().join("address.http")).expect("an address");
    let ready = || {
        let mut wire = TcpStream::connect(&web).expect("a connection");
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n");
        wire.write_all(request.as_bytes()).expect("sent");
        let mut text = String::new();
        wire.read_to_string(&mut text).expect("an answer");
        text.starts_with("HTTP/1.1 200")
    };
    while !ready() {
        assert!(started.elapsed() < PATIENCE, "it is never ready");
    }
    let signal = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().expect("kill");
    assert!(signal.success());
    assert_eq!(running.0.wait().expect("an end").code(), Some(0));
    assert_eq!(health(), Some(1), "nobody is there any more");
}

#[test]
fn without_keys_it_listens_on_this_machine_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let everywhere = ("BATON_GRPC_ADDR", "0.0.0.0:0");
    for address in [everywhere, ("BATON_HTTP_ADDR", "0.0.0.0:0")] {
        let text = refused(folder.path(), &[address]);
        assert!(text.contains("BATON_API_KEY"), "{text}");
    }
    start(folder.path(), &[everywhere, ("BATON_API_KEY", "secret")]);
}

#[test]
fn what_it_does_not_understand_ends_its_start_and_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = refused(folder.path(), &[("BATON_TIMING_LEASE", "5")]);
    assert!(text.contains("did you mean BATON_TIMING_LEASE_MS?"), "{text}");
    let text = refused(folder.path(), &[("BATON_STORE", "radish://user:s3cret@host")]);
    assert!(text.contains("radish") && !text.contains("s3cret"), "{text}");
    std::fs::write(folder.path().join("baton.toml"), "[timings]\nlease_ms = 5").expect("a file");
    let text = refused(folder.path(), &[]);
    assert!(text.contains("did you mean timing?"), "{text}");
}
