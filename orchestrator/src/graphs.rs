//! Graphs ready to run: compiled once per version, with the tools they were resolved to.
//!
//! A version's tools are kept with it when it is applied, so that two replicas compute the
//! same bytes whatever workers come and go. What a text means is `engine::spec`'s to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::tool::ToolSpec;
use baton_common::{GraphHash, TenantId};
use baton_engine::graph::Graph;
use baton_engine::spec::{self, Known, Problem};
use baton_engine::step::Tools;
use baton_store::StoredGraph;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::api::{ApiError, GraphSource};
use crate::language;
use crate::lru::Lru;
use crate::orchestrator::Inner;

/// What no applied name begins with.
const INLINE: &str = "~";

/// Compiled versions that are kept.
const COMPILED_MAX: usize = 256;

/// A version, compiled, with its tools.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) graph: Graph,
    pub(crate) tools: Tools,
}

impl Compiled {
    /// Whether a run of it leaves a thread that others may go on with: channels are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.graph.channels.values().any(|channel| channel.keep)
    }
}

/// Compiled versions of this process.
pub(crate) struct Graphs {
    compiled: Mutex<Lru<(TenantId, GraphHash), Arc<Compiled>>>,
}

impl Default for Graphs {
    fn default() -> Self {
        Self { compiled: Mutex::new(Lru::new(COMPILED_MAX)) }
    }
}

#[cfg(test)]
impl Graphs {
    pub(crate) fn insert(&self, tenant: TenantId, compiled: Compiled) {
        self.compiled.lock().put((tenant, compiled.graph.hash), Arc::new(compiled));
    }

    pub(crate) fn forget_all(&self) {
        *self.compiled.lock() = Lru::new(COMPILED_MAX);
    }
}

/// What the registry keeps of a version: its canonical source and the tools it was resolved to.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    source: String,
    tools: Vec<ToolSpec>,
}

impl Inner {
    /// A version that was kept before; `None` when there is none.
    pub(crate) async fn graph(&self, tenant: &TenantId, hash: GraphHash) -> Result<Option<Arc<Compiled>>, ApiError> {
        let key = (tenant.clone(), hash);
        if let Some(compiled) = self.graphs.compiled.lock().get(&key) {
            return Ok(Some(compiled));
        }
        Box::pin(self.stored_graph(key)).await
    }

    async fn stored_graph(&self, key: (TenantId, GraphHash)) -> Result<Option<Arc<Compiled>>, ApiError> {
        let Some(stored) = self.store.graph(&key.0, key.1).await? else { return Ok(None) };
        let Stored { source, tools } = read(&stored)?;
        let graph = self.computed(move || language::compile_kept(&source)).await?;
        let tools = tools.into_iter().map(|tool| (tool.name.clone(), tool)).collect();
        let compiled = Arc::new(Compiled { graph, tools });
        self.graphs.compiled.lock().put(key, compiled.clone());
        Ok(Some(compiled))
    }

    /// Keeps a graph under a name, with the tools that workers have now, and compiles it.
    pub(crate) async fn keep_graph(
        &self,
        tenant: &TenantId,
        name: String,
        graph: Graph,
    ) -> Result<Arc<Compiled>, ApiError> {
        // Children first: a run of this graph finds theirs.
        for child in graph.children.values() {
            Box::pin(self.keep_child(tenant, child)).await?;
        }
        let tools = self.resolve_tools(&graph).await?;
        let compiled = Arc::new(Compiled { graph, tools });
        self.put_graph(tenant, name, &compiled).await?;
        self.graphs.compiled.lock().put((tenant.clone(), compiled.graph.hash), compiled.clone());
        Ok(compiled)
    }

    /// Keeps a graph that another calls, unless it is there, under a name no caller can say.
    async fn keep_child(&self, tenant: &TenantId, child: &Graph) -> Result<(), ApiError> {
        if self.store.graph(tenant, child.hash).await?.is_none() {
            self.keep_graph(tenant, inline_name(child), child.clone()).await?;
        }
        Ok(())
    }

    /// Keeps a version that a run was pinned to once more, should the store have lost it: a
    /// store that went back forgets what this process still knows.
    pub(crate) async fn hold_graph(&self, tenant: &TenantId, compiled: &Compiled) -> Result<(), ApiError> {
        for child in compiled.graph.children.values() {
            Box::pin(self.keep_child(tenant, child)).await?;
        }
        if self.store.graph(tenant, compiled.graph.hash).await?.is_some() {
            return Ok(());
        }
        tracing::warn!(graph = %compiled.graph.hash, "graph was gone and is kept anew");
        self.put_graph(tenant, inline_name(&compiled.graph), compiled).await
    }

