//! A Redis Cluster of three primaries, and slots that move between them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::{Redis, RedisOptions, wait_until};

const COUNT: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);
const SLOTS: u16 = 16_384;

/// The nodes of a running cluster.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three nodes with a third of the slots each, and waits until they agree.
    ///
    /// # Errors
    /// When Redis is not installed or the cluster does not come up.
    pub fn start(options: &RedisOptions) -> anyhow::Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..COUNT {
            nodes.push(node(options)?);
        }
        let cluster = Self { nodes };
        let hosts: Vec<_> = cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let mut command = Command::new("redis-cli");
        command.args(&options.login).args(["--cluster", "create"]).args(&hosts);
        let output =
            command.args(["--cluster-replicas", "0", "--cluster-yes"]).output().context("redis-cli is missing")?;
        if !output.status.success() {
            bail!("no cluster: {}", String::from_utf8_lossy(&output.stdout));
        }
        wait_until("the cluster agrees", PATIENCE, || {
            let mut agree = true;
            for node in &cluster.nodes {
                agree &= node.cli(&["cluster", "info"])?.contains("cluster_state:ok");
            }
            Ok(agree)
        })?;
        Ok(cluster)
    }

    /// What a store's address names: `127.0.0.1:1,127.0.0.1:2,127.0.0.1:3`.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect::<Vec<_>>().join(",")
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The place of the node that has a key's slot, and the slot.
    ///
    /// # Errors
    /// When the nodes do not answer.
    pub fn place_of(&self, key: &str) -> anyhow::Result<(usize, u16)> {
        let first = self.nodes.first().context("no node")?;
        let slot: u16 = first.cli(&["cluster", "keyslot", key])?.parse()?;
        for (place, node) in self.nodes.iter().enumerate() {
            // One of its own slots is read by a node, others are refused.
            if node.cli(&["exists", key]).is_ok() {
                return Ok((place, slot));
            }
        }
        bail!("no node has slot {slot} of {SLOTS}")
    }

    /// Begins to move a slot: keys that are not at `from` any more are asked for at `to`.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) -> anyhow::Result<()> {
        let slot = slot.to_string();
        self.node(to)?.cli(&["cluster", "setslot", &slot, "importing", &self.id(from)?])?;
        self.node(from)?.cli(&["cluster", "setslot", &slot, "migrating", &self.id(to)?]).map(drop)
    }

    /// Moves up to `count` keys of a slot; how many there were.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize, count: usize) -> anyhow::Result<usize> {
        let source = self.node(from)?;
        let keys = source.cli(&["cluster", "getkeysinslot", &slot.to_string(), &count.to_string()])?;
        let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
        for key in &keys {
            source.cli(&["migrate", "127.0.0.1", &self.node(to)?.port().to_string(), key, "0", "5000"])?;
        }
        Ok(keys.len())
    }

    /// Ends the move: the slot is at `to`.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn end_move(&self, slot: u16, to: usize) -> anyhow::Result<()> {
        let (slot, id) = (slot.to_string(), self.id(to)?);
        self.node(to)?.cli(&["cluster", "setslot", &slot, "node", &id])?;
        for node in &self.nodes {
            node.cli(&["cluster", "setslot", &slot, "node", &id])?;
        }
        Ok(())
    }

    fn id(&self, place: usize) -> anyhow::Result<String> {
        self.node(place)?.cli(&["cluster", "myid"])
    }

    fn node(&self, place: usize) -> anyhow::Result<&Redis> {
        self.nodes.get(place).context("no such node")
    }
}

/// A node; its port and the one ten thousand above must be free.
fn node(options: &RedisOptions) -> anyhow::Result<Redis> {
    let mut last = None;
    for _ in 0..10 {
        match Redis::start(RedisOptions { cluster: true, ..options.clone() }) {
            Ok(node) => return Ok(node),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no attempt was made")?)
}
