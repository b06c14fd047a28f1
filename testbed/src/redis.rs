//! A private Redis server.
//!
//! `kill` loses nothing that was written, because the page cache keeps it; to see what a power
//! failure costs, kill it, cut the tail of its log and start it again. With `everysec` it may
//! lose what was acknowledged and not written: see [`Redis::may_write_late`].

mod backup;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tempfile::TempDir;

use crate::group::Group;
use crate::{port, wait_until};

const PACKAGE: &str = "redis-server";
/// Where a server writes what it says.
const LOG: &str = "redis.out";
const PATIENCE: Duration = Duration::from_secs(20);

/// How a Redis server is started.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Arguments for `redis-cli` where the server wants to know who calls: `-a`, `PASSWORD`.
    pub login: Vec<String>,
    /// `always`, `everysec` or `no`.
    pub appendfsync: String,
    /// Whether it is a node of a cluster.
    pub cluster: bool,
    /// Further arguments: `--maxmemory`, `64mb`.
    pub args: Vec<String>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { appendfsync: "everysec".to_owned(), cluster: false, args: Vec::new(), login: Vec::new() }
    }
}

/// A running (or killed) Redis server with its data.
#[derive(Debug)]
pub struct Redis {
    group: Option<Group>,
    port: u16,
    options: RedisOptions,
    folder: TempDir,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When Redis is not installed or does not come up; the error holds its last words.
    pub fn start(options: RedisOptions) -> anyhow::Result<Self> {
        let mut last = None;
        for _ in 0..5 {
            let folder = tempfile::Builder::new().prefix("baton-redis-").tempdir()?;
            let mut redis = Self { group: None, port: port::free()?, options: options.clone(), folder };
            match redis.run() {
                Ok(()) => return Ok(redis),
                Err(error) if format!("{error:#}").contains("Address already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// `redis://127.0.0.1:PORT/`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The port it listens on; the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.group.as_ref().map(Group::id)
    }

    /// The folder of its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            group.kill();
        }
    }

    /// Ends it, if it runs, and starts it on the same port with the same data. A log whose end is
    /// torn, as a cut or a kill in the middle of a write leaves it, is written anew then.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.run()?;
        let said = fs::read(self.folder.path().join(LOG)).context("what redis said at its start")?;
        if String::from_utf8_lossy(&said).contains("Truncating the AOF") { self.rewrite_aof() } else { Ok(()) }
    }

