//! Graphs as callers keep them: applied under a name, listed, shown.

use baton_store::StoredGraph;

use super::{ApiError, Applied, Caller, GraphSource, GraphView};
use crate::graphs::{source_of, was_applied};
use crate::orchestrator::Orchestrator;

impl Orchestrator {
    /// Validates a graph and makes it the version its name means. Applying the same text
    /// again resolves its tools anew and changes nothing else.
    ///
    /// # Errors
    /// When it is not valid, or uses a tool that no worker has.
    pub async fn apply_graph(&self, caller: &Caller, source: GraphSource) -> Result<Applied, ApiError> {
        let graph = self.inner.compile(&caller.tenant, source, true).await?;
        let (name, hash) = (graph.name.clone(), graph.hash);
        let before = self.inner.store.graph_named(&caller.tenant, &name).await?;
        self.inner.keep_graph(&caller.tenant, name.clone(), graph).await?;
        Ok(Applied { name, hash, changed: before.is_none_or(|before| before.hash != hash) })
    }

    /// An applied graph, by `name` or `name@version`, earlier versions too.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn get_graph(&self, caller: &Caller, called: &str) -> Result<Option<GraphView>, ApiError> {
        self.inner.applied(&caller.tenant, called).await?.as_ref().map(view).transpose()
    }

    /// The version each applied name means, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list_graphs(&self, caller: &Caller) -> Result<Vec<GraphView>, ApiError> {
        let stored = self.inner.store.graphs(&caller.tenant).await?;
        let applied = stored.iter().filter(|stored| was_applied(stored));
        applied.map(view).collect()
    }
}

fn view(stored: &StoredGraph) -> Result<GraphView, ApiError> {
    let (name, hash, applied_at) = (stored.name.clone(), stored.hash, stored.applied_at);
    Ok(GraphView { name, hash, applied_at, source: source_of(stored)? })
}
