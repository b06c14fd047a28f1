//! I12: events are numbered without gaps, for who watched and for who asks later. I6: the
//! fences of a job rise with every claim. And a run ends once.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Verdict;
use crate::chaos::api::Api;
use crate::chaos::events::Seen;
use crate::chaos::history::{History, Ran};

/// Calls at a time.
const AT_ONCE: usize = 16;

pub(super) async fn judge(api: &Api, history: &History, verdict: &mut Verdict) -> anyhow::Result<()> {
    let forgotten = history.forgotten();
    let overlaps = |ran: &Ran| forgotten.iter().any(|span| span.meets(ran));
    let mut again = Vec::new();
    for (place, ran) in verdict.runs.iter().enumerate() {
        if ran.ended.is_none() {
            continue;
        }
        // Who watched while the store forgot saw what is not there any more.
        if overlaps(ran) || ran.events.last().is_none_or(|event| event.kind != "ended") {
            again.push((place, ran.accepted.last().map(|(id, _)| id.clone()).unwrap_or_default()));
        } else if let Some(wrong) = wrong(&ran.events) {
            verdict.violations.push(format!("{} as it was watched: {wrong}", ran.wanted.request));
        }
    }
    let asked = stream::iter(again.into_iter().map(|(place, run)| async move { (place, api.events(&run).await) }));
    let told: Vec<(usize, anyhow::Result<Vec<Seen>>)> = asked.buffer_unordered(AT_ONCE).collect().await;
    for (place, events) in told {
        let ran = &mut verdict.runs[place];
        ran.events = events?;
        if let Some(wrong) = wrong(&ran.events) {
            verdict.violations.push(format!("{}: {wrong}", ran.wanted.request));
        }
    }
    Ok(())
}

/// What is wrong with the events of a run that has ended.
fn wrong(events: &[Seen]) -> Option<String> {
    let mut fences: BTreeMap<(&str, Option<u32>), u64> = BTreeMap::new();
    for (wanted, event) in (1..).zip(events) {
        if event.seq != wanted || event.kind == "gap" {
            let near: Vec<_> =
                events.iter().skip(usize::try_from(wanted).unwrap_or(0).saturating_sub(6)).take(8).collect();
            return Some(format!("I12: event {} ({}) where {wanted} had to come: {near:?}", event.seq, event.kind));
        }
        if event.kind == "claimed" {
            let highest = fences.entry((&event.group, event.index)).or_default();
            if event.number <= *highest {
                return Some(format!(
                    "I6: {}[{:?}] was claimed with fence {} after {highest}",
                    event.group, event.index, event.number
                ));
            }
            *highest = event.number;
        }
    }
    let ends = events.iter().filter(|event| event.kind == "ended").count();
    (ends != 1).then(|| format!("I4: it ended {ends} times"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, kind: &str, number: u64) -> Seen {
        let (group, text) = ("work#1".to_owned(), String::new());
        Seen { seq, at_ms: 0, kind: kind.to_owned(), group, index: Some(0), number, text }
    }

    #[test]
    fn a_gap_a_fallen_fence_and_a_second_end_are_found() {
        let good = [event(1, "claimed", 1), event(2, "claimed", 2), event(3, "ended", 0)];
        assert_eq!(wrong(&good), None);
        let gap = [event(1, "claimed", 1), event(3, "ended", 0)];
        assert!(wrong(&gap).unwrap().starts_with("I12"));
        let fallen = [event(1, "claimed", 2), event(2, "claimed", 2), event(3, "ended", 0)];
        assert!(wrong(&fallen).unwrap().starts_with("I6"));
        let twice = [event(1, "ended", 0), event(2, "ended", 0)];
        assert!(wrong(&twice).unwrap().starts_with("I4"));
    }
}
