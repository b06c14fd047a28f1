//! A private RabbitMQ server with an Erlang port mapper of its own.
//!
//! The server's own script is called, not the wrapper in the path, which changes to another
//! user. A virtual host for each test keeps tests apart on one server.

mod cluster;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::group::Group;
use crate::redis::last_words;
use crate::{port, wait_until};

const PACKAGE: &str = "rabbitmq-server";
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CTL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const PATIENCE: Duration = Duration::from_secs(90);

/// How a RabbitMQ server is started.
#[derive(Debug, Clone, Default)]
pub struct RabbitOptions {
    /// Plugins beyond none: `rabbitmq_management`.
    pub plugins: Vec<String>,
    /// Lines of `rabbitmq.conf`: `consumer_timeout = 10000`.
    pub config: Vec<String>,
    /// Terms of `advanced.config`: `{rabbit, [{channel_tick_interval, 1000}]}`.
    pub advanced: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    distribution: u16,
    mapper: u16,
}

/// A running (or killed) RabbitMQ server with its data.
#[derive(Debug)]
pub struct Rabbit {
    server: Option<Group>,
    mapper: Option<Group>,
    /// Whether another node of its cluster has the mapper.
    joined: bool,
    ports: Ports,
    hosts: AtomicU32,
    folder: TempDir,
}

impl Rabbit {
    /// Starts a server and waits until it speaks AMQP: some four seconds.
    ///
    /// # Errors
    /// When RabbitMQ is not installed or does not come up; the error holds its last words.
    pub fn start(options: RabbitOptions) -> anyhow::Result<Self> {
        anyhow::ensure!(Path::new(SERVER).exists(), "{SERVER} is missing: install it with `apt-get install {PACKAGE}`");
        let mut last = None;
        for _ in 0..3 {
            let folder = tempfile::Builder::new().prefix("baton-rabbit-").tempdir()?;
            configure(folder.path(), &options)?;
            let ports = Ports { amqp: port::free()?, distribution: port::free()?, mapper: port::free()? };
            let mut rabbit =
                Self { server: None, mapper: None, joined: false, ports, hosts: AtomicU32::new(0), folder };
            match rabbit.run() {
                Ok(()) => return Ok(rabbit),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// The address of a virtual host, with user and password; `/` is the default one.
    pub fn url(&self, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{}", self.ports.amqp, vhost.replace('/', "%2f"))
    }

    /// The port of AMQP; the same over restarts.
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Creates a virtual host and returns its name.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn new_vhost(&self) -> anyhow::Result<String> {
        let name = format!("test{}", self.hosts.fetch_add(1, Ordering::Relaxed));
        let user = "<<\"guest\">>";
        self.ctl(&[
            "eval",
            &format!(
                "rabbit_vhost:add(<<\"{name}\">>, {user}), rabbit_auth_backend_internal:set_permissions(\
                 {user}, <<\"{name}\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, {user})."
            ),
        ])?;
        Ok(name)
    }

    /// Calls `rabbitmqctl` with these arguments and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error holds what it said.
    pub fn ctl(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.command(CTL).args(["-q", "-n", &self.node()]).args(args).output()?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("rabbitmqctl {args:?}: {}", String::from_utf8_lossy(&said).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Throws away what waits in a queue.
    ///
    /// # Errors
    /// When there is no such queue, or the server does not run.
    pub fn purge(&self, vhost: &str, queue: &str) -> anyhow::Result<()> {
        self.ctl(&["-p", vhost, "purge_queue", queue]).map(drop)
    }

    /// Removes a queue with what waits in it.
    ///
    /// # Errors
    /// When there is no such queue, or the server does not run.
    pub fn delete(&self, vhost: &str, queue: &str) -> anyhow::Result<()> {
        self.ctl(&["-p", vhost, "delete_queue", queue]).map(drop)
    }

    /// Removes the binding through which a queue gets its messages.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn unbind(&self, vhost: &str, exchange: &str, queue: &str) -> anyhow::Result<()> {
        let resource = |kind: &str, name: &str| format!("rabbit_misc:r(<<\"{vhost}\">>, {kind}, <<\"{name}\">>)");
        let binding = format!(
            "rabbit_binding:remove({{binding, {}, <<\"{queue}\">>, {}, []}}, <<\"test\">>).",
            resource("exchange", exchange),
            resource("queue", queue)
        );
        self.ctl(&["eval", &binding]).map(drop)
    }

    /// Raises the memory alarm, which blocks every connection that publishes, or ends it.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn alarm(&self, raised: bool) -> anyhow::Result<()> {
        self.ctl(&["set_vm_memory_high_watermark", if raised { "0.0000001" } else { "0.6" }]).map(drop)
    }

    /// Raises the disk alarm, which does the same, or ends it.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn disk_alarm(&self, raised: bool) -> anyhow::Result<()> {
        self.ctl(&["set_disk_free_limit", if raised { "1000000GB" } else { "1MB" }]).map(drop)
    }

    /// Names of the queues of a virtual host and how many messages each holds, those in
    /// consumers' hands too.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn queues(&self, vhost: &str) -> anyhow::Result<Vec<(String, u64)>> {
        let text = self.ctl(&["-p", vhost, "list_queues", "--no-table-headers", "name", "messages"])?;
        let line = |line: &str| -> Option<(String, u64)> {
            let (name, count) = line.split_once('\t')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// What a queue holds and who reads it, for people: messages that wait, messages in
    /// consumers' hands, consumers.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn standing(&self, vhost: &str, queue: &str) -> anyhow::Result<String> {
        let columns = ["name", "messages_ready", "messages_unacknowledged", "consumers"];
        let text = self.ctl(&[&["-p", vhost, "list_queues", "--no-table-headers"], &columns[..]].concat())?;
        let line = text.lines().find_map(|line| line.strip_prefix(queue)?.strip_prefix('\t'));
        let mut figures = line.unwrap_or_default().split('\t').map(str::trim);
        let mut next = || figures.next().unwrap_or("?").to_owned();
        Ok(format!("{} wait, {} in hands, {} consumers", next(), next(), next()))
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
        if let Some(mapper) = self.mapper.take() {
            mapper.kill();
        }
    }

    /// Ends it, if it runs, and starts it on the same port with the same data.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.run()
    }

    /// Freezes it with SIGSTOP: connections stay open and nobody answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.server.as_ref().context("rabbitmq does not run")?.signal(Signal::STOP)
    }

