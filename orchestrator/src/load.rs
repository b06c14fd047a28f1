//! From records to the state a step decides by: the checkpoint chain back to the nearest
//! full one, and the pieces of append-like channels.
//!
//! What was computed or read is kept by (run, checkpoint). It counts only while the run's
//! last operation is the one it was made by, so that a store set back to an earlier moment
//! is never answered from a forgotten future.

use std::sync::Arc;

use baton_common::records::{self, Checkpoint, Run, RunInfo, Thread};
use baton_common::transition::Closed;
use baton_common::{Digest, GraphHash, RunId, Seq, ThreadKey};
use baton_engine::state::{Channels, RunState};
use parking_lot::Mutex;

use crate::lru::Lru;
use crate::orchestrator::Inner;

/// States that are kept.
const STATES_MAX: usize = 1_024;
/// Threads whose last state is kept.
const THREADS_MAX: usize = 512;
/// Runs whose fixed part is kept.
const INFOS_MAX: usize = 8_192;

/// A state, and the advance that made it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) op: Option<Digest>,
    pub(crate) state: Arc<RunState>,
}

/// What this process remembers of runs.
pub(crate) struct States {
    states: Mutex<Lru<(RunId, Seq), Known>>,
    lasts: Mutex<Lru<ThreadKey, Arc<RunState>>>,
    infos: Mutex<Lru<RunId, Arc<RunInfo>>>,
}

impl Default for States {
    fn default() -> Self {
        Self {
            states: Mutex::new(Lru::new(STATES_MAX)),
            lasts: Mutex::new(Lru::new(THREADS_MAX)),
            infos: Mutex::new(Lru::new(INFOS_MAX)),
        }
    }
}

impl States {
    /// The state of a run as it stands, if the advance that made it is its last: no other
    /// generation's, and no other checkpoint's.
    pub(crate) fn present(&self, run: RunId, now: &records::RunState) -> Option<Arc<RunState>> {
        let known = self.states.lock().get(&(run, now.head))?;
        let is_last = now.last_op.is_some() && known.op == now.last_op;
        (is_last && known.state.r#gen == now.r#gen).then_some(known.state)
    }

    /// As [`States::present`], for who folds that many groups. Where no others are open,
    /// nobody looks back at the state: it is theirs to change.
    pub(crate) fn taken(&self, run: RunId, now: &records::RunState, folded: usize) -> Option<Arc<RunState>> {
        let state = self.present(run, now)?;
        if state.control.open.len() <= folded {
            self.states.lock().remove(&(run, now.head));
        }
        Some(state)
    }

    /// Whether nothing that a run waits for is left open; so where it is not remembered.
    pub(crate) fn all_closed(&self, run: RunId, closed: &Closed) -> bool {
        let folded = closed.groups.iter().filter(|group| !group.info.detached).count();
        self.present(run, &closed.run).is_none_or(|state| state.control.open.len() <= folded)
    }

    /// The state at that checkpoint, if its content is that.
    pub(crate) fn with_hash(&self, run: RunId, seq: Seq, hash: Digest) -> Option<Arc<RunState>> {
        let known = self.states.lock().get(&(run, seq))?;
        (known.state.hash == hash).then_some(known.state)
    }

    pub(crate) fn put(&self, state: Arc<RunState>, op: Option<Digest>) {
        self.states.lock().put((state.run, state.head), Known { op, state });
    }

    /// The state a thread had when a run of it ended here, or was begun here. Whoever uses it
    /// makes sure that the thread went on from it.
    pub(crate) fn last_of(&self, thread: &ThreadKey) -> Option<Arc<RunState>> {
        self.lasts.lock().get(thread)
    }

    pub(crate) fn put_last(&self, thread: &ThreadKey, state: Arc<RunState>) {
        self.lasts.lock().put(thread.clone(), state);
    }

    pub(crate) fn info(&self, run: RunId) -> Option<Arc<RunInfo>> {
        self.infos.lock().get(&run)
    }

    pub(crate) fn put_info(&self, info: &Arc<RunInfo>) {
        self.infos.lock().put(info.id, info.clone());
    }

    /// Forgets the states of a run, not what is fixed about it.
    pub(crate) fn forget(&self, run: RunId) {
        self.states.lock().remove_range((run, Seq(0))..=(run, Seq(u64::MAX)));
    }

    /// Forgets a run altogether.
    pub(crate) fn forget_run(&self, run: RunId) {
        self.forget(run);
        self.infos.lock().remove(&run);
    }
}

/// Why a state cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] baton_store::Error),
    #[error(transparent)]
    Record(#[from] baton_engine::state::Error),
    #[error("checkpoint {seq} of run {run} is missing")]
    Missing { run: RunId, seq: Seq },
    #[error("a value that lies elsewhere: {0}")]
    Blob(String),
    #[error("graph {graph}, which a checkpoint was made with: {why}")]
    Graph { graph: GraphHash, why: String },
}

impl From<baton_blobs::Error> for Error {
    fn from(error: baton_blobs::Error) -> Self {
        match error {
            baton_blobs::Error::Failed { .. } => Self::Store(baton_store::Error::Unavailable(error.to_string())),
            error => Self::Blob(error.to_string()),
        }
    }
}

impl Inner {
    /// What is fixed about a run.
    pub(crate) async fn run_info(&self, run: RunId) -> Result<Option<Arc<RunInfo>>, baton_store::Error> {
        if let Some(info) = self.states.info(run) {
            return Ok(Some(info));
        }
        let Some(Run { info, .. }) = self.store.run(run).await? else { return Ok(None) };
        let info = Arc::new(info);
        self.states.put_info(&info);
        Ok(Some(info))
    }

