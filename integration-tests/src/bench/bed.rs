//! A store and a broker of one kind, of which a measurement makes two: one for Baton, one
//! for its floor. The servers end with it.

use std::sync::Arc;

use baton_broker::Broker;
use baton_common::settings::Timings;
use baton_orchestrator::wiring;
use baton_store::Store;
use baton_testbed::{Rabbit, RabbitOptions, Redis, RedisOptions};
use tempfile::TempDir;

/// What steps are measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything in memory.
    Memory,
    /// SQLite with full sync, broker in memory.
    Sqlite,
    /// Redis that syncs every second, RabbitMQ with classic queues.
    Servers,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Servers];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Servers => "redis+rabbitmq",
        }
    }

    /// Whether the broker forgets everything with this process.
    #[must_use]
    pub fn broker_forgets(self) -> bool {
        self != Self::Servers
    }
}

/// A store and a broker.
pub struct Bed {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// What it is made of.
    pub kind: Kind,
    _folder: Option<TempDir>,
    _redis: Option<Redis>,
    _rabbit: Option<Arc<Rabbit>>,
}

impl Bed {
    /// Two of the same kind. They share a RabbitMQ server, in virtual hosts of their own.
    ///
    /// # Errors
    /// When a server is missing or does not come up.
    pub async fn pair(kind: Kind) -> anyhow::Result<(Self, Self)> {
        if kind != Kind::Servers {
            return Ok((Self::local(kind).await?, Self::local(kind).await?));
        }
        let rabbit = Arc::new(Rabbit::start(RabbitOptions::default())?);
        Ok((Self::on_servers(rabbit.clone()).await?, Self::on_servers(rabbit).await?))
    }

    async fn local(kind: Kind) -> anyhow::Result<Self> {
        let folder = (kind == Kind::Sqlite).then(|| tempfile::Builder::new().prefix("baton-bench-").tempdir());
        let folder = folder.transpose()?;
        let url = folder.as_ref().map_or("memory:".to_owned(), |folder| format!("sqlite:{}", folder.path().display()));
        let store = wiring::store(&url, &Timings::default()).await?;
        Ok(Self { store, broker: wiring::broker("memory:")?, kind, _folder: folder, _redis: None, _rabbit: None })
    }

    async fn on_servers(rabbit: Arc<Rabbit>) -> anyhow::Result<Self> {
        let redis = Redis::start(RedisOptions::default())?;
        let store = wiring::store(&redis.url(), &Timings::default()).await?;
        let vhost = rabbit.new_vhost()?;
        let broker = wiring::broker(&format!("{}?queue_type=classic", rabbit.url(&vhost)))?;
        let (redis, rabbit) = (Some(redis), Some(rabbit));
        Ok(Self { store, broker, kind: Kind::Servers, _folder: None, _redis: redis, _rabbit: rabbit })
    }
}