    /// Lets a frozen one go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.server.as_ref().context("rabbitmq does not run")?.signal(Signal::CONT)
    }

    fn node(&self) -> String {
        format!("baton{}@localhost", self.ports.amqp)
    }

    /// A command that sees this server alone.
    fn command(&self, program: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(program);
        command
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", self.ports.mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.ports.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"));
        command
    }

    fn run(&mut self) -> anyhow::Result<()> {
        if self.mapper.is_none() && !self.joined {
            let mapper = ["-address", "127.0.0.1", "-port", &self.ports.mapper.to_string()];
            self.mapper = Some(Group::start(self.command("epmd").args(mapper), "erlang-base", None)?);
        }
        let log = self.folder.path().join("rabbitmq.out");
        let mut command = self.command(SERVER);
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        let mut server = Group::start(&mut command, PACKAGE, Some(self.folder.path()))?;
        let port = self.ports.amqp;
        wait_until("rabbitmq answers", PATIENCE, || match server.ended()? {
            Some(status) => bail!("rabbitmq ended with {status}: {}", last_words(&log)),
            None => Ok(speaks_amqp(port)),
        })?;
        self.server = Some(server);
        // The listener opens a moment before the node has started all of its parts.
        self.ctl(&["await_startup"]).map(drop)
    }
}

fn configure(folder: &Path, options: &RabbitOptions) -> anyhow::Result<()> {
    fs::write(folder.join("enabled_plugins"), format!("[{}].\n", options.plugins.join(",")))?;
    fs::write(folder.join("rabbitmq.conf"), options.config.join("\n") + "\n")?;
    fs::write(folder.join("advanced.config"), format!("[{}].\n", options.advanced.join(",")))?;
    Ok(())
}

/// Whether the server answers a protocol header with its first frame (a method on channel 0).
fn speaks_amqp(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"AMQP\0\0\x09\x01")?;
        let mut frame = [0; 3];
        stream.read_exact(&mut frame)?;
        Ok(frame == [1, 0, 0])
    };
    ask().unwrap_or(false)
}