    /// The state of a run as it stands: of its own last checkpoint, or, before its first
    /// step, what earlier runs left on the thread.
    pub(crate) async fn state_of(&self, run: &Run, thread: &Thread) -> Result<Arc<RunState>, Error> {
        let (own, thread_head) = (run.state.head, thread.head);
        if own != Seq(0)
            && let Some(state) = self.states.present(run.info.id, &run.state)
        {
            return Ok(state);
        }
        let mut state = if own != Seq(0) {
            let (checkpoint, channels) = self.read(&run.info, own).await?;
            self.restored(&run.info, run.state.r#gen, &checkpoint, channels).await?
        } else if thread_head != Seq(0) {
            let (checkpoint, channels) = self.read(&run.info, thread_head).await?;
            RunState::first(&run.info, run.state.r#gen, Some((&checkpoint, channels)))?
        } else {
            RunState::first(&run.info, run.state.r#gen, None)?
        };
        state.used = beyond(thread.used, state.head);
        let state = Arc::new(state);
        if own != Seq(0) {
            self.states.put(state.clone(), run.state.last_op);
        } else if thread_head != Seq(0) {
            self.states.put_last(&run.info.thread, state.clone());
        }
        Ok(state)
    }

    /// The state at one of a run's own checkpoints, for a group that was opened there.
    pub(crate) async fn state_at(
        &self,
        info: &RunInfo,
        r#gen: baton_common::Gen,
        seq: Seq,
    ) -> Result<Arc<RunState>, Error> {
        let missing = || Error::Missing { run: info.id, seq };
        let checkpoint = self.checkpoint_at(&info.thread, seq).await?.ok_or_else(missing)?;
        if let Some(state) = self.states.with_hash(info.id, seq, checkpoint.hash) {
            return Ok(state);
        }
        let channels = self.channels(info, checkpoint.clone()).await?;
        let state = Arc::new(RunState::restore(info, r#gen, &checkpoint, channels)?);
        self.states.put(state.clone(), None);
        Ok(state)
    }

    /// The state at a checkpoint of one run's thread, as another run would begin or go on
    /// with it: `first` before that run's first superstep.
    pub(crate) async fn state_from(
        &self,
        of: &Run,
        into: (&RunInfo, baton_common::Gen),
        checkpoint: Checkpoint,
        first: bool,
    ) -> Result<RunState, Error> {
        let channels = self.channels(&of.info, checkpoint.clone()).await?;
        let (info, r#gen) = into;
        Ok(match first {
            true => RunState::first(info, r#gen, Some((&checkpoint, channels)))?,
            false => self.restored(info, r#gen, &checkpoint, channels).await?,
        })
    }

    /// The state of a checkpoint as the version its run is pinned to goes on from it.
    async fn restored(
        &self,
        info: &RunInfo,
        r#gen: baton_common::Gen,
        checkpoint: &Checkpoint,
        channels: Channels,
    ) -> Result<RunState, Error> {
        let mut state = RunState::restore(info, r#gen, checkpoint, channels)?;
        if info.before.is_empty() {
            return Ok(state);
        }
        let made_with = info.as_of(checkpoint.seq).graph;
        if made_with != info.graph {
            let missing = |why| Error::Graph { graph: made_with, why };
            let compiled = self.graph(&info.thread.tenant, made_with).await.map_err(|error| match error.kind {
                crate::api::ErrorKind::Unavailable => Error::Store(baton_store::Error::Unavailable(error.cause)),
                _ => missing(error.cause),
            })?;
            state.leave(&compiled.ok_or_else(|| missing("it is missing".to_owned()))?.graph);
        }
        Ok(state)
    }

    async fn read(&self, info: &RunInfo, seq: Seq) -> Result<(Checkpoint, Channels), Error> {
        let missing = || Error::Missing { run: info.id, seq };
        let checkpoint = self.checkpoint_at(&info.thread, seq).await?.ok_or_else(missing)?;
        let channels = match self.since(info, &checkpoint).await? {
            Some(channels) => channels,
            None => self.channels(info, checkpoint.clone()).await?,
        };
        Ok((checkpoint, channels))
    }

    async fn channels(&self, info: &RunInfo, head: Checkpoint) -> Result<Channels, Error> {
        let mut pieces = std::collections::BTreeMap::new();
        for (channel, span) in &head.segments {
            let found = self.store.segments(&info.thread, channel, *span).await?;
            pieces.insert(channel.clone(), self.whole_pieces(&info.thread.tenant, found).await?);
        }
        let mut history = vec![head];
        while let Some(last) = history.last().filter(|last| !last.full && last.parent != Seq(0)) {
            let seq = last.parent;
            let before = self.store.checkpoint(&info.thread, seq).await?;
            history.push(before.ok_or(Error::Missing { run: info.id, seq })?);
        }
        history.reverse();
        let mut values = Channels::values_of(&history);
        values.extend(self.large_of(&info.thread.tenant, &history).await?);
        Ok(Channels { values, pieces })
    }
}

/// A seq that was used, where that lies beyond a head.
pub(crate) fn beyond(used: Seq, head: Seq) -> Seq {
    if used > head { used } else { Seq(0) }
}

#[cfg(test)]
mod tests {
    use baton_common::records::RunStatus;
    use baton_common::{Gen, GroupId, NodePath, TenantId, ThreadId, Timestamp};
    use baton_engine::state::Open;

    use super::*;
    use crate::testing::records::run_info;

    #[test]
    fn a_state_is_let_go_to_who_folds_all_that_is_open_and_to_nobody_else() {
        let thread = ThreadKey { tenant: TenantId::local(), thread: ThreadId::parse("t").unwrap() };
        let (states, info) = (States::default(), run_info(RunId::for_submit(&thread, None)));
        let mut state = RunState::first(&info, Gen(0), None).unwrap();
        for node in ["a", "b"] {
            let id = GroupId { node: NodePath::parse(node).unwrap(), activation: 1 };
            state.control.open.insert(id, Open::at(Seq(0)));
        }
        let op = Digest::of("op");
        let now = records::RunState { last_op: Some(op), ..records::RunState::new(RunStatus::Running, Timestamp(0)) };
        states.put(Arc::new(state), Some(op));
        assert!(states.taken(info.id, &now, 1).is_some());
        let kept = states.taken(info.id, &now, 2).unwrap();
        assert_eq!(Arc::strong_count(&kept), 1, "whoever goes on from it need not copy it");
        assert!(states.present(info.id, &now).is_none());
    }
}
