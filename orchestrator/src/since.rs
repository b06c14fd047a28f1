//! A thread's state from one that is remembered: only what came since is read, so that a turn
//! costs what it brings and not what the thread holds. What is remembered counts only where
//! it is an ancestor of the head, by its content.

use std::collections::BTreeMap;

use baton_common::records::{Checkpoint, RunInfo, Span};
use baton_common::{Seq, Shared};
use baton_engine::state::{Channels, RunState, Values};
use serde_json::Value;

use crate::load::Error;
use crate::orchestrator::Inner;

/// Checkpoints that are read back before everything is read anew.
const SINCE_MAX: usize = 256;

impl Inner {
    /// The channels at a checkpoint; `None` where nothing before it is remembered.
    pub(crate) async fn since(&self, info: &RunInfo, head: &Checkpoint) -> Result<Option<Channels>, Error> {
        let Some(known) = self.states.last_of(&info.thread) else { return Ok(None) };
        let mut history = Vec::new();
        let mut last = head.clone();
        while last.seq != known.head {
            if last.seq < known.head || last.parent == Seq(0) || history.len() >= SINCE_MAX {
                return Ok(None);
            }
            let Some(before) = self.store.checkpoint(&info.thread, last.parent).await? else { return Ok(None) };
            history.push(std::mem::replace(&mut last, before));
        }
        if last.hash != known.hash {
            return Ok(None);
        }
        history.reverse();
        let mut values = written(&known, &history);
        values.extend(self.large_of(&info.thread.tenant, &history).await?);
        for (channel, span) in &head.segments {
            if let Some(list) = self.grown(info, &known, channel, *span).await? {
                values.insert(channel.clone(), list);
            }
        }
        Ok(Some(Channels { values, pieces: BTreeMap::new() }))
    }

    /// A list as it is now, of which what is known is read no more.
    async fn grown(
        &self,
        info: &RunInfo,
        known: &RunState,
        channel: &str,
        span: Span,
    ) -> Result<Option<Shared>, Error> {
        let before = known.segments.get(channel).filter(|before| before.base == span.base && before.end <= span.end);
        let before = before.filter(|before| before.base < before.end);
        let kept = before.and_then(|before| Some((before.end, known.values.get(channel)?.clone())));
        let (from, mut list) = kept.unwrap_or_else(|| (span.base, Value::Array(Vec::new()).into()));
        if from == span.end {
            return Ok(Some(list).filter(|_| span.base < span.end));
        }
        let new = self.store.segments(&info.thread, channel, Span { base: from, end: span.end }).await?;
        let new = self.whole_pieces(&info.thread.tenant, new).await?;
        let Value::Array(elements) = list.make_mut() else { return Err(unreadable(channel)) };
        for piece in &new {
            let Ok(Value::Array(added)) = serde_json::from_str(piece) else { return Err(unreadable(channel)) };
            elements.extend(added);
        }
        Ok(Some(list))
    }
}

fn unreadable(channel: &str) -> Error {
    baton_engine::state::Error::Piece { channel: channel.into() }.into()
}

/// Replace-like values after these checkpoints, which follow one another from what is known.
fn written(known: &RunState, history: &[Checkpoint]) -> Values {
    let was_list = |name: &str| known.segments.get(name).is_some_and(|span| span.base < span.end);
    let before = known.values.iter().filter(|(name, _)| !was_list(name));
    let mut values: BTreeMap<_, _> = before.map(|(name, value)| (name.clone(), value.clone())).collect();
    for checkpoint in history {
        if checkpoint.full {
            values.clear();
        }
        for (name, value) in &checkpoint.writes {
            if value.is_null() {
                values.remove(name);
            } else {
                values.insert(name.clone(), value.clone());
            }
        }
    }
    values
}
