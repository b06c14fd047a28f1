//! Concrete stores and brokers are named where parts meet, and nowhere else.

use super::Violation;
use super::source::{Source, lines_with};

/// Each adapter with the crate it lives in.
const ADAPTERS: &[(&str, &str)] = &[
    ("RedisStore", "store"),
    ("SqliteStore", "store"),
    ("MemoryStore", "store"),
    ("baton_broker::rabbit", "broker"),
    ("baton_broker::memory", "broker"),
];

/// Crates that may name any of them.
const FREE: &[&str] = &["testbed", "integration-tests"];

/// Only `wiring.rs`, tests and an adapter's own crate name it.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    // A crate's `testing` module is compiled for its tests alone.
    if source.lies_in("wiring") || source.lies_in("testing") || FREE.contains(&source.area()) {
        return Vec::new();
    }
    let foreign = ADAPTERS.iter().filter(|(_, home)| source.area() != *home);
    let lines =
        foreign.flat_map(|(name, _)| lines_with(&source.product, name).into_iter().map(move |line| (line, name)));
    lines
        .map(|(line, name)| {
            source.violation(
                line,
                format!("`{name}` is named outside of a `wiring.rs`"),
                "every part works with any store and broker, because it knows the trait alone",
                "take the trait, and choose the adapter in `wiring.rs`",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Source::new(path.to_owned(), text.to_owned())).len()
    }

    #[test]
    fn a_driver_that_names_an_adapter_is_found() {
        let text = "let store = RedisStore::open(url);\n";
        assert_eq!(count("orchestrator/src/driver.rs", text), 1);
        assert_eq!(count("orchestrator/src/wiring.rs", text), 0);
        assert_eq!(count("orchestrator/tests/it/main.rs", text), 0);
        assert_eq!(count("store/src/redis/mod.rs", text), 0);
        assert_eq!(count("broker/src/lib.rs", text), 1);
        assert_eq!(count("integration-tests/src/cluster.rs", text), 0);
    }
}
