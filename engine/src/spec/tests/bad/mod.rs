//! Graphs that are refused: code, line, column, what is marked, message and help.

mod calls;
mod flow;
mod keys;
mod names;
mod types;
mod yaml;

use expect_test::Expect;

use super::shown;

/// A whole text.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&shown(text));
}

/// One node `a` of a graph whose state and input are the same in all cases.
fn node(body: &str, expected: Expect) {
    check(&format!("{HEAD}nodes:\n  a:\n    {body}\n"), expected);
}

/// Keys at the top, in the place of those that are there.
fn head(keys: &str, expected: Expect) {
    let names: Vec<&str> = keys.lines().filter_map(|line| line.split(':').next()).collect();
    let is_kept = |line: &&str| line.starts_with("graph") || !names.iter().any(|name| line.starts_with(name));
    let kept: String = HEAD.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    check(&format!("{kept}{keys}nodes:\n  a: {{ then: end }}\n"), expected);
}

/// A graph of that start and those nodes.
fn flow(rest: &str, expected: Expect) {
    check(&format!("baton: 1\ngraph: g\n{rest}"), expected);
}

const HEAD: &str = "\
baton: 1
graph: g
input: { q: string, n: integer }
state: { text: string, n: integer, x: number, l: array, o: object }
start: a
";
