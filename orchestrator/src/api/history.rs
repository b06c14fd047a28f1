//! A run's past: its checkpoints, the state at each, and what changed between two.
//!
//! Nothing here writes; going on from the past is [`super::rewind`]'s.

use std::collections::BTreeMap;

use baton_common::records::{Checkpoint, Run};
use baton_common::{ChannelName, RunId, Seq, Shared};
use baton_engine::state::{Control, Values};
use serde_json::Value;

use super::{ApiError, Caller, ErrorKind};
use crate::load;
use crate::orchestrator::{Inner, Orchestrator};

/// Checkpoints in a page unless asked for otherwise.
const PAGE_DEFAULT: u32 = 50;
/// The most checkpoints in a page.
const PAGE_MAX: u32 = 500;

/// A checkpoint as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointView {
    /// The record; its writes and control are not for show.
    pub checkpoint: Checkpoint,
    /// Activations that were under way: `review#2`.
    pub open: Vec<String>,
    /// Nodes that waited at their join.
    pub waiting: Vec<String>,
    /// Bytes of what it holds itself.
    pub bytes: u64,
}

/// A page of checkpoints.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckpointPage {
    /// New ones first.
    pub checkpoints: Vec<CheckpointView>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Seq>,
}

/// A state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateView {
    /// The checkpoint it is of.
    pub checkpoint: CheckpointView,
    /// Values of the channels.
    pub values: Values,
}

/// One channel that differs between two states.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelChange {
    /// The channel.
    pub channel: String,
    /// Its value before.
    pub before: Option<Shared>,
    /// Its value after.
    pub after: Option<Shared>,
    /// For a list that only grew: how many of its first elements are the same.
    pub kept: Option<u64>,
}

/// What differs between two states.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffView {
    /// The earlier checkpoint.
    pub from: Seq,
    /// The later one.
    pub to: Seq,
    /// By channel.
    pub changes: Vec<ChannelChange>,
}

impl Orchestrator {
    /// The checkpoints that led to a run's present, new ones first, from before `before`.
    ///
    /// # Errors
    /// When there is no such run for this caller, or a record is missing.
    pub async fn checkpoints(
        &self,
        caller: &Caller,
        run: RunId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<CheckpointPage, ApiError> {
        let found = self.inner.owned(caller, run).await?;
        let limit = if limit == 0 { PAGE_DEFAULT } else { limit.min(PAGE_MAX) };
        let mut page = CheckpointPage::default();
        let head = self.inner.head_of(&found).await?;
        let mut seq = head;
        while seq != Seq(0) {
            let checkpoint = match self.inner.checkpoint_of(&found, seq).await {
                // What was before it is kept no more.
                Err(missing) if missing.kind == ErrorKind::NotFound && seq != head => break,
                checkpoint => checkpoint?,
            };
            seq = checkpoint.parent;
            if before.is_some_and(|before| checkpoint.seq >= before) {
                continue;
            }
            let at = checkpoint.seq;
            page.checkpoints.push(view(checkpoint));
            if page.checkpoints.len() >= limit as usize {
                page.next = (seq != Seq(0)).then_some(at);
                break;
            }
        }
        Ok(page)
    }

    /// The state at a checkpoint; the run's last where none is named.
    ///
    /// # Errors
    /// When there is no such run for this caller, or no such checkpoint.
    pub async fn state(&self, caller: &Caller, run: RunId, at: Option<Seq>) -> Result<StateView, ApiError> {
        let found = self.inner.owned(caller, run).await?;
        let seq = match at {
            Some(seq) => seq,
            None => self.inner.head_of(&found).await?,
        };
        let checkpoint = self.inner.checkpoint_of(&found, seq).await?;
        let values = self.inner.values_at(&found, seq).await?;
        Ok(StateView { checkpoint: view(checkpoint), values })
    }

    /// What changed from one checkpoint to another; `from` 0 is before the first.
    ///
    /// # Errors
    /// When there is no such run for this caller, or no such checkpoint.
    pub async fn diff(&self, caller: &Caller, run: RunId, from: Seq, to: Option<Seq>) -> Result<DiffView, ApiError> {
        let found = self.inner.owned(caller, run).await?;
        let to = match to {
            Some(seq) => seq,
            None => self.inner.head_of(&found).await?,
        };
        let before = self.inner.values_at(&found, from).await?;
        let after = self.inner.values_at(&found, to).await?;
        Ok(DiffView { from, to, changes: changes(&before, &after) })
    }
}

impl Inner {
    /// A run's last checkpoint, edits after its end among them; before its first, that of
    /// its thread.
    pub(super) async fn head_of(&self, run: &Run) -> Result<Seq, ApiError> {
        let own = run.state.head;
        let thread = self.store.thread(&run.info.thread).await?;
        let head = thread.map_or(Seq(0), |thread| thread.head);
        if own == Seq(0) || head == own {
            return Ok(head);
        }
        let last = self.store.checkpoint(&run.info.thread, head).await?;
        Ok(if last.is_some_and(|last| last.run == run.info.id) { head } else { own })
    }

