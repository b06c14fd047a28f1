//! Who may depend on whom: one table, checked against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Violation;
use crate::process;

const PREFIX: &str = "baton-";
const WHY: &str = "dependencies point one way: words, the pure core, edges, services";

const WORDS: &[&str] = &["common", "proto"];
const BASE: &[&str] = &["telemetry", "egress", "blobs", "control"];
const EDGES: &[&str] = &["store", "broker", "inference", "tools", "rag"];
const SERVICES: &[&str] = &["orchestrator", "worker"];

/// Each crate with the crates and groups of crates it may depend on.
const LAYERS: &[(&str, &[&[&str]])] = &[
    ("common", &[]),
    ("proto", &[]),
    ("engine", &[&["common"]]),
    ("agents", &[&["common", "engine"]]),
    ("schedule", &[&["common"]]),
    ("telemetry", &[WORDS]),
    ("egress", &[WORDS]),
    ("blobs", &[WORDS]),
    ("control", &[WORDS]),
    ("store", &[WORDS, BASE]),
    ("broker", &[WORDS, BASE]),
    ("inference", &[WORDS, BASE]),
    ("tools", &[WORDS, BASE]),
    ("rag", &[WORDS, BASE, &["tools", "inference"]]),
    ("orchestrator", &[WORDS, BASE, &["engine", "agents", "schedule", "store", "broker"]]),
    ("worker", &[WORDS, BASE, &["broker", "inference", "tools", "rag"]]),
    ("embedded", &[WORDS, BASE, EDGES, SERVICES, &["engine"]]),
    ("cli", &[WORDS, BASE, SERVICES, &["engine", "agents", "schedule", "embedded"]]),
    ("testbed", &[WORDS, BASE, EDGES]),
    ("integration-tests", &[WORDS, BASE, EDGES, SERVICES, &["engine", "schedule", "embedded", "testbed"]]),
    ("xtask", &[]),
];

/// What a crate must not even reach through others.
const UNREACHABLE: &[(&str, &[&str])] =
    &[("orchestrator", &["tools", "inference", "rag"]), ("worker", &["engine", "store"])];

/// Pure crates with all the libraries they may use.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("common", &["serde", "serde_json", "thiserror", "uuid", "blake3", "toml", "async-trait"]),
    ("engine", &["serde", "serde_json", "thiserror", "cel", "minijinja", "jsonschema", "serde-saphyr"]),
    ("agents", &["serde_json"]),
    ("schedule", &["serde", "serde_json", "thiserror", "jiff"]),
];

/// What no crate below the services may use even in its tests.
const NEVER_FROM_BELOW: &[&str] = &["orchestrator", "worker", "embedded", "cli", "integration-tests"];

/// The dependencies of one crate, by the names of packages.
#[derive(Debug, Default, Clone)]
struct Crate {
    product: BTreeSet<String>,
    tests: BTreeSet<String>,
}

type Crates = BTreeMap<String, Crate>;

/// Holds the workspace at `root` to the tables.
///
/// # Errors
/// When `cargo metadata` cannot be read.
pub(super) fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let output = process::cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(judge(&crates(&metadata)))
}

fn crates(metadata: &Value) -> Crates {
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&empty).clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut crates = Crates::new();
    for package in list(&metadata["packages"]) {
        let entry = crates.entry(short(&text(&package["name"])).to_owned()).or_default();
        for dependency in list(&package["dependencies"]) {
            let kind = if dependency["kind"] == "dev" { &mut entry.tests } else { &mut entry.product };
            kind.insert(text(&dependency["name"]));
        }
    }
    crates
}

