//! State updates beside the events of a watch: what each step changed, read from its
//! checkpoint. They are as durable as the checkpoints are, and cost nobody who did not ask.

use baton_common::records::{Event, EventKind};
use baton_common::{RunId, Seq, Shared};
use serde::Serialize;
use serde_json::Value;

use super::{ApiError, Caller, ErrorKind};
use crate::orchestrator::Orchestrator;

/// Events read at a time when it is looked for where a watch goes on.
const PAGE: u32 = 256;

/// What became of one channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Update {
    /// The channel.
    pub channel: String,
    /// Its value now; `None` where it has none any more, or only `added` is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Shared>,
    /// For a list that only grew: how many of its first elements are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    /// And what came behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<Vec<Value>>,
}

/// Tells the updates of one watch, event by event.
#[derive(Clone)]
pub struct Updates {
    orchestrator: Orchestrator,
    caller: Caller,
    run: RunId,
    /// Where the watch began.
    after: u64,
    /// The last checkpoint that was told.
    told: Option<Seq>,
}

impl Updates {
    /// Updates behind event `after`.
    #[must_use]
    pub fn new(orchestrator: Orchestrator, caller: Caller, run: RunId, after: u64) -> Self {
        Self { orchestrator, caller, run, after, told: None }
    }

    /// What that event changed; `None` for events that change no state, and where the
    /// checkpoints are not kept any more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn of(&mut self, event: &Event) -> Result<Option<Vec<Update>>, ApiError> {
        let Some(to) = checkpoint(event) else { return Ok(None) };
        let found = match self.told {
            Some(from) => Ok(from),
            None => self.before(event, to).await,
        };
        self.told = Some(to);
        let diff = match found {
            Ok(from) => self.orchestrator.diff(&self.caller, self.run, from, Some(to)).await,
            Err(error) => Err(error),
        };
        match diff {
            Ok(diff) => Ok(Some(diff.changes.into_iter().map(update).collect())),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The checkpoint that was the last when the watch began: an earlier event tells it, or
    /// it is what earlier runs left on the thread.
    async fn before(&self, event: &Event, to: Seq) -> Result<Seq, ApiError> {
        let store = &self.orchestrator.inner.store;
        let mut end = self.after.min(event.seq.saturating_sub(1));
        while end > 0 {
            let start = end.saturating_sub(u64::from(PAGE));
            let events = store.events(self.run, start, PAGE).await?;
            let mut known = events.iter().filter(|earlier| earlier.seq <= end).rev();
            if let Some(seq) = known.find_map(checkpoint) {
                return Ok(seq);
            }
            end = start;
        }
        let run = self.orchestrator.inner.owned(&self.caller, self.run).await?;
        let mut seq = to;
        while seq != Seq(0) {
            let checkpoint = self.orchestrator.inner.checkpoint_of(&run, seq).await?;
            if checkpoint.run != self.run {
                break;
            }
            seq = checkpoint.parent;
        }
        Ok(seq)
    }
}

/// The checkpoint an event made.
fn checkpoint(event: &Event) -> Option<Seq> {
    matches!(event.kind, EventKind::Advanced | EventKind::Edited).then_some(Seq(event.number))
}

fn update(change: super::ChannelChange) -> Update {
    let super::ChannelChange { channel, before: _, after, kept } = change;
    let added = match (kept, after.as_deref()) {
        (Some(kept), Some(Value::Array(list))) => {
            let kept = usize::try_from(kept).unwrap_or(usize::MAX);
            Some(list.get(kept..).unwrap_or_default().to_vec())
        }
        _ => None,
    };
    let after = if added.is_some() { None } else { after };
    Update { channel, after, kept, added }
}
