//! One process of a cluster: started, killed, started again; its output kept in a file.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use baton_common::settings::Timings;
use rustix::process::{Pid, Signal, kill_process};

/// One process.
pub struct Process {
    /// Its name in logs and timelines.
    pub name: String,
    /// Where it serves, if it does.
    pub address: Option<String>,
    program: PathBuf,
    env: Vec<(String, String)>,
    memory_max: Option<u64>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A process that is not started yet.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn new(program: &str, name: &str, folder: &Path) -> anyhow::Result<Self> {
        let program = program_path(program)?;
        let log = folder.join(format!("{name}.log"));
        Ok(Self { name: name.to_owned(), address: None, program, env: Vec::new(), memory_max: None, log, child: None })
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Sets several.
    pub fn env_all(&mut self, all: &[(String, String)]) {
        all.iter().for_each(|(name, value)| self.env(name, value));
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// Lets it have so many bytes of memory from its next start on; asking for more ends it.
    pub fn memory_max(&mut self, bytes: u64) {
        self.memory_max = Some(bytes);
    }

    fn command(&self) -> Command {
        let Some(bytes) = self.memory_max else { return Command::new(&self.program) };
        let mut command = Command::new("sh");
        let limited = "ulimit -v \"$1\" && exec \"$2\"";
        command.args(["-c", limited, "sh", &(bytes / 1024).to_string()]).arg(&self.program);
        command
    }

    /// Starts it unless it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = self
            .command()
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| !name.starts_with("BATON_") && !name.starts_with("OTEL_")))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} does not start", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(None)))
    }

    /// The code it ended with by itself; none where it runs, or died of a signal.
    pub fn code(&mut self) -> Option<i32> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()).and_then(|status| status.code())
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it where it is, with SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen one go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(kill_process(pid.with_context(|| format!("{} does not run", self.name))?, signal)?)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not within that time.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.is_running() {
            if started.elapsed() > within {
                bail!("{} still runs\n{}", self.name, self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child = None;
        Ok(())
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its output.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program of this workspace, beside the one that runs.
///
/// # Errors
/// When it was not built.
pub fn program_path(program: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let mut folder = own.parent().context("a folder")?;
    if folder.ends_with("deps") {
        folder = folder.parent().context("a folder")?;
    }
    let path = folder.join(program);
    if File::open(&path).is_err() {
        bail!("{} was not built: run `cargo build --workspace --bins` first", path.display());
    }
    Ok(path)
}

/// Settings for timings that are divided.
#[must_use]
pub fn hurried(divisor: u64) -> Vec<(String, String)> {
    let timings = serde_json::to_value(Timings::default().scaled(divisor)).unwrap_or_default();
    let members = timings.as_object().cloned().unwrap_or_default();
    members
        .into_iter()
        .map(|(name, value)| (format!("BATON_TIMING_{}", name.to_uppercase()), value.to_string()))
        .collect()
}
