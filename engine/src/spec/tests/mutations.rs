//! Whatever a text is, reading it gives a graph or problems whose places lie in it; what is
//! a graph can be read again, drawn, and passes the schema for editors.
//!
//! Texts begin as the examples and the corpus beside this file. `BATON_FUZZ_CASES=200000`
//! makes a long search of it; what it finds is kept in the corpus.

use proptest::prelude::*;
use serde_json::Value;

use super::super::{Source, calls, canonical, includes, parse, parse_canonical, yaml};
use super::{corpus, examples, schema};
use crate::draw;

fn cases() -> u32 {
    std::env::var("BATON_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

fn seeds() -> &'static [String] {
    static SEEDS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    SEEDS.get_or_init(|| examples().into_iter().chain(corpus()).map(|(_, text)| text).collect())
}

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
    let _ = calls(&Source::new("g.yaml", text));
    match parse(&Source::new("g.yaml", text)) {
        Ok(graph) => {
            let again = parse_canonical(&graph.source).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
            assert_eq!(again.hash, graph.hash, "{text}");
            assert!(draw::svg(&graph).ends_with("</svg>\n"), "{text}");
            assert!(draw::mermaid(&graph).starts_with("flowchart"), "{text}");
            schema::agree(text, &[]);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "{text}");
            for problem in problems {
                assert!(problem.line > 0 && problem.column > 0, "{problem:?}\n{text}");
                assert!(text.get(problem.offset..problem.offset + problem.length).is_some(), "{problem:?}\n{text}");
            }
        }
    }
}

/// A change of the tree: what stands at one place is put at another, or taken away.
#[derive(Debug, Clone)]
struct Graft {
    from: (usize, usize),
    to: usize,
    what: Part,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Value,
    Key,
    Away,
    Odd(usize),
}

fn graft() -> impl Strategy<Value = Graft> {
    let part = prop_oneof![
        4 => Just(Part::Value), 2 => Just(Part::Key), 2 => Just(Part::Away), 3 => (0..8_usize).prop_map(Part::Odd)
    ];
    ((0..64_usize, 0..4096_usize), 0..4096_usize, part).prop_map(|(from, to, what)| Graft { from, to, what })
}

fn tree(text: &str) -> Value {
    yaml::load(text, &mut super::super::problem::Report::default()).map(|root| canonical::to_json(&root)).unwrap()
}