    /// Freezes it with SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.group.as_ref().context("redis does not run")?.signal(Signal::STOP)
    }

    /// Lets a frozen one go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.group.as_ref().context("redis does not run")?.signal(Signal::CONT)
    }

    /// Calls `redis-cli` with these arguments and returns what it prints.
    ///
    /// # Errors
    /// When it cannot be called or fails.
    pub fn cli(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-e"]);
        command.args(&self.options.login).args(args);
        let output = command.output().context("redis-cli is missing: install it with `apt-get install redis-tools`")?;
        if !output.status.success() {
            bail!("redis-cli {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Cuts the last `bytes` of the append-only log, as a power failure would. The server
    /// must be dead; on its next start it reads up to the last whole command.
    ///
    /// # Errors
    /// When the server runs or has no log.
    pub fn cut_aof_tail(&self, bytes: u64) -> anyhow::Result<()> {
        anyhow::ensure!(self.group.is_none(), "kill redis before cutting its log");
        let path = self.aof()?;
        let file = OpenOptions::new().write(true).open(&path)?;
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(bytes)).with_context(|| format!("cannot cut {}", path.display()))
    }

    /// Leaves so many bytes of the append-only log, those that [`aof_len`](Self::aof_len) told
    /// at an earlier moment: everything since then is forgotten. The server must be dead.
    ///
    /// # Errors
    /// When the server runs or has no log.
    pub fn cut_aof_to(&self, length: u64) -> anyhow::Result<()> {
        self.cut_aof_tail(self.aof_len()?.saturating_sub(length))
    }

    /// Leaves half a command at the end of the append-only log, as a power failure does in the
    /// middle of a write. The server must be dead.
    ///
    /// # Errors
    /// When the server runs or has no log.
    pub fn tear_aof(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.group.is_none(), "kill redis before tearing its log");
        let path = self.aof()?;
        let mut file = OpenOptions::new().append(true).open(&path)?;
        file.write_all(b"*3\r\n$3\r\nSET\r\n$4\r\nhal").with_context(|| format!("cannot tear {}", path.display()))
    }

    /// Writes the append-only log anew, as an operator does once a server has come back from a
    /// power failure. Redis 7.0 leaves the beginning of a transaction in its log whose end was
    /// cut off in the middle of a command, and makes it a part of the next one when it reads
    /// the log again.
    fn rewrite_aof(&self) -> anyhow::Result<()> {
        self.cli(&["bgrewriteaof"])?;
        wait_until("the log is rewritten", PATIENCE, || {
            let info = self.cli(&["info", "persistence"])?;
            Ok(info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0"))
        })
    }

    /// Bytes in the append-only log now.
    ///
    /// # Errors
    /// When there is no log.
    pub fn aof_len(&self) -> anyhow::Result<u64> {
        aof_len(self.folder.path())
    }

    /// Lets no file of the server grow any more: a write then fails as on a full disk.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn fill_disk(&self) -> anyhow::Result<()> {
        self.limit_files(Some(self.aof_len()?))
    }

    /// Gives the room back, and waits until the server has written what it could not write.
    ///
    /// # Errors
    /// When the server does not run, or does not write.
    pub fn free_disk(&self) -> anyhow::Result<()> {
        self.limit_files(None)?;
        wait_until("the log is written again", PATIENCE, || Ok(!self.is_disk_full()?))
    }

    /// Lets the server have no more memory than it has.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn fill_memory(&self) -> anyhow::Result<()> {
        let info = self.cli(&["info", "memory"])?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).context("no used_memory")?;
        self.cli(&["config", "set", "maxmemory", used.trim()]).map(drop)
    }

    /// Lets the server have as much memory as there is.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn free_memory(&self) -> anyhow::Result<()> {
        self.cli(&["config", "set", "maxmemory", "0"]).map(drop)
    }

    /// How often the server answered with an error of that code: `OOM`, `MISCONF`.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn errors(&self, code: &str) -> anyhow::Result<u64> {
        let (info, name) = (self.cli(&["info", "errorstats"])?, format!("errorstat_{code}:count="));
        let count = info.lines().find_map(|line| line.strip_prefix(name.as_str()));
        Ok(count.and_then(|count| count.trim().parse().ok()).unwrap_or(0))
    }

    /// Whether it runs: it may have ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.group.as_mut().is_some_and(|group| matches!(group.ended(), Ok(None)))
    }

    /// Whether the server could not write its log when it last tried.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn is_disk_full(&self) -> anyhow::Result<bool> {
        Ok(self.cli(&["info", "persistence"])?.contains("aof_last_write_status:err"))
    }

    fn limit_files(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(pid.context("redis does not run")?), Resource::Fsize, limit).context("a limit of its files")?;
        Ok(())
    }

    /// Whether the server may acknowledge before it writes its log: with `everysec` it puts a
    /// write off, for up to two seconds, while the sync before it goes on.
    #[must_use]
    pub fn may_write_late(&self) -> bool {
        self.options.appendfsync == "everysec"
    }

    fn aof(&self) -> anyhow::Result<PathBuf> {
        newest_log(self.folder.path())
    }

    /// Lets it follow another server as its replica, and waits until it has all of its data.
    ///
    /// # Errors
    /// When it does not get there.
    pub fn follow(&self, primary: &Self) -> anyhow::Result<()> {
        self.follow_port(primary.port)?;
        wait_until("the replica is in step", PATIENCE, || {
            Ok(self.cli(&["info", "replication"])?.contains("master_link_status:up"))
        })
    }

    /// Lets it follow whoever is reached at that port of this machine, without waiting.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn follow_port(&self, port: u16) -> anyhow::Result<()> {
        self.cli(&["replicaof", "127.0.0.1", &port.to_string()]).map(drop)
    }

    /// Makes a replica a primary.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn promote(&self) -> anyhow::Result<()> {
        self.cli(&["replicaof", "no", "one"]).map(drop)
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let log = self.folder.path().join(LOG);
        // Whoever ignores this signal is told that a file may not grow, instead of ending.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", "redis-server"])
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .arg("--dir")
            .arg(self.folder.path())
            .args(["--appendonly", "yes", "--appendfsync", &self.options.appendfsync])
            .args(&self.options.args)
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        if self.options.cluster {
            // A bus port ten thousand above would not exist for most free ports.
            let bus = port::free()?.to_string();
            command.args(["--cluster-enabled", "yes", "--cluster-port", &bus]);
        }
        let mut group = Group::start(&mut command, PACKAGE, Some(self.folder.path()))?;
        let port = self.port;
        wait_until("redis answers", PATIENCE, || match group.ended()? {
            Some(status) => bail!("redis ended with {status}: {}", last_words(&log)),
            None => Ok(answers(port)),
        })?;
        self.group = Some(group);
        Ok(())
    }
}

/// Whether it serves commands: while loading its data it answers with an error instead.
/// Bytes in the append-only log of the server that keeps its files in that folder, now.
///
/// # Errors
/// When there is no log.
pub fn aof_len(folder: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(newest_log(folder)?)?.len())
}

/// A log has a number; while it is written anew there are two of them.
fn newest_log(folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = folder.join("appendonlydir");
    let entries = fs::read_dir(&folder).with_context(|| format!("no log in {}", folder.display()))?;
    let numbered = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number: u64 = path.to_str()?.strip_suffix(".incr.aof")?.rsplit('.').next()?.parse().ok()?;
        Some((number, path))
    });
    Ok(numbered.max().context("no incremental log")?.1)
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        // One that asks for a password answers too.
        Ok(&answer == b"+PONG\r\n" || answer.starts_with(b"-NOAUTH"))
    };
    ask().unwrap_or(false)
}

/// The end of a server's output.
pub(crate) fn last_words(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(15).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
