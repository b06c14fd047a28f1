//! What a run was computed from, kept beside its thread where the run asks for it: one
//! piece for each advance, in a channel of its own that no state has. It is written with
//! the checkpoint, and read by a replay only.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::Segment;
use baton_common::job::Outcome;
use baton_common::records::{GroupInfo, GroupState};
use baton_common::{Failure, Gen, RunId, Seq, Timestamp};
use baton_engine::state::RunState;
use baton_engine::step::{ClosedGroup, Event};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prepare::Work;

/// One advance's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The run's generation.
    pub(crate) r#gen: Gen,
    /// The checkpoint it began at; 0 before the thread's first.
    pub(crate) head: Seq,
    /// [`RunState::used`] by then.
    #[serde(default)]
    pub(crate) used: Seq,
    /// Supersteps of the run by then; 0 before its first.
    pub(crate) superstep: u64,
    /// The step's `now`.
    pub(crate) now: Timestamp,
    /// What happened.
    pub(crate) event: Happened,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Happened {
    Started,
    Begun(Result<Value, Failure>),
    Resumed,
    Closed(Vec<Group>),
    Cancelled(Vec<Group>),
    DurationOver,
}

/// A closed group as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    info: Arc<GroupInfo>,
    state: GroupState,
    outcomes: Vec<Option<Outcome>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owed: Vec<Option<Value>>,
}

impl Happened {
    fn of(event: &Event) -> Self {
        match event {
            Event::Started => Self::Started,
            Event::Begun(input) => Self::Begun(input.clone()),
            Event::Resumed(_) => Self::Resumed,
            Event::Closed(groups) => Self::Closed(groups.iter().map(Group::of).collect()),
            Event::Cancelled(groups) => Self::Cancelled(groups.iter().map(Group::of).collect()),
            Event::DurationOver => Self::DurationOver,
        }
    }

    /// The event again; `bases` are for a run that was resumed.
    pub(crate) fn event(self, bases: BTreeMap<Seq, Arc<RunState>>) -> Event {
        let again = |groups: Vec<Group>| groups.into_iter().map(Group::again).collect();
        match self {
            Self::Started => Event::Started,
            Self::Begun(input) => Event::Begun(input),
            Self::Resumed => Event::Resumed(bases),
            Self::Closed(groups) => Event::Closed(again(groups)),
            Self::Cancelled(groups) => Event::Cancelled(again(groups)),
            Self::DurationOver => Event::DurationOver,
        }
    }
}

impl Group {
    fn of(group: &ClosedGroup) -> Self {
        let ClosedGroup { info, state, outcomes, owed } = group.clone();
        Self { info, state, outcomes, owed }
    }

    fn again(self) -> ClosedGroup {
        let Self { info, state, outcomes, owed } = self;
        ClosedGroup { info, state, outcomes, owed }
    }
}

/// The channel of a run's entries.
pub(crate) fn channel(run: RunId) -> String {
    format!("~{}", run.uuid.simple())
}

impl Work {
    /// The piece to keep, if this run is recorded.
    pub(super) fn journal(&self) -> Option<Segment> {
        if !self.info.record {
            return None;
        }
        let entry = Entry {
            r#gen: self.record.r#gen,
            head: self.state.head,
            used: self.state.used,
            superstep: self.state.superstep,
            now: self.record.ready_at,
            event: Happened::of(&self.event),
        };
        let body = serde_json::to_string(&[entry]).ok()?;
        Some(Segment { channel: channel(self.info.id).into(), number: self.record.superstep, body })
    }
}