    async fn put_graph(&self, tenant: &TenantId, name: String, compiled: &Compiled) -> Result<(), ApiError> {
        let Compiled { graph, tools } = compiled;
        let stored = Stored { source: graph.source.clone(), tools: tools.values().cloned().collect() };
        let source = serde_json::to_string(&stored).map_err(ApiError::internal)?;
        let applied_at = self.store.now().await?;
        let kept = StoredGraph { tenant: tenant.clone(), name, hash: graph.hash, source, applied_at };
        Ok(self.store.put_graph(kept).await?)
    }

    /// Reads and validates a text, on a large stack; with the tools that workers have now if
    /// `with_tools`.
    pub(crate) async fn compile(
        &self,
        tenant: &TenantId,
        source: GraphSource,
        with_tools: bool,
    ) -> Result<Graph, ApiError> {
        self.parse(tenant, source, with_tools).await?.map_err(|problems| language::refused(&problems))
    }

    /// As [`Inner::compile`], but answers what is wrong, with its places.
    pub(crate) async fn parse(
        &self,
        tenant: &TenantId,
        source: GraphSource,
        with_tools: bool,
    ) -> Result<Result<Graph, Vec<Problem>>, ApiError> {
        let source = language::source(source);
        let (source, calls) = self
            .computed(move || {
                let calls = spec::calls(&source);
                Ok((source, calls))
            })
            .await?;
        let mut known = Known { agents: Some(baton_agents::graph), ..Known::default() };
        for name in calls {
            if let Some(stored) = self.applied(tenant, &name).await? {
                known.graphs.insert(name, source_of(&stored)?);
            }
        }
        if with_tools {
            // Where no worker was ever seen nothing can be said about tools.
            known.tools = Some(self.catalogue().await?).filter(|tools| !tools.is_empty());
        }
        self.computed(move || Ok(language::parse(&source, &known))).await
    }

    /// An applied graph, by `name` or `name@version`.
    pub(crate) async fn applied(&self, tenant: &TenantId, called: &str) -> Result<Option<StoredGraph>, ApiError> {
        let stored = match called.split_once('@') {
            None => self.store.graph_named(tenant, called).await?,
            Some((name, version)) => match version.parse::<GraphHash>() {
                Ok(hash) => self.store.graph(tenant, hash).await?.filter(|stored| stored.name == name),
                Err(_) => None,
            },
        };
        Ok(stored.filter(was_applied))
    }

    async fn computed<T: Send + 'static>(
        &self,
        compile: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.compute.run(compile).await.map_err(|error| {
            ApiError::invalid("graph_unreadable", format!("reading the graph failed: {error}"), "simplify the graph")
        })?
    }

    async fn resolve_tools(&self, graph: &Graph) -> Result<Tools, ApiError> {
        let known = self.catalogue().await?;
        let mut tools = Tools::new();
        for node in graph.nodes.values() {
            for name in node.calls().flat_map(|call| call.offers().chain([call.name.as_str()])) {
                let Some(tool) = known.get(name) else {
                    let cause = format!("node {}: no worker that was seen lately has the tool {name}", node.path);
                    return Err(ApiError::invalid("unknown_tool", cause, nearest(name, &known)));
                };
                tools.insert(name.to_owned(), tool.clone());
            }
        }
        Ok(tools)
    }
}

/// The canonical source of a kept version.
pub(crate) fn source_of(stored: &StoredGraph) -> Result<String, ApiError> {
    read(stored).map(|stored| stored.source)
}

fn read(stored: &StoredGraph) -> Result<Stored, ApiError> {
    serde_json::from_str(&stored.source)
        .map_err(|error| ApiError::internal(format!("graph {} does not read: {error}", stored.hash)))
}

fn nearest(name: &str, known: &BTreeMap<String, ToolSpec>) -> String {
    let family = name.split('.').next().unwrap_or(name);
    let close: Vec<&str> = known.keys().filter(|tool| tool.starts_with(family)).map(String::as_str).collect();
    if close.is_empty() {
        "start a worker that has it, or correct the name".to_owned()
    } else {
        format!("start a worker that has it, or use one of {}", close.join(", "))
    }
}

/// The name a graph is kept under that was submitted without being applied.
pub(crate) fn inline_name(graph: &Graph) -> String {
    format!("{INLINE}{}", graph.name)
}

/// Whether a kept version was applied under its name.
pub(crate) fn was_applied(stored: &StoredGraph) -> bool {
    !stored.name.starts_with(INLINE)
}
