//! I8: a question has one answer, and everybody is told the same.

use serde_json::Value;

use super::Verdict;
use crate::chaos::history::{Decision, Forgotten, History};

pub(super) fn judge(history: &History, verdict: &mut Verdict) {
    let forgotten = history.forgotten();
    for (question, decisions) in history.decisions() {
        if let Some(wrong) = wrong(&decisions, &forgotten) {
            verdict.violations.push(format!("I8: question {question}: {wrong}"));
        }
    }
}

/// What is wrong with what clients were told about one question.
pub(crate) fn wrong(decisions: &[Decision], forgotten: &[Forgotten]) -> Option<String> {
    // What was said in a moment that the store forgot need not agree with what was said later.
    let lasting = decisions.iter().filter(|said| !forgotten.iter().any(|span| span.holds(&said.call)));
    let mut recorded: Vec<&Value> = lasting.filter_map(|said| said.recorded.as_ref()).collect();
    recorded.dedup();
    (recorded.iter().any(|said| **said != *recorded[0])).then(|| format!("people were told {recorded:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chaos::history::Call;

    #[test]
    fn two_answers_are_found_unless_one_was_forgotten() {
        let call = |at_ms| Call { asked_ms: at_ms - 10, told_ms: at_ms };
        let said =
            |at_ms, action| Decision { call: call(at_ms), recorded: Some(json!({"action": action})), refused: None };
        let both = [said(1_000, "approve"), said(9_000, "reject")];
        assert!(wrong(&both, &[]).is_some());
        assert!(wrong(&both[..1], &[]).is_none());
        assert!(wrong(&both, &[Forgotten { from_ms: 900, to_ms: 1_200 }]).is_none());
        assert!(wrong(&both, &[Forgotten { from_ms: 3_000, to_ms: 3_500 }]).is_some());
    }
}
