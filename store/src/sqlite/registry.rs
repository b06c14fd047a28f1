//! What lies outside partitions, in SQLite.

use async_trait::async_trait;
use baton_common::ids::GraphHash;
use baton_common::records::Body;
use baton_common::{Digest, TenantId, Timestamp};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::rows::{decode, encode, fault, texts, value};
use crate::{ApiKey, Error, Registry, StoredGraph, StoredWorker};

const GRAPH: &str = "SELECT tenant, name, graph.hash, source, applied_at FROM graph";

#[async_trait]
impl Registry for SqliteStore {
    async fn cluster(&self) -> Result<String, Error> {
        Ok(self.shared.cluster.clone())
    }

    async fn put_graph(&self, graph: StoredGraph) -> Result<(), Error> {
        self.write(move |connection| {
            let transaction = connection.unchecked_transaction().map_err(fault)?;
            let (tenant, hash) = (graph.tenant.as_str(), graph.hash.to_string());
            let sql =
                "INSERT OR REPLACE INTO graph (tenant, hash, name, source, applied_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            let row = params![tenant, hash, graph.name, graph.source, graph.applied_at.0];
            transaction.execute(sql, row).map_err(fault)?;
            let sql = "INSERT OR REPLACE INTO graph_name (tenant, name, hash) VALUES (?1, ?2, ?3)";
            transaction.execute(sql, params![tenant, graph.name, hash]).map_err(fault)?;
            transaction.commit().map_err(fault)
        })
        .await
    }

    async fn graph(&self, tenant: &TenantId, hash: GraphHash) -> Result<Option<StoredGraph>, Error> {
        let params = [tenant.to_string(), hash.to_string()];
        let sql = format!("{GRAPH} WHERE tenant = ?1 AND hash = ?2");
        self.read(move |connection| Ok(graphs(connection, &sql, &params)?.pop())).await
    }

    async fn graph_named(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredGraph>, Error> {
        let params = [tenant.to_string(), name.to_owned()];
        let sql = format!("{GRAPH} JOIN graph_name USING (tenant, name, hash) WHERE tenant = ?1 AND name = ?2");
        self.read(move |connection| Ok(graphs(connection, &sql, &params)?.pop())).await
    }

    async fn graphs(&self, tenant: &TenantId) -> Result<Vec<StoredGraph>, Error> {
        let params = [tenant.to_string()];
        let sql = format!("{GRAPH} JOIN graph_name USING (tenant, name, hash) WHERE tenant = ?1 ORDER BY name");
        self.read(move |connection| graphs(connection, &sql, &params)).await
    }

    async fn put_api_key(&self, key: ApiKey) -> Result<(), Error> {
        self.write(move |connection| {
            let sql = "INSERT OR REPLACE INTO api_key (id, hash, row) VALUES (?1, ?2, ?3)";
            connection.execute(sql, params![key.id, key.hash.to_string(), encode(&key)?]).map_err(fault)?;
            Ok(())
        })
        .await
    }

    async fn api_key(&self, hash: Digest) -> Result<Option<ApiKey>, Error> {
        self.read(move |connection| value(connection, "SELECT row FROM api_key WHERE hash = ?1", [hash.to_string()]))
            .await
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, Error> {
        self.read(|connection| {
            let rows = texts(connection, "SELECT row FROM api_key ORDER BY id", [])?;
            rows.iter().map(|row| decode(row)).collect()
        })
        .await
    }

    async fn remove_api_key(&self, id: &str) -> Result<bool, Error> {
        let id = id.to_owned();
        self.write(move |connection| {
            Ok(connection.execute("DELETE FROM api_key WHERE id = ?1", [id]).map_err(fault)? > 0)
        })
        .await
    }

    async fn put_worker(&self, id: &str, body: Body) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(move |connection| {
            let sql = "INSERT OR REPLACE INTO worker (id, body, seen_at) VALUES (?1, ?2, ?3)";
            connection.execute(sql, params![id, body, super::worker::clock().0]).map_err(fault)?;
            Ok(())
        })
        .await
    }

    async fn workers(&self, since: Timestamp) -> Result<Vec<StoredWorker>, Error> {
        self.read(move |connection| {
            let sql = "SELECT id, body, seen_at FROM worker WHERE seen_at >= ?1 ORDER BY id";
            let mut statement = connection.prepare_cached(sql).map_err(fault)?;
            let rows = statement.query_map([since.0], |row| {
                Ok(StoredWorker { id: row.get(0)?, body: row.get(1)?, seen_at: Timestamp(row.get(2)?) })
            });
            rows.map_err(fault)?.collect::<Result<_, _>>().map_err(fault)
        })
        .await
    }
}

fn graphs(connection: &Connection, sql: &str, params: &[String]) -> Result<Vec<StoredGraph>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map(rusqlite::params_from_iter(params), |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get(4)?))
    });
    let mut found = Vec::new();
    for row in rows.map_err(fault)? {
        let (tenant, name, hash, source, applied_at) = row.map_err(fault)?;
        let tenant = TenantId::parse(&tenant).map_err(|error| Error::Broken(error.to_string()))?;
        let hash = hash.parse().map_err(|error: baton_common::ids::Error| Error::Broken(error.to_string()))?;
        found.push(StoredGraph { tenant, name, hash, source, applied_at: Timestamp(applied_at) });
    }
    Ok(found)
}
