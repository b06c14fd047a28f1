//! Several RabbitMQ nodes as one cluster, on one machine: they share a port mapper and the
//! cookie by which they know each other. The node that was there first keeps the mapper, and
//! is dropped last.

use std::fs;
use std::sync::atomic::AtomicU32;

use anyhow::Context;

use super::{Ports, Rabbit, RabbitOptions, configure};
use crate::port;

/// Where Erlang keeps what nodes know each other by.
const COOKIE: &str = ".erlang.cookie";

impl Rabbit {
    /// Starts another node and joins it to the cluster of this one: some eight seconds.
    ///
    /// # Errors
    /// When it does not come up, or the cluster does not take it.
    pub fn join(&self, options: &RabbitOptions) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-rabbit-").tempdir()?;
        configure(folder.path(), options)?;
        fs::copy(self.folder.path().join(COOKIE), folder.path().join(COOKIE)).context("no cookie to share")?;
        let ports = Ports { amqp: port::free()?, distribution: port::free()?, mapper: self.ports.mapper };
        let mut node = Self { server: None, mapper: None, joined: true, ports, hosts: AtomicU32::new(0), folder };
        node.run()?;
        node.ctl(&["stop_app"])?;
        node.ctl(&["join_cluster", &self.node()])?;
        node.ctl(&["start_app"])?;
        Ok(node)
    }

    /// Ends this node of a cluster with SIGKILL, and nothing that others need.
    pub fn kill_node(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts this node of a cluster again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart_node(&mut self) -> anyhow::Result<()> {
        self.kill_node();
        self.run()
    }

    /// The address of a virtual host at all of these nodes.
    pub fn cluster_url(nodes: &[&Self], vhost: &str) -> String {
        let hosts: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("amqp://guest:guest@{}/{}", hosts.join(","), vhost.replace('/', "%2f"))
    }
}
