//! Three sentinels that watch a primary and promote its replica when it is gone.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use crate::group::Group;
use crate::redis::last_words;
use crate::{port, wait_until};

/// What the primary is called.
const NAME: &str = "baton";
const COUNT: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// How sentinels are started.
#[derive(Debug, Clone, Default)]
pub struct SentinelOptions {
    /// Further lines of the configuration, such as `requirepass` or those of TLS; `PORT` in
    /// them stands for the port that is chosen.
    pub lines: Vec<String>,
    /// Whether they listen with TLS only, as `lines` say.
    pub tls: bool,
    /// Arguments with which `redis-cli` gets in: `-a`, `PASSWORD`, or `--tls`.
    pub login: Vec<String>,
    /// Name and password with which they come to the servers.
    pub server_login: Option<(String, String)>,
}

/// Running sentinels.
#[derive(Debug)]
pub struct Sentinels {
    ports: Vec<u16>,
    groups: Vec<Group>,
    login: Vec<String>,
    _folder: TempDir,
}

impl Sentinels {
    /// Starts them and waits until they know each other and the primary's replicas. A primary
    /// that does not answer for a second is replaced.
    ///
    /// # Errors
    /// When Redis is not installed or they do not come up.
    pub fn start(primary: u16, replicas: usize, options: &SentinelOptions) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-sentinels-").tempdir()?;
        let mut sentinels =
            Self { ports: Vec::new(), groups: Vec::new(), login: options.login.clone(), _folder: folder };
        for number in 0..COUNT {
            let port = port::free()?;
            let path = sentinels._folder.path().join(format!("sentinel-{number}"));
            fs::create_dir(&path)?;
            fs::write(path.join("sentinel.conf"), configuration(port, primary, &path, options))?;
            let out = path.join("out");
            let mut command = Command::new("redis-server");
            command
                .arg(path.join("sentinel.conf"))
                .arg("--sentinel")
                .stdout(File::create(&out)?)
                .stderr(File::options().append(true).open(&out)?);
            sentinels.groups.push(Group::start(&mut command, "redis-server", None)?);
            sentinels.ports.push(port);
        }
        for (number, port) in sentinels.ports.iter().enumerate() {
            let out = sentinels._folder.path().join(format!("sentinel-{number}")).join("out");
            wait_until("the sentinels know all", PATIENCE, || {
                let known = sentinels.ask(*port, &["sentinel", "master", NAME]).unwrap_or_default();
                let has = |field: &str, count: usize| known.contains(&format!("{field}\n{count}\n"));
                Ok(has("num-other-sentinels", COUNT - 1) && has("num-slaves", replicas))
            })
            .with_context(|| last_words(&out))?;
        }
        Ok(sentinels)
    }

    /// What a store's address names: `127.0.0.1:1,127.0.0.1:2,127.0.0.1:3/NAME`.
    #[must_use]
    pub fn hosts(&self) -> String {
        let hosts: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("{}/{NAME}", hosts.join(","))
    }

    /// The port of the primary as most of them name it now.
    ///
    /// # Errors
    /// When none of them answers.
    pub fn primary(&self) -> anyhow::Result<u16> {
        let mut named: Vec<u16> = Vec::new();
        for port in &self.ports {
            let answer = self.ask(*port, &["sentinel", "get-master-addr-by-name", NAME])?;
            named.push(answer.lines().last().context("no address")?.parse()?);
        }
        named.sort_unstable();
        named.get(COUNT / 2).copied().context("no sentinel")
    }

    /// Waits until most of them name another primary than that.
    ///
    /// # Errors
    /// When they do not.
    pub fn await_other_than(&self, port: u16) -> anyhow::Result<u16> {
        wait_until("another primary", PATIENCE, || Ok(self.primary()? != port))?;
        self.primary()
    }

    /// Has them replace the primary though it is there.
    ///
    /// # Errors
    /// When they refuse.
    pub fn fail_over(&self) -> anyhow::Result<()> {
        let port = *self.ports.first().context("no sentinel")?;
        self.ask(port, &["sentinel", "failover", NAME]).map(drop)
    }

    /// Ends the sentinel of that number with SIGKILL.
    pub fn kill(&mut self, number: usize) {
        if number < self.groups.len() {
            self.groups.remove(number).kill();
            self.ports.remove(number);
        }
    }

    fn ask(&self, port: u16, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-e"]).args(&self.login).args(args);
        let output = command.output().context("redis-cli is missing: install it with `apt-get install redis-tools`")?;
        anyhow::ensure!(output.status.success(), "redis-cli: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn configuration(port: u16, primary: u16, folder: &Path, options: &SentinelOptions) -> String {
    let plain = if options.tls { 0 } else { port };
    let mut lines = vec![
        format!("port {plain}"),
        "bind 127.0.0.1".to_owned(),
        format!("dir {}", folder.display()),
        format!("sentinel monitor {NAME} 127.0.0.1 {primary} 2"),
        format!("sentinel down-after-milliseconds {NAME} 1000"),
        format!("sentinel failover-timeout {NAME} 5000"),
    ];
    if let Some((user, password)) = &options.server_login {
        lines.push(format!("sentinel auth-user {NAME} {user}"));
        lines.push(format!("sentinel auth-pass {NAME} {password}"));
    }
    lines.extend(options.lines.iter().map(|line| line.replace("PORT", &port.to_string())));
    lines.join("\n") + "\n"
}
