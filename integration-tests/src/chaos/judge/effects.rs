//! I9 and I6 from outside, by the ledger: what had to be done was done, what may never be
//! done twice was not, and whatever began again had a reason.

use std::collections::BTreeMap;

use baton_proto::v1::RunStatus;

use super::Verdict;
use crate::chaos::fault::Strike;
use crate::chaos::history::{Forgotten, History};
use crate::chaos::ledger::{Effect, Execution};
use crate::chaos::load::Kind;

/// An effect of a fault is felt so long after it, in milliseconds: half-open connections are
/// noticed late.
const FELT_MS: i64 = 20_000;

type Effects = BTreeMap<String, Effect>;

/// What a run did, for runs that ended well: every job came to its end, and there are no
/// others.
pub(super) fn judge_ends(effects: &Effects, history: &History, verdict: &mut Verdict, found: &mut Vec<String>) {
    let forgotten = history.forgotten();
    let mut files: BTreeMap<&str, Vec<&Effect>> = BTreeMap::new();
    for effect in effects.values() {
        files.entry(&effect.file).or_default().push(effect);
    }
    verdict.jobs = 0;
    verdict.idempotent = 0;
    for ran in &verdict.runs {
        let Some(ended) = &ran.ended else { continue };
        let (file, other) = (ran.wanted.file(), ran.wanted.other_file());
        let of = |file: &String| files.get(file.as_str()).cloned().unwrap_or_default();
        let (own, others) = (of(&file), of(&other));
        let (all, mut idempotent, mut besides) = ran.wanted.jobs();
        if ran.wanted.kind == Kind::Once {
            let refunded = ended.output_json.as_deref().is_some_and(|text| text.contains("refunded"));
            // A worker that was lost may have been so before it began.
            besides = if refunded { others.len().min(1) } else { 1 };
            idempotent += usize::from(refunded);
        }
        if ran.wanted.kind == Kind::Cancel && ended.status() == RunStatus::Cancelled {
            let ends = own.iter().filter(|effect| effect.ends > 0).count();
            verdict.jobs += ends;
            verdict.idempotent += ends;
            continue;
        }
        verdict.jobs += all;
        verdict.idempotent += idempotent + if ran.wanted.kind == Kind::Once { 0 } else { besides };
        let request = &ran.wanted.request;
        let ends = own.iter().filter(|effect| effect.ends == 1).count();
        // What a forgotten time line did stands in the ledger too, under keys of its own.
        let more = forgotten.iter().any(|span| span.meets(ran));
        if ends < idempotent || !more && (own.len() != idempotent || ends != idempotent) {
            found
                .push(format!("I9: {request} has {} jobs in its ledger, {ends} ended; {idempotent} had to", own.len()));
        }
        if others.len() < besides
            || !more && others.len() != besides
            || others.iter().any(|effect| !effect.once && effect.ends != 1)
        {
            found.push(format!("I9: {request} has {} other jobs in its ledger, {besides} had to be", others.len()));
        }
    }
}

/// How often what was done was begun.
pub(super) fn judge_executions(effects: &Effects, history: &History, strikes: &[Strike], verdict: &mut Verdict) {
    let forgotten = history.forgotten();
    for effect in effects.values() {
        let begun = effect.executions.len();
        verdict.once += usize::from(effect.once && begun > 0);
        verdict.again += begun.saturating_sub(1);
        let request = effect.file.trim_end_matches(".jsonl").trim_end_matches("-other").to_owned();
        if effect.once && begun > 1 {
            if effect.executions[..begun - 1].iter().all(|it| was_forgotten(it, &forgotten)) {
                verdict.again_after_forgetting += begun - 1;
            } else {
                verdict.violations.push(format!("I9: {} may never run twice and was begun {begun} times", effect.job));
                verdict.doubled.push(request.clone());
            }
        }
        if let Some(wrong) = wrong(effect, strikes, &forgotten) {
            verdict.violations.push(format!("{wrong}: {effect:?}"));
            verdict.doubled.push(request);
        }
    }
    verdict.doubled.sort();
    verdict.doubled.dedup();
}

/// Whether the store forgot that this was claimed: it was begun right after.
fn was_forgotten(execution: &Execution, forgotten: &[Forgotten]) -> bool {
    let claimed = execution.started_ms - 3_000..=execution.started_ms;
    forgotten.iter().any(|span| *claimed.start() <= span.to_ms && span.from_ms - 100 <= *claimed.end())
}

fn wrong(effect: &Effect, strikes: &[Strike], forgotten: &[Forgotten]) -> Option<String> {
    for (place, execution) in effect.executions.iter().enumerate() {
        let again = &effect.executions[place + 1..];
        let same = again.iter().any(|other| other.fence == execution.fence);
        if same && !was_forgotten(execution, forgotten) {
            return Some(format!("I6: {} was executed twice with fence {}", effect.job, execution.fence));
        }
        let Some(next) = again.first() else { continue };
        let met =
            |strike: &&Strike| strike.at_ms <= next.started_ms && execution.started_ms <= strike.until_ms + FELT_MS;
        if !strikes.iter().any(|strike| met(&strike)) {
            return Some(format!("I9: {} was begun again and nothing had happened", effect.job));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::fault::Fault;

    fn effect(fences: &[u64]) -> Effect {
        let begun = (0_i64..).zip(fences).map(|(place, fence)| Execution {
            fence: *fence,
            pid: 1,
            started_ms: 100_000 + place * 10_000,
            ended_ms: None,
        });
        let (job, file) = ("job".to_owned(), "file".to_owned());
        Effect { job, file, once: false, executions: begun.collect(), ends: 1 }
    }

    #[test]
    fn what_begins_again_needs_a_reason_and_a_fence_of_its_own() {
        let strike = |at_ms| Strike { fault: Fault::KillIoWorker, target: String::new(), at_ms, until_ms: at_ms };
        assert_eq!(wrong(&effect(&[1]), &[], &[]), None);
        assert!(wrong(&effect(&[1, 2]), &[], &[]).unwrap().starts_with("I9"));
        assert!(wrong(&effect(&[1, 2]), &[strike(130_000)], &[]).unwrap().starts_with("I9"));
        assert_eq!(wrong(&effect(&[1, 2]), &[strike(101_000)], &[]), None);
        assert!(wrong(&effect(&[1, 1]), &[strike(101_000)], &[]).unwrap().starts_with("I6"));
        let forgotten = Forgotten { from_ms: 99_500, to_ms: 100_200 };
        assert_eq!(wrong(&effect(&[1, 1]), &[strike(101_000)], &[forgotten]), None);
    }
}
