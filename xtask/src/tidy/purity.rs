//! The core is pure: no runtime, clock, random source, logger or map without an order.

use super::Violation;
use super::source::{Source, lines_with};

/// Crates whose sources are pure.
const PURE: &[&str] = &["common", "engine", "agents"];

/// What they must not name, and what it is.
const BANNED: &[(&str, &str)] = &[
    ("HashMap", "a map without an order"),
    ("HashSet", "a set without an order"),
    ("SystemTime", "a clock"),
    ("Instant", "a clock"),
    ("Timestamp::now", "a clock"),
    ("now_v7", "a clock"),
    ("new_v4", "a random source"),
    ("::random", "a random source"),
    ("rand", "a random source"),
    ("getrandom", "a random source"),
    ("tokio", "an async runtime"),
    ("async", "asynchronous code"),
    ("tracing", "a logger"),
    ("println!", "output"),
    ("eprintln!", "output"),
    ("std::fs", "the file system"),
    ("std::net", "the network"),
    ("std::thread", "a thread"),
];

/// What a crate may name all the same, in one module or in all (`src`), and why.
const EXCEPTIONS: &[(&str, &str, &[&str])] = &[
    // The edges word their traits in `common`, and those are asynchronous.
    ("common", "src", &["async"]),
    // Services mint ids; the engine is handed them.
    ("common", "ids", &["now_v7", "new_v4"]),
    // CEL keeps its maps so; what would walk one is sorted or refused at compile time.
    ("engine", "expr", &["HashMap"]),
];

/// Libraries of expressions and specifications, with the one module that may name them.
const CONFINED: &[(&str, &str)] =
    &[("cel::", "expr"), ("minijinja::", "expr"), ("jsonschema::", "expr"), ("serde_saphyr::", "spec")];

/// Pure crates name nothing that makes equal inputs give unequal bytes.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    if !PURE.contains(&source.area()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (word, kind) in BANNED.iter().filter(|(word, _)| !excepted(source, word)) {
        for line in lines_with(&source.product, word) {
            found.push(source.violation(
                line,
                format!("`{word}` is {kind}"),
                "equal inputs give equal bytes, in two processes too",
                "take it as an argument, or use an ordered map; effects are for the services",
            ));
        }
    }
    for (word, home) in CONFINED.iter().filter(|(_, home)| !source.lies_in(home)) {
        for line in lines_with(&source.product, word) {
            found.push(source.violation(
                line,
                format!("`{word}` is named outside of `{home}`"),
                "a library that can be replaced is known to one module",
                "ask that module for what is needed",
            ));
        }
    }
    found
}

fn excepted(source: &Source, word: &str) -> bool {
    let here = |(area, module, _): &&(&str, &str, &[&str])| source.area() == *area && source.lies_in(module);
    EXCEPTIONS.iter().filter(here).any(|(_, _, words)| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path.to_owned(), text.to_owned())).into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn clocks_maps_and_runtimes_are_found_in_pure_crates() {
        let text = "use std::collections::HashMap;\nlet now = Instant::now();\ntokio::spawn(a);\nasync fn b() {}\n";
        assert_eq!(found_in("engine/src/step.rs", text).len(), 4);
        assert_eq!(found_in("store/src/memory.rs", text), Vec::<String>::new());
    }

    #[test]
    fn comments_and_tests_may_speak_of_them() {
        let text = "//! No HashMap here.\n#[cfg(test)]\nmod tests {\n    use std::collections::HashSet;\n}\n";
        assert_eq!(found_in("engine/src/step.rs", text), Vec::<String>::new());
    }

    #[test]
    fn ids_are_minted_in_one_module_only() {
        let text = "let id = Uuid::now_v7();\n";
        assert_eq!(found_in("common/src/ids.rs", text), Vec::<String>::new());
        assert_eq!(found_in("common/src/records.rs", text).len(), 1);
        assert_eq!(found_in("engine/src/ids.rs", "let id = ThreadId::random();\n").len(), 1);
    }

    #[test]
    fn libraries_stay_in_their_module() {
        let text = "let program = cel::Program::compile(text);\n";
        assert_eq!(found_in("engine/src/step.rs", text).len(), 1);
        assert_eq!(found_in("engine/src/expr/condition.rs", text), Vec::<String>::new());
        assert_eq!(found_in("engine/src/expr.rs", text), Vec::<String>::new());
    }
}