/// The pointers of all values of a tree.
fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                pointers(element, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                pointers(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

fn pick(value: &Value, number: usize) -> String {
    let mut found = Vec::new();
    pointers(value, "", &mut found);
    found.swap_remove(number % found.len())
}

fn apply_graft(root: &mut Value, graft: &Graft) {
    let other = tree(&seeds()[graft.from.0 % seeds().len()]);
    let taken = pick(&other, graft.from.1);
    let place = pick(root, graft.to);
    let (parent, name) = place.rsplit_once('/').unwrap_or(("", ""));
    let odd = [
        Value::Null,
        Value::from(1),
        Value::from("{{ item }}"),
        Value::from("state.text"),
        Value::from("end"),
        Value::from("output.x.y[0] + 1"),
        Value::Array(Vec::new()),
        Value::from(true),
    ];
    match graft.what {
        Part::Value => {
            let value = other.pointer(&taken).cloned().unwrap_or_default();
            root.pointer_mut(&place).into_iter().for_each(|there| *there = value.clone());
        }
        Part::Key => {
            let key = taken.rsplit('/').next().unwrap_or("then").to_owned();
            if let Some(Value::Object(members)) = root.pointer_mut(&place) {
                members.insert(key, other.pointer(&taken).cloned().unwrap_or_default());
            }
        }
        Part::Away => match root.pointer_mut(parent) {
            Some(Value::Object(members)) => _ = members.remove(name),
            Some(Value::Array(elements)) if !elements.is_empty() => _ = elements.pop(),
            _ => {}
        },
        Part::Odd(which) => root.pointer_mut(&place).into_iter().for_each(|there| *there = odd[which].clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_graph_never_breaks_the_parser(
        seed in 0..64_usize,
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let text = seeds()[seed % seeds().len()].clone();
        check(&changes.iter().fold(text, |text, change| apply(&text, change)));
    }

    #[test]
    fn a_graph_with_parts_of_others_never_breaks_the_parser(
        seed in 0..64_usize,
        grafts in proptest::collection::vec(graft(), 1..5),
    ) {
        let mut root = tree(&seeds()[seed % seeds().len()]);
        grafts.iter().for_each(|graft| apply_graft(&mut root, graft));
        check(&root.to_string());
    }

    #[test]
    fn any_text_never_breaks_the_parser(text in "\\PC{0,200}") {
        check(&text);
        check(&format!("baton: 1\ngraph: g\nstart: a\nnodes: {{ a: {{ then: end, save: {{ x: {text} }} }} }}\n"));
        check(&format!("baton: 1\ngraph: g\nstart: a\nnodes:\n  a:\n    tool: {{ name: t, args: {{ x: \"{text}\" }} }}\n    then: end\n"));
    }
}

/// Scalars that readers take for different things, as YAML has them without quotes.
const SCALARS: [&str; 20] = [
    "1", "\"1\"", "0", "-1", "+1", "010", "0x1F", "1_000", "1.0", "1.10", ".5", "1e3", "1e400", "true", "\"true\"",
    "yes", "~", "\"\"", "5s", "\"5s\"",
];

/// Each of them, at every place of the corpus, which uses all of the language.
#[test]
fn a_graph_with_any_scalar_anywhere_never_breaks_the_parser() {
    for (_, text) in corpus() {
        let root = tree(&text);
        let mut places = Vec::new();
        pointers(&root, "", &mut places);
        for place in places {
            let mut changed = root.clone();
            changed.pointer_mut(&place).into_iter().for_each(|there| *there = Value::from("here"));
            let changed = changed.to_string();
            // The mark may be a name of the graph's too; then all of them change.
            SCALARS.iter().for_each(|scalar| check(&changed.replace("\"here\"", scalar)));
        }
    }
}

#[test]
fn deep_and_wide_texts_are_refused_quickly() {
    for text in ["[".repeat(100_000), "{a: ".repeat(20_000), "- ".repeat(100_000), "a: &a [*a, *a]\n".repeat(1000)] {
        assert!(parse(&Source::new("g.yaml", text)).is_err());
    }
}

#[test]
fn the_corpus_says_what_it_said() {
    for (file, text) in corpus() {
        check(&text);
        let is_fine = parse(&Source::new(file.clone(), text.clone())).is_ok();
        assert_eq!(is_fine, !file.starts_with("refused"), "{file}: {}", super::shown(&text));
    }
}

/// Many branches, joins and edges: what a validator could lose its way in.
#[test]
fn large_graphs_are_validated_quickly() {
    let names = |from: usize, to: usize| (from..to).map(|n| format!("n{n}")).collect::<Vec<_>>().join(", ");
    let width = 120;
    let wide: String = (0..width).map(|n| format!("  n{n}: {{ then: [{}] }}\n", names(width, 2 * width))).collect();
    let joins: String = (width..2 * width)
        .map(|n| format!("  n{n}: {{ join: any, then: [ {{ when: state.x > 1, to: n0 }}, {{ to: end }} ] }}\n"))
        .collect();
    let text =
        format!("baton: 1\ngraph: g\nstate: {{ x: integer }}\nstart: [{}]\nnodes:\n{wide}{joins}", names(0, width));
    assert!(parse(&Source::new("g.yaml", text)).is_err());
    let chain: String = (0..499)
        .map(|n| {
            format!(
                "  n{n}: {{ then: [ {{ when: state.x > {n}, to: n0 }}, {{ to: n{} }} ], save: {{ x: '1' }} }}\n",
                n + 1
            )
        })
        .collect();
    let text =
        format!("baton: 1\ngraph: g\nstate: {{ x: integer }}\nstart: n0\nnodes:\n{chain}  n499: {{ then: end }}\n");
    assert_eq!(super::shown(&text), "fine\n");
}
