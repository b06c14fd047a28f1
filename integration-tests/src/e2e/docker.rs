//! The Docker daemon that a test uses: the machine's where one answers, else a private one with its
//! own socket and data, ended by process id. What runs in it is up to `site`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Debian's programs, by path: others of these names may come first in `PATH`.
const CLIENT: &str = "/usr/bin/docker";
const COMPOSE: &str = "/usr/bin/docker-compose";
const DAEMON: &str = "/usr/sbin/dockerd";
/// Where a daemon of the machine listens.
const MACHINES: &str = "unix:///var/run/docker.sock";

/// A daemon that answers.
pub struct Docker {
    host: String,
    own: Option<Own>,
}

/// A daemon that we started.
struct Own {
    child: Child,
    folder: TempDir,
    /// Held as long as it lives: two daemons in one data folder destroy it.
    _lock: File,
}

impl Docker {
    /// The machine's daemon, or one of our own that keeps its images in `cache`.
    ///
    /// # Errors
    /// When none can be used; the daemon's last words are told.
    pub async fn start(cache: &Path) -> anyhow::Result<Self> {
        let machines = Self { host: MACHINES.to_owned(), own: None };
        if machines.version().await.is_ok() {
            return Ok(machines);
        }
        std::fs::create_dir_all(cache)?;
        let lock = File::create(cache.join("lock"))?;
        lock.try_lock().context("another end-to-end test uses the same images")?;
        end_left_behind(&cache.join("pid")).await?;
        let folder = tempfile::Builder::new().prefix("baton-e2e-").tempdir()?;
        let host = format!("unix://{}", folder.path().join("docker.sock").display());
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(DAEMON)
            .args(["--host", &host])
            .arg("--data-root")
            .arg(cache.join("data"))
            .arg("--exec-root")
            .arg(folder.path().join("exec"))
            .arg("--pidfile")
            .arg(cache.join("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us: what runs in it is taken down first.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{DAEMON} does not start"))?;
        let mut docker = Self { host, own: Some(Own { child, folder, _lock: lock }) };
        docker.ready().await?;
        Ok(docker)
    }

    async fn version(&self) -> anyhow::Result<String> {
        let asked = self.docker(&["version", "--format", "{{.Server.Version}}"]);
        tokio::time::timeout(Duration::from_secs(10), asked).await.context("no answer")?
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let Err(error) = self.version().await else { return Ok(()) };
            let own = self.own.as_mut().context("a daemon of our own")?;
            let ended = own.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(own.folder.path().join("log")).unwrap_or_default();
                bail!("the Docker daemon does not come up ({error:#}):\n{}", tail(&log, 15));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Its version, and whose it is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn told(&self) -> anyhow::Result<String> {
        let whose = if self.own.is_some() { "private" } else { "the machine's" };
        Ok(format!("Docker {}, {whose}", self.version().await?))
    }

    /// A command of the client.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.with_host(CLIENT, arguments)
    }

    /// A command of Compose.
    #[must_use]
    pub fn compose(&self, arguments: &[&str]) -> Command {
        self.with_host(COMPOSE, arguments)
    }

    fn with_host(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("DOCKER_HOST", &self.host)
            .env("DOCKER_BUILDKIT", "0")
            .env("COMPOSE_DOCKER_CLI_BUILD", "0")
            .env("COMPOSE_HTTP_TIMEOUT", "300")
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the client to its end: what it printed.
    ///
    /// # Errors
    /// When it failed, with its last words.
    pub async fn docker(&self, arguments: &[&str]) -> anyhow::Result<String> {
        said(&mut self.command(arguments)).await
    }

    /// Ends a daemon of our own; it keeps images that have a name.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let Some(mut own) = self.own.take() else { return Ok(()) };
        let pruned = self.docker(&["image", "prune", "--force"]).await;
        if let Some(pid) = own.child.id() {
            terminate(pid, Signal::TERM)?;
        }
        if tokio::time::timeout(Duration::from_secs(40), own.child.wait()).await.is_err() {
            own.child.kill().await.context("the Docker daemon does not end")?;
        }
        pruned.map(drop)
    }
}

/// Ends a daemon that a killed test left in our data folder.
async fn end_left_behind(file: &Path) -> anyhow::Result<()> {
    let Some(pid) = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u32>().ok()) else {
        return Ok(());
    };
    let place = PathBuf::from(format!("/proc/{pid}/cmdline"));
    let ours = || std::fs::read(&place).is_ok_and(|line| contains(&line, file.display().to_string().as_bytes()));
    let deadline = Instant::now() + Duration::from_secs(40);
    if ours() {
        terminate(pid, Signal::TERM)?;
    }
    while ours() {
        ensure!(Instant::now() < deadline, "the Docker daemon {pid} of an earlier test does not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn terminate(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process id")?;
    kill_process(pid, signal).context("the Docker daemon")
}

/// Runs a command to its end: what it printed.
///
/// # Errors
/// When it failed, with its last words.
pub async fn said(command: &mut Command) -> anyhow::Result<String> {
    let name = {
        let command = command.as_std();
        let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
        format!("{} {}", command.get_program().to_string_lossy(), words.collect::<Vec<_>>().join(" "))
    };
    let output = command.output().await.with_context(|| format!("{name} does not start"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{name}: {}\n{}\n{}", output.status, tail(&out, 12), tail(&err, 12));
    Ok(out.trim().to_owned())
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
