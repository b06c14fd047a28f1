//! How long runs that met a fault stood still: from the fault, or from its end where nobody
//! could take the place of what was struck, to the run's next event.

use std::collections::BTreeMap;

use super::events::Seen;
use super::fault::Strike;
use super::history::Ran;
use super::load::{Kind, Wanted};

/// What one kind of fault did.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Times it was made.
    pub injected: usize,
    /// Runs under way when it was.
    pub runs: usize,
    /// Of these, lost ones.
    pub lost: usize,
    /// Of these, those of which something was done twice.
    pub doubled: usize,
    /// Milliseconds to the next event of each.
    pub recovery_ms: Vec<i64>,
    /// The longest of these, and which run it was: between which events it stood still.
    pub slowest: Option<(i64, String)>,
}

impl Row {
    /// The middle and the longest recovery.
    #[must_use]
    pub fn p50_and_max(&self) -> Option<(i64, i64)> {
        let mut sorted = self.recovery_ms.clone();
        sorted.sort_unstable();
        Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
    }
}

/// A row for each kind of fault, by name.
#[must_use]
pub fn rows(strikes: &[Strike], runs: &[Ran], lost: &[String], doubled: &[String]) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for strike in strikes {
        let row = rows.entry(strike.fault.name()).or_default();
        row.injected += 1;
        for ran in runs {
            let until = ran.ended_ms.unwrap_or(i64::MAX);
            if ran.began_ms > strike.at_ms || until < strike.at_ms {
                continue;
            }
            row.runs += 1;
            row.lost += usize::from(lost.contains(&ran.wanted.request));
            row.doubled += usize::from(doubled.contains(&ran.wanted.request));
            let Some((ms, between)) = stood_still(ran, strike) else { continue };
            row.recovery_ms.push(ms);
            if row.slowest.as_ref().is_none_or(|(slowest, _)| ms > *slowest) {
                let id = ran.accepted.last().map_or("?", |(id, _)| id.as_str());
                let Wanted { kind, request, .. } = &ran.wanted;
                row.slowest = Some((ms, format!("{kind:?} {request} {id}, {between}")));
            }
        }
    }
    rows
}

/// What stood still for longer than this is told by name, in milliseconds.
const LONG_MS: i64 = 10_000;

/// The slowest run of each row that took long.
#[must_use]
pub fn slow(rows: &BTreeMap<String, Row>) -> Vec<String> {
    let slowest = rows.iter().filter_map(|(name, row)| Some((name, row.slowest.as_ref()?)));
    let long = slowest.filter(|(_, (ms, _))| *ms > LONG_MS);
    long.map(|(name, (ms, run))| format!("longest after {name}: {ms} ms, {run}")).collect()
}

/// How long a run stood still, and between what; nothing where it waited by right.
fn stood_still(ran: &Ran, strike: &Strike) -> Option<(i64, String)> {
    if ran.wanted.kind == Kind::Child {
        return None; // What its children do are events of theirs.
    }
    let before = ran.events.iter().rev().find(|event| event.at_ms <= strike.at_ms)?;
    if matches!(before.kind.as_str(), "asked" | "waits" | "ended") {
        return None;
    }
    let next = ran.events.iter().find(|event| event.at_ms > strike.at_ms)?;
    let told = |event: &Seen| format!("{} {} {}", event.seq, event.kind, event.group);
    let between = format!("from {} to {}", told(before), told(next));
    Some(((next.at_ms - strike.until_ms).max(0), between))
}
