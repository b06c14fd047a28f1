//! Replay: a run that has ended is computed again from what it was computed from, and every
//! checkpoint is compared byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::records::{Checkpoint, Run, Span};
use baton_common::{RunId, Seq};
use baton_engine::state::RunState;
use baton_engine::step::{Step, step};
use serde::Serialize;

use super::{ApiError, Caller, ErrorKind};
use crate::driver::journal::{self, Entry, Happened};
use crate::graphs::Compiled;
use crate::orchestrator::{Inner, Orchestrator};

/// Advances that are read at a time.
const PAGE: u64 = 200;

/// What a comparison showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayView {
    /// Advances that were computed again.
    pub advances: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// The first that differs.
    pub difference: Option<Difference>,
}

/// Where a replay left its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The checkpoint.
    pub seq: Seq,
    /// What it should be, as JSON; empty where there is none.
    pub recorded: String,
    /// What was computed, as JSON; empty where there is none.
    pub computed: String,
}

impl Orchestrator {
    /// Computes a run that has ended again, and compares what comes out.
    ///
    /// # Errors
    /// When there is no such run for this caller, it has not ended, or what it was computed
    /// from was not kept.
    pub async fn replay(&self, caller: &Caller, run: RunId) -> Result<ReplayView, ApiError> {
        let found = self.inner.owned(caller, run).await?;
        let conflict = |code: &str, cause: String, cure: &str| ApiError::new(ErrorKind::Conflict, code, cause, cure);
        if !found.state.status.is_terminal() {
            let cause = format!("run {run} is {}", found.state.status.name());
            return Err(conflict("run_not_ended", cause, "replay it once it has ended"));
        }
        if !found.info.record {
            let cause = format!("the results of run {run} were not recorded");
            return Err(conflict("not_recorded", cause, "submit with `--record` what is to be replayed"));
        }
        self.inner.replayed(&found).await
    }
}

impl Inner {
    async fn replayed(&self, of: &Run) -> Result<ReplayView, ApiError> {
        let channel = journal::channel(of.info.id);
        let mut view = ReplayView { advances: 0, checkpoints: 0, difference: None };
        let mut state: Option<RunState> = None;
        let mut run = Run { info: of.info.as_of_advance(0), ..of.clone() };
        let mut graph = self.version_of(&run).await?;
        let mut base = 0;
        while base < run.state.superstep {
            let span = Span { base, end: (base + PAGE).min(run.state.superstep) };
            let pieces = self.store.segments(&run.info.thread, &channel, span).await?;
            let pieces = self.whole_pieces(&run.info.thread.tenant, pieces).await?;
            for (number, piece) in (base..).zip(pieces) {
                if of.info.as_of_advance(number).graph != run.info.graph {
                    run.info = of.info.as_of_advance(number);
                    (graph, state) = (self.version_of(&run).await?, None);
                }
                let entries: Vec<Entry> = serde_json::from_str(&piece).map_err(ApiError::internal)?;
                for entry in entries {
                    let (after, difference) = self.replay_one(&run, &graph, state.take(), entry, &mut view).await?;
                    if difference.is_some() {
                        return Ok(ReplayView { difference, ..view });
                    }
                    state = Some(after);
                }
            }
            base = span.end;
        }
        Ok(view)
    }

    async fn version_of(&self, run: &Run) -> Result<Arc<Compiled>, ApiError> {
        let graph = self.graph(&run.info.thread.tenant, run.info.graph).await?;
        graph.ok_or_else(|| ApiError::not_found("graph", run.info.graph))
    }

    /// Computes one advance again. It begins where the last one ended, unless somebody
    /// edited the state or took the run up elsewhere between the two.
    async fn replay_one(
        &self,
        run: &Run,
        graph: &Arc<Compiled>,
        last: Option<RunState>,
        entry: Entry,
        view: &mut ReplayView,
    ) -> Result<(RunState, Option<Difference>), ApiError> {
        let follows = last.filter(|state| state.head == entry.head && state.r#gen == entry.r#gen);
        let mut state = match follows {
            Some(state) => state,
            None => self.state_before(run, &entry).await?,
        };
        state.used = entry.used;
        let bases = match entry.event {
            Happened::Resumed => self.bases_of(&run.info, &state).await?,
            _ => BTreeMap::new(),
        };
        let (compiled, now, event) = (graph.clone(), entry.now, entry.event.event(bases));
        let computed = self.compute.run(move || step(&compiled.graph, &compiled.tools, state, event, now)).await;
        let Step { state, effects } = computed.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
        view.advances += 1;
        for checkpoint in &effects.checkpoints {
            let recorded = match self.store.checkpoint(&run.info.thread, checkpoint.seq).await? {
                Some(recorded) => Some(self.whole_checkpoint(&run.info.thread.tenant, recorded).await?),
                None => None,
            };
            view.checkpoints += 1;
            let (recorded, computed) = (text(recorded.as_ref())?, text(Some(checkpoint))?);
            if recorded != computed {
                return Ok((state, Some(Difference { seq: checkpoint.seq, recorded, computed })));
            }
        }
        Ok((state, None))
    }

    async fn state_before(&self, run: &Run, entry: &Entry) -> Result<RunState, ApiError> {
        if entry.head == Seq(0) {
            return RunState::first(&run.info, entry.r#gen, None).map_err(ApiError::internal);
        }
        let checkpoint = self.checkpoint_of(run, entry.head).await?;
        Ok(self.state_from(run, (&run.info, entry.r#gen), checkpoint, entry.superstep == 0).await?)
    }
}

fn text(checkpoint: Option<&Checkpoint>) -> Result<String, ApiError> {
    checkpoint.map_or(Ok(String::new()), |checkpoint| serde_json::to_string(checkpoint).map_err(ApiError::internal))
}
