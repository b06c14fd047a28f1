//! What a case expects beside what came of it: every place where the two differ.

use baton_engine::spec::cases::Expect;
use serde_json::{Value, json};

use super::Played;

/// How far a duration may be off, in milliseconds: what happens at one moment takes some.
const SLACK_MS: u64 = 500;

/// One place where a play differs from what was expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where: `status`, `output.path`, `visited`, …
    pub at: String,
    /// What was expected; `None` where nothing was.
    pub expected: Option<Value>,
    /// What came; `None` where nothing did.
    pub found: Option<Value>,
}

/// Everything that differs; nothing where the case holds.
#[must_use]
pub fn differences(expect: &Expect, played: &Played) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differs = |at: &str, expected: Option<Value>, got: Option<Value>| {
        if expected != got {
            found.push(Difference { at: at.to_owned(), expected, found: got });
        }
    };
    differs("status", Some(json!(expect.status)), Some(json!(played.status)));
    if let Some(code) = &expect.code {
        differs("failure.code", Some(json!(code)), played.failure.as_ref().map(|failed| json!(failed.code)));
    }
    if let Some(node) = &expect.node {
        differs("failure.node", Some(json!(node)), played.failure.as_ref().map(|failed| json!(failed.node)));
    }
    if let Some(visited) = expect.visited.as_ref().filter(|visited| **visited != played.visited) {
        differs("visited", Some(json!(visited)), Some(json!(played.visited)));
    }
    if let Some((least, most)) = expect.took_ms {
        let (from, to) = (least.saturating_sub(SLACK_MS), most.saturating_add(SLACK_MS));
        if !(from..=to).contains(&played.took_ms) {
            let expected =
                if least == most { duration(least) } else { format!("{}..{}", duration(least), duration(most)) };
            differs("took", Some(json!(expected)), Some(json!(duration(played.took_ms))));
        }
    }
    if let Some(output) = &expect.output {
        compare("output", Some(output), played.output.as_ref(), &mut found);
    }
    found
}

/// Compares two values down to the members and elements that differ.
fn compare(at: &str, expected: Option<&Value>, got: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, got) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                compare(&format!("{at}.{name}"), left.get(name), right.get(name), found);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            for place in 0..left.len().max(right.len()) {
                compare(&format!("{at}[{place}]"), left.get(place), right.get(place), found);
            }
        }
        (left, right) if equal(left, right) => {}
        (left, right) => {
            found.push(Difference { at: at.to_owned(), expected: left.cloned(), found: right.cloned() });
        }
    }
}

/// Whether they are the same value: `1` and `1.0` are one number.
fn equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left == right || left.as_f64() == right.as_f64(),
        (left, right) => left == right,
    }
}

/// A duration as the language writes it, to the second where it has one: `30d`, `1h30m`, `250ms`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let mut left = if ms < 1_000 { ms } else { ms.saturating_add(500) / 1_000 * 1_000 };
    let mut text = String::new();
    for (unit, each) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if left >= each {
            text.push_str(&format!("{}{unit}", left / each));
            left %= each;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played() -> Played {
        Played {
            status: "succeeded".to_owned(),
            output: Some(json!({ "list": [1, 2], "path": "a" })),
            failure: None,
            visited: vec!["a".to_owned(), "b".to_owned()],
            took_ms: 3_000,
            problems: Vec::new(),
            waits: Vec::new(),
        }
    }

    #[test]
    fn what_differs_is_named_with_its_place() {
        let expect = Expect {
            status: "succeeded".to_owned(),
            output: Some(json!({ "list": [1.0, 3], "path": "a", "more": true })),
            visited: Some(vec!["a".to_owned()]),
            took_ms: Some((5_000, 60_000)),
            ..Expect::default()
        };
        let found = differences(&expect, &played());
        let lines: Vec<_> = found.iter().map(|one| format!("{} {:?} {:?}", one.at, one.expected, one.found)).collect();
        assert_eq!(
            found.iter().map(|one| one.at.as_str()).collect::<Vec<_>>(),
            ["visited", "took", "output.list[1]", "output.more"],
            "{lines:?}"
        );
        assert_eq!((&found[1].expected, &found[1].found), (&Some(json!("5s..1m")), &Some(json!("3s"))));
        assert_eq!((&found[3].expected, &found[3].found), (&Some(json!(true)), &None));
    }

    #[test]
    fn what_is_as_expected_differs_nowhere() {
        let output = played().output;
        let expect =
            Expect { status: "succeeded".to_owned(), output, took_ms: Some((2_800, 2_800)), ..Expect::default() };
        assert_eq!(differences(&expect, &played()), []);
    }

    #[test]
    fn durations_read_as_they_are_duration() {
        assert_eq!([0, 250, 90_132, 30 * 86_400_000 + 2].map(duration), ["0s", "250ms", "1m30s", "30d"]);
    }
}
