//! The kinds of runs that are submitted, what must come of each, and what its events must show.

use std::collections::BTreeMap;

use baton_proto::v1::{Run, RunStatus};
use serde_json::{Value, json};

use crate::chaos::events::Seen;

/// A kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Turns of two jobs, of both classes.
    Loop,
    /// Jobs at a time, and a join.
    Fan,
    /// A question between two jobs.
    Ask,
    /// A job that never runs twice.
    Once,
    /// One small job.
    Hop,
    /// A question alone.
    Park,
}

impl Kind {
    /// Those of the drill with kills, in turn.
    pub const MIXED: [Self; 4] = [Self::Loop, Self::Ask, Self::Fan, Self::Once];

    /// Every graph.
    pub const GRAPHS: [&str; 6] = [
        include_str!("graphs/loop.yaml"),
        include_str!("graphs/fan.yaml"),
        include_str!("graphs/ask.yaml"),
        include_str!("graphs/once.yaml"),
        include_str!("graphs/hop.yaml"),
        include_str!("graphs/park.yaml"),
    ];

    /// The name of its graph.
    #[must_use]
    pub fn graph(self) -> &'static str {
        match self {
            Self::Loop => "e2e-loop",
            Self::Fan => "e2e-fan",
            Self::Ask => "e2e-ask",
            Self::Once => "e2e-once",
            Self::Hop => "e2e-hop",
            Self::Park => "e2e-park",
        }
    }

    fn size(number: u64) -> u64 {
        2 + number % 3
    }

    /// What a run of this number is given.
    #[must_use]
    pub fn input(self, number: u64) -> Value {
        json!({"number": number, "size": Self::size(number)})
    }

    /// What is wrong with how a run of this number ended.
    #[must_use]
    pub fn wrong(self, number: u64, run: &Run) -> Option<String> {
        let size = Self::size(number);
        let wanted = match self {
            Self::Loop => vec![json!({"waited": size, "computed": size})],
            Self::Fan => vec![json!({"ends": 8, "joined": 1})],
            Self::Ask => vec![json!({"text": "yes", "jobs": 2})],
            Self::Once => vec![json!({"paid": "paid"}), json!({"paid": "refunded"})],
            Self::Hop => vec![json!({"number": number})],
            Self::Park => vec![json!({"text": "yes"})],
        };
        let output: Option<Value> = run.output_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let fits =
            run.status() == RunStatus::Succeeded && output.as_ref().is_some_and(|output| wanted.contains(output));
        (!fits).then(|| {
            let failure = run.failure.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message));
            format!("{} is {:?} with {output:?} {failure:?}, wanted {wanted:?}", run.id, run.status())
        })
    }
}

/// What the events of a run that has ended tell of its jobs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Jobs {
    /// Jobs that a worker was granted.
    pub granted: usize,
    /// Grants beyond the first of a job: its worker was lost, or it was tried again.
    pub again: usize,
}

/// Reads the events of a run of that kind.
///
/// # Errors
/// What is wrong with them: a gap, a job whose result was taken twice, one that may never run
/// twice and was granted twice, a second end.
pub fn read(kind: Kind, events: &[Seen]) -> Result<Jobs, String> {
    let (mut grants, mut results) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    let mut ends = 0;
    for (wanted, event) in (1..).zip(events) {
        if event.seq != wanted || event.kind == "gap" {
            return Err(format!("event {} ({}) where {wanted} had to come", event.seq, event.kind));
        }
        let job = (event.group.as_str(), event.index);
        match event.kind.as_str() {
            "claimed" => *grants.entry(job).or_default() += 1,
            "recorded" if event.text == "ok" => *results.entry(job).or_default() += 1,
            "ended" => ends += 1,
            _ => {}
        }
    }
    if ends != 1 {
        return Err(format!("it ended {ends} times"));
    }
    if let Some(((group, index), count)) = results.iter().find(|(_, count)| **count > 1) {
        return Err(format!("{count} results of {group}[{index:?}] were taken"));
    }
    let once = grants.iter().find(|((group, _), count)| kind == Kind::Once && group.starts_with("pay#") && **count > 1);
    if let Some(((group, _), count)) = once {
        return Err(format!("{group} never runs twice and was granted {count} times"));
    }
    let all: usize = grants.values().sum();
    Ok(Jobs { granted: grants.len(), again: all - grants.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, kind: &str, group: &str, text: &str) -> Seen {
        let (group, text) = (group.to_owned(), text.to_owned());
        Seen { seq, at_ms: 0, kind: kind.to_owned(), group, index: Some(0), number: seq, text }
    }

    #[test]
    fn a_gap_a_second_result_and_a_second_grant_of_what_runs_once_are_found() {
        let good = [
            event(1, "claimed", "pay#1", ""),
            event(2, "recorded", "pay#1", "retry"),
            event(3, "claimed", "work#1", ""),
            event(4, "claimed", "work#1", ""),
            event(5, "recorded", "work#1", "ok"),
            event(6, "ended", "", ""),
        ];
        assert_eq!(read(Kind::Once, &good), Ok(Jobs { granted: 2, again: 1 }));
        assert!(read(Kind::Once, &good[..5]).unwrap_err().contains("ended 0 times"));
        assert!(read(Kind::Once, &good[1..]).is_err(), "a gap");
        let mut twice = good.to_vec();
        twice[3] = event(4, "recorded", "work#1", "ok");
        assert!(read(Kind::Once, &twice).unwrap_err().contains("2 results of work#1"));
        let mut paid = good.to_vec();
        paid[3] = event(4, "claimed", "pay#1", "");
        assert!(read(Kind::Once, &paid).unwrap_err().contains("never runs twice"));
        assert!(read(Kind::Loop, &paid).is_ok());
    }

    #[test]
    fn another_end_than_the_wanted_one_is_told() {
        let ended = |output: &str| Run {
            status: RunStatus::Succeeded.into(),
            output_json: Some(output.to_owned()),
            ..Run::default()
        };
        assert_eq!(Kind::Loop.wrong(1, &ended(r#"{"waited": 3, "computed": 3}"#)), None);
        assert!(Kind::Loop.wrong(1, &ended(r#"{"waited": 4, "computed": 3}"#)).is_some());
        assert!(Kind::Hop.wrong(1, &Run { status: RunStatus::Failed.into(), ..Run::default() }).is_some());
    }
}