    pub(super) async fn checkpoint_of(&self, run: &Run, seq: Seq) -> Result<Checkpoint, ApiError> {
        let found = self.checkpoint_at(&run.info.thread, seq).await?;
        found.ok_or_else(|| ApiError::not_found("checkpoint", format!("{seq} of run {}", run.info.id)))
    }

    /// The values of the channels at a checkpoint; none at 0.
    async fn values_at(&self, run: &Run, seq: Seq) -> Result<Values, ApiError> {
        if seq == Seq(0) {
            return Ok(BTreeMap::new());
        }
        let state = self.state_at(&run.info, run.state.r#gen, seq).await?;
        Ok(state.visible())
    }
}

impl From<load::Error> for ApiError {
    fn from(error: load::Error) -> Self {
        match error {
            load::Error::Store(error) => error.into(),
            load::Error::Missing { seq, run } => Self::not_found("checkpoint", format!("{seq} of run {run}")),
            load::Error::Record(error) => Self::internal(error),
            load::Error::Blob(_) => Self::internal(error),
            load::Error::Graph { .. } => Self::internal(error),
        }
    }
}

fn view(checkpoint: Checkpoint) -> CheckpointView {
    let control = checkpoint.control.read::<Control>().unwrap_or_default();
    let elsewhere: u64 = checkpoint.large.values().map(|blob| blob.bytes).sum();
    let bytes = serde_json::to_string(&checkpoint).map_or(0, |text| text.len() as u64) + elsewhere;
    CheckpointView {
        open: control.open.keys().map(ToString::to_string).collect(),
        waiting: control.arrived.iter().map(ToString::to_string).collect(),
        bytes,
        checkpoint,
    }
}

fn changes(before: &Values, after: &Values) -> Vec<ChannelChange> {
    let mut names: Vec<&ChannelName> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differs = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let change = differs.map(|name| {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        let kept = grown(before.as_deref(), after.as_deref());
        ChannelChange { channel: name.to_string(), before, after, kept }
    });
    change.collect()
}

/// How many elements a list had that only grew.
fn grown(before: Option<&Value>, after: Option<&Value>) -> Option<u64> {
    let (Some(Value::Array(before)), Some(Value::Array(after))) = (before, after) else { return None };
    after.starts_with(before).then_some(before.len() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_that_grew_tells_what_it_kept() {
        let state = |list: Value| Values::from([("log".into(), list.into()), ("same".into(), json!(1).into())]);
        let found = changes(&state(json!([1, 2])), &state(json!([1, 2, 3])));
        assert_eq!((found.len(), found[0].channel.as_str(), found[0].kept), (1, "log", Some(2)));
        assert_eq!(changes(&state(json!([1])), &state(json!([2])))[0].kept, None);
    }
}
