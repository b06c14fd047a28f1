//! The program with a data folder and an environment of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder, and what is run in it.
pub(crate) struct Baton {
    pub(crate) folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Baton {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), variables: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("a file");
        name.to_owned()
    }

    /// The command, in the folder, with nothing from this environment that it listens to.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BATON_") {
                command.env_remove(name);
            }
        }
        command
            .args(words)
            .current_dir(self.folder.path())
            .env("BATON_DATA_DIR", self.path("data"))
            .env("BATON_DEBUG_TOOLS", "1")
            .env("BATON_DEBUG_DIR", self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&mut self.command(words))
    }

    /// A cluster that stays up, and a program that knows its address.
    pub(crate) fn dev(&self) -> Server {
        self.dev_with(&[])
    }

    /// One that is told more than the program is. The one before it has ended.
    pub(crate) fn dev_with(&self, variables: &[(&str, &str)]) -> Server {
        let file = self.path("address");
        let _ = std::fs::remove_file(&file);
        let child = self
            .command(&["dev"])
            .envs(variables.iter().copied())
            .env("BATON_GRPC_ADDR", "127.0.0.1:0")
            .env("BATON_ADDR_FILE", &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("baton starts");
        let mut server = Server { child, address: String::new(), http: String::new() };
        until("the server serves", || file.exists());
        server.address = std::fs::read_to_string(file).expect("an address");
        server.http = std::fs::read_to_string(self.path("address.http")).expect("an address");
        server
    }
}

impl Ended {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().expect("baton starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it printed for programs, if it ended with that code.
    #[track_caller]
    pub(crate) fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON, {error}: {self:#?}"))
    }
}

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) http: String,
}

impl Server {
    /// What it answers over HTTP, if all is well.
    #[track_caller]
    pub(crate) fn http(&self, path: &str) -> Value {
        let mut wire = TcpStream::connect(&self.http).expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http);
        wire.write_all(request.as_bytes()).expect("sent");
        let mut text = String::new();
        wire.read_to_string(&mut text).expect("an answer");
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        serde_json::from_str(text.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    /// Ends it the gentle way and tells how it ended.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "it never held that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

/// An example of the repository.
pub(crate) fn example(name: &str) -> String {
    root().join("examples").join(name).display().to_string()
}
