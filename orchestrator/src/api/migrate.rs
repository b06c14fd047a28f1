//! Migration: open runs of a graph go on with another version of it, where they fit there.
//!
//! Runs are looked at page by page, and each is moved on its own; the version compare makes
//! sure that what was looked at is what is moved. What fits is the engine's to say. Runs that
//! a run calls keep the version they were started with.

use std::sync::Arc;

use baton_common::records::Run;
use baton_common::transition::{Repin, RepinAnswer};
use baton_common::{GraphHash, RunId, ThreadId, Timestamp};
use baton_engine::step::{Misfit, fits};
use baton_store::{Loaded, RunFilter};
use serde::Serialize;

use super::page::page_size;
use super::{ApiError, Caller, Status};
use crate::graphs::Compiled;
use crate::orchestrator::{Inner, Orchestrator};

/// How often a run that moves on while it is looked at is looked at.
const LOOKS_MAX: u32 = 2;

/// Which runs are to go on with which version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MigrateRequest {
    /// The name of the graph.
    pub graph: String,
    /// Only runs of this version; all other versions where none is named.
    pub from: Option<GraphHash>,
    /// The version; the one that the name means now where none is named.
    pub to: Option<GraphHash>,
    /// Whether runs are looked at only.
    pub dry_run: bool,
    /// Only runs submitted before this one: pages go from new to old.
    pub before: Option<(Timestamp, RunId)>,
    /// Runs that are looked at, open ones of that graph or not; 0 means 50, never more than 500.
    pub limit: u32,
}

/// What became of a page of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The version they go on with.
    pub to: GraphHash,
    /// The open runs of the graph's other versions.
    pub runs: Vec<MigratedRun>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<(Timestamp, RunId)>,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigratedRun {
    /// The run.
    pub run: RunId,
    /// Its thread.
    pub thread: ThreadId,
    /// Where it stood; waiting is not derived here.
    pub status: Status,
    /// The version it was pinned to.
    pub from: GraphHash,
    /// What became of it.
    pub result: Migrated,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrated {
    /// It would fit: it was looked at only.
    Fits,
    /// It does not fit, and stays with its version.
    Misfit(Vec<Misfit>),
    /// It goes on with the other version.
    Migrated,
    /// It went on with its own version whenever it was looked at.
    MovedOn,
}

impl Orchestrator {
    /// Pins open runs of a graph to another version of it, where they fit; one page of them.
    ///
    /// # Errors
    /// When there is no such graph or version, or the store does not answer: what was moved
    /// by then stays, and the same request goes on.
    pub async fn migrate(&self, caller: &Caller, request: MigrateRequest) -> Result<Migration, ApiError> {
        let inner = &self.inner;
        let to = inner.target(caller, &request).await?;
        let limit = page_size(request.limit);
        let filter = RunFilter { status: None, thread: None, before: request.before, limit };
        let page = inner.store.runs(&caller.tenant, &filter).await?;
        let full = page.len() >= limit as usize;
        let next = page.last().filter(|_| full).map(|last| (last.state.created_at, last.info.id));
        let mut runs = Vec::new();
        for run in page.iter().filter(|run| is_meant(run, &request, to.graph.hash)) {
            if let Some(result) = inner.migrate_one(caller, run.info.id, &to, request.dry_run).await? {
                let (thread, status) = (run.info.thread.thread.clone(), Status::of(run.state.status));
                runs.push(MigratedRun { run: run.info.id, thread, status, from: run.info.graph, result });
            }
        }
        Ok(Migration { to: to.graph.hash, runs, next })
    }
}

fn is_meant(run: &Run, request: &MigrateRequest, to: GraphHash) -> bool {
    let info = &run.info;
    let of_graph = info.graph_name == request.graph && info.graph != to;
    of_graph && !run.state.status.is_terminal() && request.from.is_none_or(|from| from == info.graph)
}

impl Inner {
    /// The version that runs are to go on with.
    async fn target(&self, caller: &Caller, request: &MigrateRequest) -> Result<Arc<Compiled>, ApiError> {
        let tenant = &caller.tenant;
        let hash = match request.to {
            Some(hash) => hash,
            None => {
                let named = self.applied(tenant, &request.graph).await?;
                named.ok_or_else(|| ApiError::not_found("graph", &request.graph))?.hash
            }
        };
        let found = self.graph(tenant, hash).await?.ok_or_else(|| ApiError::not_found("graph", hash))?;
        if found.graph.name == request.graph {
            return Ok(found);
        }
        let cause = format!("{hash} is a version of {}, not of {}", found.graph.name, request.graph);
        Err(ApiError::invalid("other_graph", cause, "name a version of the same graph: `baton graph list`"))
    }

    /// What becomes of a run; `None` where it is over or has that version by now.
    async fn migrate_one(
        &self,
        caller: &Caller,
        run: RunId,
        to: &Arc<Compiled>,
        dry_run: bool,
    ) -> Result<Option<Migrated>, ApiError> {
        let graph = to.graph.hash;
        for _ in 0..LOOKS_MAX {
            let Some(loaded) = self.store.load(run).await? else { return Ok(None) };
            if loaded.run.state.status.is_terminal() || loaded.run.info.graph == graph {
                return Ok(None);
            }
            let misfits = self.misfits(&loaded, to).await?;
            if !misfits.is_empty() {
                return Ok(Some(Migrated::Misfit(misfits)));
            }
            if dry_run {
                return Ok(Some(Migrated::Fits));
            }
            let repin = Repin { run, seen: loaded.run.state.ver, graph, actor: caller.actor.clone() };
            let settled = self.settle(|| self.repin_op(repin.clone())).await?;
            match settled.answer {
                RepinAnswer::Repinned { .. } | RepinAnswer::Already => {
                    self.states.forget_run(run);
                    self.watchers.changed(run);
                    return Ok(Some(Migrated::Migrated));
                }
                RepinAnswer::Conflict { .. } => {}
                RepinAnswer::Terminal | RepinAnswer::Unknown => return Ok(None),
            }
        }
        Ok(Some(Migrated::MovedOn))
    }

    async fn misfits(&self, loaded: &Loaded, to: &Arc<Compiled>) -> Result<Vec<Misfit>, ApiError> {
        let info = &loaded.run.info;
        let Some(from) = self.graph(&info.thread.tenant, info.graph).await? else {
            return Ok(vec![Misfit {
                code: "graph_missing",
                node: String::new(),
                channel: String::new(),
                cause: format!("its version {} is not kept any more", info.graph),
                cure: "apply that version again".to_owned(),
            }]);
        };
        let (state, to) = (self.state_of(&loaded.run, &loaded.thread).await?, to.clone());
        let compared = self.compute.run(move || fits(&from.graph, &to.graph, &state)).await;
        compared.map_err(ApiError::internal)
    }
}
