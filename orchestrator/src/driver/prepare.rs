//! What an advance is computed from: the run's record, its state, its graph and the event.
//!
//! A record that answered with what closed needs no read at all while this process made
//! the run's last state. Everything the step decides by was stored, its `now` too.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::RunEnd;
use baton_common::job::Outcome;
use baton_common::records::{self, Body, RunInfo, RunStatus, TaskKind, TaskState};
use baton_common::transition::{Closed, ClosedGroup};
use baton_common::{GraphHash, GroupId, RunId, Seq, Timestamp};
use baton_engine::state::RunState;
use baton_engine::step::{self, Event};
use baton_store::Loaded;

use super::{Cue, Trouble};
use crate::graphs::Compiled;
use crate::orchestrator::Inner;
use crate::traces;

/// One advance to compute.
pub(crate) struct Work {
    pub(super) info: Arc<RunInfo>,
    pub(super) graph: Arc<Compiled>,
    pub(super) record: records::RunState,
    pub(super) state: Arc<RunState>,
    pub(super) event: Event,
}

impl Work {
    /// Names the kind of event in the operation's id.
    pub(super) fn reason(&self) -> &'static str {
        traces::reason(&self.event)
    }

    /// When the groups it folds closed, as they were read.
    pub(super) fn closed(&self) -> Vec<(GroupId, Option<Timestamp>)> {
        let (Event::Closed(groups) | Event::Cancelled(groups)) = &self.event else {
            return Vec::new();
        };
        groups.iter().map(|group| (group.info.id.clone(), group.state.closed_at)).collect()
    }
}

impl Inner {
    /// The work there is, if any, with results that lie elsewhere in place.
    pub(super) async fn prepare(&self, run: RunId, cue: Cue) -> Result<Option<Work>, Trouble> {
        let Some(mut work) = self.found(run, cue).await? else { return Ok(None) };
        let tenant = work.info.thread.tenant.clone();
        self.whole_event(&tenant, &mut work.event).await.map_err(of_blobs)?;
        Ok(Some(work))
    }

    async fn found(&self, run: RunId, cue: Cue) -> Result<Option<Work>, Trouble> {
        if let Cue::Closed { closed, .. } = &cue
            && let Some(work) = self.work_in_memory(run, closed).await?
        {
            return Ok(Some(work));
        }
        Box::pin(self.work_in_store(run, &cue)).await
    }

    /// Without a read; `None` where this process does not know the run's last state.
    async fn work_in_memory(&self, run: RunId, closed: &Closed) -> Result<Option<Work>, Trouble> {
        let record = &closed.run;
        if record.status != RunStatus::Running
            || record.resumed
            || closed.groups.iter().any(|group| group.outcomes.is_none())
        {
            return Ok(None);
        }
        let Some(info) = self.states.info(run) else { return Ok(None) };
        self.may_read(&info)?;
        let Some(event) = event_of(&info, record, &closed.groups)? else { return Ok(None) };
        let folded = closed.groups.iter().filter(|group| !group.info.detached).count();
        let Some(state) = self.states.taken(run, record, folded) else { return Ok(None) };
        let graph = self.graph_of(&info).await?;
        Ok(Some(Work { info, graph, record: record.clone(), state, event }))
    }

    async fn work_in_store(&self, run: RunId, cue: &Cue) -> Result<Option<Work>, Trouble> {
        let Some(Loaded { run: loaded, thread, closed, open, .. }) = self.store.load(run).await? else {
            self.states.forget_run(run);
            return Ok(None);
        };
        let record = &loaded.state;
        if record.status.is_terminal() {
            self.states.forget(run);
            self.inflight.ended(run);
            return Ok(None);
        }
        self.may_read(&loaded.info)?;
        let event = match record.status {
            RunStatus::Running | RunStatus::Undoing => event_of(&loaded.info, record, &closed)?,
            RunStatus::Cancelling if self.may_end_cancel(run, cue, open.is_empty()).await? => {
                Some(Event::Cancelled(read_groups(&closed)?))
            }
            _ => None,
        };
        let Some(event) = event else { return Ok(None) };
        let info = Arc::new(loaded.info.clone());
        self.states.put_info(&info);
        let graph = self.graph_of(&info).await?;
        let state = self.state_of(&loaded, &thread).await?;
        let begun = match event {
            Event::Started | Event::Resumed(_) if state.superstep == 0 => self.begun(&info).await?,
            _ => None,
        };
        let event = match begun.unwrap_or(event) {
            Event::Resumed(_) => Event::Resumed(self.bases_of(&info, &state).await?),
            event => event,
        };
        Ok(Some(Work { info, graph, record: loaded.state, state, event }))
    }

