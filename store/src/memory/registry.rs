//! What lies outside partitions, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use baton_common::ids::GraphHash;
use baton_common::records::Body;
use baton_common::{Digest, TenantId, Timestamp};

use super::MemoryStore;
use crate::{ApiKey, Error, Registry, StoredGraph, StoredWorker};

#[derive(Clone, Default)]
pub(super) struct RegistryRows {
    cluster: String,
    graphs: BTreeMap<(TenantId, GraphHash), StoredGraph>,
    names: BTreeMap<(TenantId, String), GraphHash>,
    keys: BTreeMap<String, ApiKey>,
    workers: BTreeMap<String, StoredWorker>,
}

impl RegistryRows {
    pub(super) fn named(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), ..Self::default() }
    }

    /// The sources of all graphs.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.graphs.values().map(|graph| graph.source.as_str())
    }
}

#[async_trait]
impl Registry for MemoryStore {
    async fn cluster(&self) -> Result<String, Error> {
        Ok(self.shared.data.lock().registry.cluster.clone())
    }

    async fn put_graph(&self, graph: StoredGraph) -> Result<(), Error> {
        let mut data = self.shared.data.lock();
        data.registry.names.insert((graph.tenant.clone(), graph.name.clone()), graph.hash);
        data.registry.graphs.insert((graph.tenant.clone(), graph.hash), graph);
        Ok(())
    }

    async fn graph(&self, tenant: &TenantId, hash: GraphHash) -> Result<Option<StoredGraph>, Error> {
        Ok(self.shared.data.lock().registry.graphs.get(&(tenant.clone(), hash)).cloned())
    }

    async fn graph_named(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredGraph>, Error> {
        let data = self.shared.data.lock();
        let Some(hash) = data.registry.names.get(&(tenant.clone(), name.to_owned())) else { return Ok(None) };
        Ok(data.registry.graphs.get(&(tenant.clone(), *hash)).cloned())
    }

    async fn graphs(&self, tenant: &TenantId) -> Result<Vec<StoredGraph>, Error> {
        let data = self.shared.data.lock();
        let names = data.registry.names.iter().filter(|((of, _), _)| of == tenant);
        Ok(names.filter_map(|((_, _), hash)| data.registry.graphs.get(&(tenant.clone(), *hash)).cloned()).collect())
    }

    async fn put_api_key(&self, key: ApiKey) -> Result<(), Error> {
        self.shared.data.lock().registry.keys.insert(key.id.clone(), key);
        Ok(())
    }

    async fn api_key(&self, hash: Digest) -> Result<Option<ApiKey>, Error> {
        Ok(self.shared.data.lock().registry.keys.values().find(|key| key.hash == hash).cloned())
    }

    async fn api_keys(&self) -> Result<Vec<ApiKey>, Error> {
        Ok(self.shared.data.lock().registry.keys.values().cloned().collect())
    }

    async fn remove_api_key(&self, id: &str) -> Result<bool, Error> {
        Ok(self.shared.data.lock().registry.keys.remove(id).is_some())
    }

    async fn put_worker(&self, id: &str, body: Body) -> Result<(), Error> {
        let worker = StoredWorker { id: id.to_owned(), body, seen_at: self.clock() };
        self.shared.data.lock().registry.workers.insert(id.to_owned(), worker);
        Ok(())
    }

    async fn workers(&self, since: Timestamp) -> Result<Vec<StoredWorker>, Error> {
        let data = self.shared.data.lock();
        Ok(data.registry.workers.values().filter(|worker| worker.seen_at >= since).cloned().collect())
    }
}
