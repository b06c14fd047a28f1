//! A private server that speaks S3, and keeps its objects in memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::group::Group;
use crate::{port, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const CURE: &str = "run `cargo xtask test`, or set BATON_TEST_VENV to a Python virtual environment with moto \
                    (python3 -m venv DIR && DIR/bin/pip install 'moto[server]')";

/// A running server.
#[derive(Debug)]
pub struct S3 {
    _group: Group,
    port: u16,
}

impl S3 {
    /// Starts a server with one bucket, and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub fn start(bucket: &str) -> anyhow::Result<Self> {
        let environment = PathBuf::from(std::env::var_os("BATON_TEST_VENV").context(CURE)?);
        let port = port::free()?;
        let mut command = Command::new(environment.join("bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let group = Group::start(&mut command, "python3-venv", None).context(CURE)?;
        let server = Self { _group: group, port };
        wait_until("the S3 server answers", PATIENCE, || Ok(server.make(bucket).is_ok()))?;
        Ok(server)
    }

    /// The endpoint: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket. The server takes any credentials, and none.
    fn make(&self, bucket: &str) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "PUT /{bucket} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 200") {
            bail!("no bucket {bucket}: {answer}");
        }
        Ok(())
    }
}
