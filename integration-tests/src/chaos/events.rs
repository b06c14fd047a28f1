//! Events of runs as watchers saw them, kept small.

use baton_proto::v1::Event;

/// An event, or a gap in their row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number; of a gap the last one that is missing.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// `claimed`, `recorded`, …, or `gap`.
    pub kind: String,
    /// `work#1`.
    pub group: String,
    /// Which index.
    pub index: Option<u32>,
    /// A fence, a checkpoint or a count.
    pub number: u64,
    /// A status, a code or a tool.
    pub text: String,
}

impl Seen {
    /// What is missing, told as such.
    #[must_use]
    pub fn gap(first: u64, last: u64) -> Self {
        let (kind, group, text) = ("gap".to_owned(), String::new(), String::new());
        Self { seq: last, at_ms: 0, kind, group, index: None, number: first, text }
    }
}

impl From<Event> for Seen {
    fn from(event: Event) -> Self {
        let Event { seq, at_ms, kind, group, index, number, text, .. } = event;
        Self { seq, at_ms, kind, group, index, number, text }
    }
}