    /// The states that a run's open activations were made from, but for its own.
    pub(crate) async fn bases_of(
        &self,
        info: &RunInfo,
        state: &RunState,
    ) -> Result<BTreeMap<Seq, Arc<RunState>>, crate::load::Error> {
        let mut bases = BTreeMap::new();
        for seq in state.bases().into_iter().filter(|seq| *seq != state.head) {
            bases.insert(seq, self.state_at(info, state.r#gen, seq).await?);
        }
        Ok(bases)
    }

    /// Whether nothing is claimed any more, or its time is over. A sweeper's entry is there
    /// only in either case.
    async fn may_end_cancel(&self, run: RunId, cue: &Cue, nothing_open: bool) -> Result<bool, Trouble> {
        if nothing_open || matches!(cue, Cue::Due(_) | Cue::EndCancel) {
            return Ok(true);
        }
        let Some(detail) = self.store.detail(run).await? else { return Ok(false) };
        let waited_for = detail.groups.iter().filter(|(group, _)| !group.info.detached);
        let mut tasks = waited_for.flat_map(|(_, tasks)| tasks);
        Ok(!tasks.any(|task| matches!(task.state, TaskState::Claimed { .. })))
    }

    /// A run of a later program is left to such programs.
    fn may_read(&self, info: &RunInfo) -> Result<(), Trouble> {
        match info.reader > self.settings.reader {
            true => Err(Trouble::Later(info.reader)),
            false => Ok(()),
        }
    }

    async fn graph_of(&self, info: &RunInfo) -> Result<Arc<Compiled>, Trouble> {
        self.graph_at(info, info.graph).await
    }

    /// A version of a run's graph.
    pub(super) async fn graph_at(&self, info: &RunInfo, version: GraphHash) -> Result<Arc<Compiled>, Trouble> {
        match self.graph(&info.thread.tenant, version).await {
            Ok(Some(graph)) => Ok(graph),
            Ok(None) => Err(Trouble::Run { code: "graph_missing", why: version.to_string() }),
            Err(error) if error.kind == crate::api::ErrorKind::Unavailable => {
                Err(Trouble::Store(baton_store::Error::Unavailable(error.cause)))
            }
            Err(error) => Err(Trouble::Run { code: "graph_unreadable", why: error.to_string() }),
        }
    }
}

/// Why a result that lies elsewhere cannot be had.
pub(super) fn of_blobs(error: baton_blobs::Error) -> Trouble {
    match error {
        error @ baton_blobs::Error::Failed { .. } => Trouble::Store(baton_store::Error::Unavailable(error.to_string())),
        error => Trouble::Run { code: "record_unreadable", why: error.to_string() },
    }
}

/// What happened to a run that may advance; `None` where there is nothing to do.
fn event_of(info: &RunInfo, record: &records::RunState, closed: &[ClosedGroup]) -> Result<Option<Event>, Trouble> {
    if record.resumed {
        return Ok(Some(Event::Resumed(BTreeMap::new())));
    }
    let running = record.status == RunStatus::Running;
    if running && info.deadline.is_some_and(|deadline| deadline <= record.ready_at) {
        return Ok(Some(Event::DurationOver));
    }
    if record.superstep == 0 {
        return Ok(Some(Event::Started));
    }
    if closed.is_empty() {
        return Ok(None);
    }
    Ok(Some(Event::Closed(read_groups(closed)?)))
}

fn read_groups(closed: &[ClosedGroup]) -> Result<Vec<step::ClosedGroup>, Trouble> {
    closed.iter().filter(|group| !group.info.detached).map(read_group).collect()
}

fn read_group(group: &ClosedGroup) -> Result<step::ClosedGroup, Trouble> {
    let (mut outcomes, mut owed) = (Vec::new(), Vec::new());
    for body in group.outcomes.iter().flatten() {
        match (body, group.info.kind) {
            (None, _) => outcomes.push(None),
            (Some(body), TaskKind::Child) => {
                let (outcome, left) = read_end(body)?;
                outcomes.push(Some(outcome));
                owed.resize(outcomes.len() - 1, None);
                owed.push(left);
            }
            (Some(body), _) => outcomes.push(Some(read_outcome(body)?)),
        }
    }
    Ok(step::ClosedGroup { info: group.info.clone(), state: group.state.clone(), outcomes, owed })
}

/// How a child ended, and the compensations it left to its caller. A child whose caller gave
/// it up has an outcome of the store's own.
pub(super) fn read_end(body: &Body) -> Result<(Outcome, Option<serde_json::Value>), Trouble> {
    match serde_json::from_str::<RunEnd>(body) {
        Ok(end) => Ok((step::child_outcome(&end), end.owed)),
        Err(_) => Ok((read_outcome(body)?, None)),
    }
}

fn read_outcome(body: &Body) -> Result<Outcome, Trouble> {
    serde_json::from_str(body)
        .map_err(|error| Trouble::Run { code: "record_unreadable", why: format!("an outcome: {error}") })
}
