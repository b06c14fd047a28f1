//! Whatever a text is, reading it gives a graph or problems whose places lie in it.

use proptest::prelude::*;

use super::super::{Source, includes, parse, parse_canonical};
use super::examples;

/// Words worth meeting in odd places.
const WORDS: [&str; 32] = [
    "then",
    "end",
    "nodes",
    "{{",
    "}}",
    "{%",
    "state.",
    "output",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    ": ",
    "\n",
    "  ",
    "#",
    "&a",
    "*a",
    "!t",
    "|",
    "NO",
    "010",
    "1.10",
    "null",
    "join: all",
    "for_each: ",
    "\u{fffd}",
    "ä",
    "\t",
];

#[derive(Debug, Clone)]
enum Change {
    Delete(f64, usize),
    Insert(f64, usize),
    Copy(f64, f64, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0.0..1.0, 1..40_usize).prop_map(|(place, length)| Change::Delete(place, length)),
        (0.0..1.0, 0..WORDS.len()).prop_map(|(place, word)| Change::Insert(place, word)),
        (0.0..1.0, 0.0..1.0, 1..60_usize).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut marks: Vec<char> = text.chars().collect();
    let at = |place: f64, marks: &[char]| ((marks.len() as f64) * place) as usize;
    match change {
        Change::Delete(place, length) => {
            let start = at(*place, &marks);
            marks.drain(start..(start + length).min(marks.len()));
        }
        Change::Insert(place, word) => {
            let start = at(*place, &marks);
            marks.splice(start..start, WORDS[*word].chars());
        }
        Change::Copy(from, to, length) => {
            let start = at(*from, &marks);
            let piece: Vec<char> = marks[start..(start + length).min(marks.len())].to_vec();
            let start = at(*to, &marks);
            marks.splice(start..start, piece);
        }
    }
    marks.into_iter().collect()
}

fn check(text: &str) {
    let _ = includes(&Source::new("g.yaml", text));
    match parse(&Source::new("g.yaml", text)) {
        Ok(graph) => {
            let again = parse_canonical(&graph.source).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
            assert_eq!(again.hash, graph.hash, "{text}");
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "{text}");
            for problem in problems {
                assert!(text.get(problem.offset..problem.offset + problem.length).is_some(), "{problem:?}\n{text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_example_never_breaks_the_parser(
        example in 0..5_usize,
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let (_, text) = &examples()[example];
        check(&changes.iter().fold(text.clone(), |text, change| apply(&text, change)));
    }

    #[test]
    fn any_text_never_breaks_the_parser(text in "\\PC{0,200}") {
        check(&text);
        check(&format!("baton: 1\ngraph: g\nstart: a\nnodes: {{ a: {{ then: end, save: {{ x: {text} }} }} }}\n"));
        check(&format!("baton: 1\ngraph: g\nstart: a\nnodes:\n  a:\n    tool: {{ name: t, args: {{ x: \"{text}\" }} }}\n    then: end\n"));
    }
}

#[test]
fn deep_and_wide_texts_are_refused_quickly() {
    for text in ["[".repeat(100_000), "{a: ".repeat(20_000), "- ".repeat(100_000), "a: &a [*a, *a]\n".repeat(1000)] {
        assert!(parse(&Source::new("g.yaml", text)).is_err());
    }
}