fn judge(crates: &Crates) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, own) in crates {
        let Some((_, allowed)) = LAYERS.iter().find(|(known, _)| known == name) else {
            found.push(violation(name, format!("crate `{name}` has no layer"), "add it to the table in `layers.rs`"));
            continue;
        };
        for used in own.product.iter().filter_map(|used| used.strip_prefix(PREFIX)) {
            if !allowed.iter().any(|group| group.contains(&used)) {
                let what = format!("`{name}` depends on `{used}`");
                found.push(violation(name, what, "move what is shared to a lower layer, or pass it in"));
            }
        }
        let low = !SERVICES.contains(&name.as_str()) && !NEVER_FROM_BELOW.contains(&name.as_str());
        for used in own.tests.iter().map(|used| short(used)).filter(|used| low && NEVER_FROM_BELOW.contains(used)) {
            let what = format!("tests of `{name}` depend on `{used}`");
            found.push(violation(name, what, "move the test to `integration-tests`"));
        }
        found.extend(foreign_libraries(name, own));
    }
    found.extend(UNREACHABLE.iter().flat_map(|(name, banned)| reached(crates, name, banned)));
    found
}

fn foreign_libraries(name: &str, own: &Crate) -> Vec<Violation> {
    let Some((_, libraries)) = LIBRARIES.iter().find(|(pure, _)| *pure == name) else { return Vec::new() };
    let outside = own.product.iter().filter(|used| !used.starts_with(PREFIX) && !libraries.contains(&used.as_str()));
    outside
        .map(|used| {
            let what = format!("`{name}` uses the library `{used}`");
            violation(name, what, "do it in an edge, or argue for the library in a decision record")
        })
        .collect()
}

/// The ways from `name` to what it must not reach.
fn reached(crates: &Crates, name: &str, banned: &[&str]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![name.to_owned()]];
    while let Some(way) = ways.pop() {
        let Some(own) = way.last().and_then(|last| crates.get(last)) else { continue };
        for used in own.product.iter().filter_map(|used| used.strip_prefix(PREFIX)) {
            if !seen.insert(used.to_owned()) {
                continue;
            }
            let next = [way.clone(), vec![used.to_owned()]].concat();
            if banned.contains(&used) {
                let what = format!("`{name}` reaches `{used}`: {}", next.join(" -> "));
                found.push(violation(name, what, "cut the way at its last step"));
            }
            ways.push(next);
        }
    }
    found
}

fn short(package: &str) -> &str {
    package.strip_prefix(PREFIX).unwrap_or(package)
}

fn violation(name: &str, what: String, cure: &'static str) -> Violation {
    Violation { path: format!("{name}/Cargo.toml"), line: 1, what, why: WHY, cure }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(packages: Value) -> Vec<String> {
        judge(&crates(&json!({ "packages": packages }))).into_iter().map(|violation| violation.what).collect()
    }

    fn package(name: &str, product: &[&str], tests: &[&str]) -> Value {
        let product = product.iter().map(|used| json!({ "name": used, "kind": null }));
        let tests = tests.iter().map(|used| json!({ "name": used, "kind": "dev" }));
        json!({ "name": name, "dependencies": product.chain(tests).collect::<Vec<_>>() })
    }

    #[test]
    fn a_dependency_against_the_grain_is_found() {
        assert_eq!(
            judged(json!([package("baton-store", &["baton-engine", "redis"], &[])])),
            ["`store` depends on `engine`"]
        );
        assert!(judged(json!([package("baton-store", &["baton-common", "redis"], &["baton-testbed"])])).is_empty());
    }

    #[test]
    fn tests_below_do_not_reach_up() {
        assert_eq!(
            judged(json!([package("baton-broker", &[], &["baton-worker"])])),
            ["tests of `broker` depend on `worker`"]
        );
    }

    #[test]
    fn the_core_uses_only_what_is_listed() {
        assert_eq!(
            judged(json!([package("baton-engine", &["tokio"], &["proptest"])])),
            ["`engine` uses the library `tokio`"]
        );
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        assert_eq!(judged(json!([package("baton-extra", &[], &[])])), ["crate `extra` has no layer"]);
    }

    #[test]
    fn a_ban_holds_through_others() {
        let packages = json!([
            package("baton-orchestrator", &["baton-store"], &[]),
            package("baton-store", &["baton-tools"], &[])
        ]);
        assert_eq!(
            judged(packages),
            ["`store` depends on `tools`", "`orchestrator` reaches `tools`: orchestrator -> store -> tools"]
        );
    }
}
