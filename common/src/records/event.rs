//! Events: what happened to a run, for those who watch it.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;
use crate::ids::{GroupId, RunId};

/// What happened to a run, for those who watch it. Numbered without gaps per run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The run.
    pub run: RunId,
    /// Its place among the run's events, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The group it is about, none for the run itself. Written `extract#1`, or as an empty text.
    #[serde(with = "group_or_empty")]
    pub group: Option<GroupId>,
    /// The index it is about.
    pub index: Option<u32>,
    /// A fence, a checkpoint or a count, as the kind says.
    pub number: u64,
    /// A status, a code or a tool, as the kind says. Never a value of the graph.
    pub text: Cow<'static, str>,
}

impl Event {
    /// The text of the group it is about, empty for the run itself.
    #[must_use]
    pub fn group_text(&self) -> String {
        self.group.as_ref().map(GroupId::text).unwrap_or_default()
    }
}

/// A group as its text, and none as an empty one.
pub mod group_or_empty {
    use super::{Deserialize, Deserializer, GroupId, Serializer};
    use crate::ids::Error;

    /// The group whose text it is.
    ///
    /// # Errors
    /// When it is neither empty nor a group's text.
    pub fn parse(text: &str) -> Result<Option<GroupId>, Error> {
        if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
    }

    /// Writes one.
    ///
    /// # Errors
    /// As the serializer does.
    pub fn serialize<S: Serializer>(group: &Option<GroupId>, serializer: S) -> Result<S::Ok, S::Error> {
        match group {
            Some(group) => serializer.collect_str(group),
            None => serializer.serialize_str(""),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is neither empty nor a group's text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<GroupId>, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Kinds of events; what `number` and `text` hold stands behind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Submitted; text is the status.
    Submitted,
    /// Advanced; number is the checkpoint.
    Advanced,
    /// A group was opened; number is its count, text its tool.
    Opened,
    /// A job was claimed; number is the fence, text the worker.
    Claimed,
    /// A task ended or is tried again; number is the fence, text `ok`, `retry`, `failed` or `cancelled`.
    /// Without an index: so many tasks of the group as the number says were `cancelled` at once.
    Recorded,
    /// A lease ran out; number is the fence, text what followed.
    LeaseExpired,
    /// A group closed; number is its successes, text `decided`.
    Closed,
    /// A question was asked; text is its id.
    Asked,
    /// A question was answered, expired or withdrawn; text says which.
    Answered,
    /// A task asked, waits or started its run; text is what it waits for: `job`, `time`,
    /// `signal` and its name, or the run.
    Waits,
    /// Its thread was sent a signal; text is its name.
    Signalled,
    /// Compensations began; number is how many groups are left to end first.
    Undoing,
    /// The state was edited; number is the checkpoint.
    Edited,
    /// Taken up again in a new generation, which is the number.
    Retried,
    /// Pinned to another version of its graph; text is that version.
    Repinned,
    /// A cancel was asked for.
    Cancelling,
    /// Parked for an operator; text is the reason's code.
    Parked,
    /// Ended; text is the status.
    Ended,
}
