//! What lies outside partitions, in Redis: graphs, API keys and workers.

use async_trait::async_trait;
use baton_common::ids::GraphHash;
use baton_common::records::Body;
use baton_common::{Digest, Partition, TenantId, Timestamp};
use redis::{Pipeline, cmd};

use super::pack::{Fields, Packer};
use super::rows::{json, to_json};
use super::{RedisStore, keys};
use crate::{ApiKey, Error, Registry, StoredGraph, StoredWorker};

const ANY: Partition = Partition(0);

/// Workers not seen for this long are forgotten.
const WORKER_KEPT_MS: u64 = 24 * 3_600_000;

impl RedisStore {
    async fn graph_row(&self, tenant: &TenantId, hash: &str) -> Result<Option<StoredGraph>, Error> {
        let command = cmd("HGET").arg(keys::graphs(tenant)).arg(hash).take();
        let row: Option<Vec<u8>> = self.shared.links.command(ANY, &command).await?;
        row.map(|row| graph(tenant, &row)).transpose()
    }
}

/// A graph's row: its hash, name, time and source.
fn graph(tenant: &TenantId, row: &[u8]) -> Result<StoredGraph, Error> {
    let mut fields = Fields::of(row)?;
    Ok(StoredGraph {
        tenant: tenant.clone(),
        hash: GraphHash(Digest(fields.exactly()?)),
        name: fields.text()?,
        applied_at: fields.moment()?,
        source: fields.text()?,
    })
}

fn graph_row(graph: &StoredGraph) -> Vec<u8> {
    let row = Packer::default().bytes(graph.hash.0.0).bytes(&graph.name).moment(graph.applied_at.0);
    row.bytes(&graph.source).finish()
}

#[async_trait]
impl Registry for RedisStore {
    async fn cluster(&self) -> Result<String, Error> {
        Ok(self.shared.cluster.clone())
    }

    async fn put_graph(&self, graph: StoredGraph) -> Result<(), Error> {
        let hash = graph.hash.to_string();
        // The graph before its name: a name never means a graph that is not there.
        let links = &self.shared.links;
        let row = cmd("HSET").arg(keys::graphs(&graph.tenant)).arg(&hash).arg(graph_row(&graph)).take();
        links.command::<i64>(ANY, &row).await?;
        let name = cmd("HSET").arg(keys::graph_names(&graph.tenant)).arg(&graph.name).arg(&hash).take();
        links.command::<i64>(ANY, &name).await.map(drop)
    }

    async fn graph(&self, tenant: &TenantId, hash: GraphHash) -> Result<Option<StoredGraph>, Error> {
        self.graph_row(tenant, &hash.to_string()).await
    }

    async fn graph_named(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredGraph>, Error> {
        let command = cmd("HGET").arg(keys::graph_names(tenant)).arg(name).take();
        match self.shared.links.command::<Option<String>>(ANY, &command).await? {
            Some(hash) => self.graph_row(tenant, &hash).await,
            None => Ok(None),
        }
    }

    async fn graphs(&self, tenant: &TenantId) -> Result<Vec<StoredGraph>, Error> {
        let names = cmd("HGETALL").arg(keys::graph_names(tenant)).take();
        let mut names: Vec<(String, String)> = self.shared.links.command(ANY, &names).await?;
        names.sort();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = cmd("HMGET");
        rows.arg(keys::graphs(tenant));
        for (_, hash) in &names {
            rows.arg(hash);
        }
        let rows: Vec<Option<Vec<u8>>> = self.shared.links.command(ANY, &rows).await?;
        rows.into_iter().flatten().map(|row| graph(tenant, &row)).collect()
    }

    async fn put_api_key(&self, key: ApiKey) -> Result<(), Error> {
        let before = self.key_of(&key.id).await?.filter(|before| before.hash != key.hash);
        let links = &self.shared.links;
        if let Some(before) = before {
            let stale = cmd("HDEL").arg(keys::API_KEY_HASHES).arg(before.hash.to_string()).take();
            links.command::<i64>(ANY, &stale).await?;
        }
        let row = cmd("HSET").arg(keys::API_KEYS).arg(&key.id).arg(to_json(&key)?).take();
        links.command::<i64>(ANY, &row).await?;
        let hash = cmd("HSET").arg(keys::API_KEY_HASHES).arg(key.hash.to_string()).arg(&key.id).take();
        links.command::<i64>(ANY, &hash).await.map(drop)
    }

    async fn api_key(&self, hash: Digest) -> Result<Option<ApiKey>, Error> {
        let command = cmd("HGET").arg(keys::API_KEY_HASHES).arg(hash.to_string()).take();
        match self.shared.links.command::<Option<String>>(ANY, &command).await? {
            Some(id) => Ok(self.key_of(&id).await?.filter(|key| key.hash == hash)),
            None => Ok(None),
        }
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, Error> {
        let mut rows: Vec<(String, Vec<u8>)> =
            self.shared.links.command(ANY, cmd("HGETALL").arg(keys::API_KEYS)).await?;
        rows.sort();
        rows.iter().map(|(_, row)| json(row)).collect()
    }

    /// The key itself goes first: from then on nothing can be done with it.
    async fn remove_api_key(&self, id: &str) -> Result<bool, Error> {
        let Some(key) = self.key_of(id).await? else { return Ok(false) };
        let links = &self.shared.links;
        let removed: i64 = links.command(ANY, cmd("HDEL").arg(keys::API_KEYS).arg(id)).await?;
        let hash = cmd("HDEL").arg(keys::API_KEY_HASHES).arg(key.hash.to_string()).take();
        links.command::<i64>(ANY, &hash).await?;
        Ok(removed > 0)
    }

    async fn put_worker(&self, id: &str, body: Body) -> Result<(), Error> {
        let now = self.server_clock().await?;
        let row = Packer::default().moment(now.0).bytes(body).finish();
        self.shared.links.command::<i64>(ANY, cmd("HSET").arg(keys::WORKERS).arg(id).arg(row)).await.map(drop)
    }

    async fn workers(&self, since: Timestamp) -> Result<Vec<StoredWorker>, Error> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("TIME").cmd("HGETALL").arg(keys::WORKERS);
        let ((seconds, _), mut rows): ((i64, i64), Vec<(String, Vec<u8>)>) =
            self.shared.links.pipeline(ANY, &pipeline).await?;
        rows.sort();
        let mut seen = Vec::new();
        for (id, row) in rows {
            let mut fields = Fields::of(&row)?;
            let seen_at = fields.moment()?;
            if seen_at >= since {
                seen.push(StoredWorker { id, body: fields.text()?, seen_at });
            } else if seen_at.plus_ms(WORKER_KEPT_MS) < Timestamp(seconds * 1_000) {
                self.shared.links.command::<i64>(ANY, cmd("HDEL").arg(keys::WORKERS).arg(id)).await?;
            }
        }
        Ok(seen)
    }
}

impl RedisStore {
    async fn key_of(&self, id: &str) -> Result<Option<ApiKey>, Error> {
        let row: Option<Vec<u8>> = self.shared.links.command(ANY, cmd("HGET").arg(keys::API_KEYS).arg(id)).await?;
        row.map(|row| json(&row)).transpose()
    }
}
