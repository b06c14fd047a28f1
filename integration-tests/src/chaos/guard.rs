//! What takes the store's place: a replica of it, and sentinels who promote that one once the
//! primary is gone. When that happens is up to a scenario.

use std::time::Duration;

use baton_testbed::{Redis, RedisOptions, SentinelOptions, Sentinels, wait_until};

/// How long a replica may take to get what its primary has. Sentinels tell it whom to follow, and
/// do nothing for 30 s when they were held up for two (TILT mode).
const PATIENCE: Duration = Duration::from_secs(90);
/// Where nobody listens.
const NOBODY: u16 = 1;

/// A replica and three sentinels.
pub struct Guard {
    /// The replica.
    pub replica: Redis,
    /// The sentinels.
    pub sentinels: Sentinels,
}

impl Guard {
    /// Starts them beside a primary.
    ///
    /// # Errors
    /// When something does not come up.
    pub fn start(primary: &Redis, options: &RedisOptions) -> anyhow::Result<Self> {
        let replica = Redis::start(options.clone())?;
        replica.follow(primary)?;
        let sentinels = Sentinels::start(primary.port(), 1, &SentinelOptions::default())?;
        Ok(Self { replica, sentinels })
    }

    /// The store's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}", self.sentinels.hosts())
    }

    /// Waits until the replica has all that the primary has by now.
    ///
    /// # Errors
    /// When it does not get it.
    pub fn in_step(&self, primary: &Redis) -> anyhow::Result<()> {
        let from = primary.port().to_string();
        wait_until("the replica follows", PATIENCE, || {
            Ok(is(&self.replica, "master_link_status", "up") && is(&self.replica, "master_port", &from))
        })?;
        let wanted: u64 = told(primary, "master_repl_offset")?.parse()?;
        wait_until("the replica is in step", PATIENCE, || {
            Ok(told(&self.replica, "slave_repl_offset")?.parse::<u64>()? >= wanted)
        })
    }

    /// Keeps from the replica what the primary takes from now on.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn hold_back(&self) -> anyhow::Result<()> {
        self.replica.follow_port(NOBODY)
    }

    /// Waits until the sentinels have promoted the replica of a primary that was killed. The two
    /// change their places, and the old one is started again, to become a replica.
    ///
    /// # Errors
    /// When they do not, or it does not start.
    pub fn change_places(&mut self, primary: &mut Redis) -> anyhow::Result<()> {
        let port = self.sentinels.await_other_than(primary.port())?;
        anyhow::ensure!(port == self.replica.port(), "the sentinels name a stranger at {port}");
        wait_until("the replica is a primary", PATIENCE, || Ok(is(&self.replica, "role", "master")))?;
        std::mem::swap(&mut self.replica, primary);
        self.replica.restart()
    }
}

/// Whether a server says so; one that changes its role ends its connections.
fn is(server: &Redis, name: &str, wanted: &str) -> bool {
    told(server, name).is_ok_and(|found| found == wanted)
}

/// What a server tells of its copies, by name.
fn told(server: &Redis, name: &str) -> anyhow::Result<String> {
    let info = server.cli(&["info", "replication"])?;
    let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    Ok(lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).unwrap_or_default())
}
