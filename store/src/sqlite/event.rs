//! Event rows: a run has many and they are small, so a row leaves out what its key says and
//! what is empty. Rows of earlier programs hold everything and read the same.

use std::borrow::Cow;

use baton_common::records::{Event, EventKind, group_or_empty};
use baton_common::{GroupId, RunId, Timestamp};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::rows::{decode, fault, number};
use crate::Error;

/// An event without its key.
#[derive(Serialize, Deserialize)]
pub(super) struct EventRow {
    at: Timestamp,
    kind: EventKind,
    #[serde(default, with = "group_or_empty", skip_serializing_if = "Option::is_none")]
    group: Option<GroupId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(default, skip_serializing_if = "is_zero")]
    number: u64,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    text: Cow<'static, str>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl EventRow {
    /// The row of an event.
    pub(super) fn of(event: &Event) -> Self {
        let Event { at, kind, group, index, number, text, .. } = event.clone();
        Self { at, kind, group, index, number, text }
    }

    /// The event whose row it is.
    pub(super) fn event(self, run: RunId, seq: u64) -> Event {
        let Self { at, kind, group, index, number, text } = self;
        Event { run, seq, at, kind, group, index, number, text }
    }
}

/// Events of a run behind `after`, in order.
pub(super) fn after(connection: &Connection, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
    let sql = "SELECT seq, row FROM event WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let rows = statement.query_map(params![run.to_string(), number(after), limit], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    });
    let mut events = Vec::new();
    for found in rows.map_err(fault)? {
        let (seq, row) = found.map_err(fault)?;
        let row: EventRow = decode(&row)?;
        events.push(row.event(run, u64::try_from(seq).unwrap_or_default()));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_and_without_their_key_read_the_same() {
        let run = RunId { partition: baton_common::Partition(3), uuid: uuid::Uuid::nil() };
        let event = Event {
            run,
            seq: 7,
            at: Timestamp(5),
            kind: EventKind::Claimed,
            group: None,
            index: Some(0),
            number: 0,
            text: "w".into(),
        };
        let (short, long) = (serde_json::to_string(&EventRow::of(&event)), serde_json::to_string(&event));
        let (short, long) = (short.expect("a row"), long.expect("a row"));
        assert_eq!(short, r#"{"at":5,"kind":"claimed","index":0,"text":"w"}"#);
        for text in [short, long] {
            let row: EventRow = serde_json::from_str(&text).expect("a row");
            assert_eq!(row.event(run, 7), event);
        }
    }
}
