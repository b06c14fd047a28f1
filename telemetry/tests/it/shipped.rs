//! What is shipped beside the programs speaks of metrics that they have: alert rules and
//! dashboards. Whether a rule fires is for `deploy/prometheus/rules.test.yml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use baton_telemetry::metrics::words::{ALL, Kind};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words of a text that begin as the names of metrics do.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("baton_") || word.starts_with("process_")).collect()
}

/// The names under which metrics are scraped, those of a histogram's parts among them.
fn known() -> BTreeSet<String> {
    let parts = |kind| if matches!(kind, Kind::Histogram(_)) { &["_bucket", "_sum", "_count"][..] } else { &[""] };
    ALL.iter().flat_map(|metric| parts(metric.kind).iter().map(|part| format!("{}{part}", metric.name))).collect()
}

#[test]
fn alerts_and_dashboards_name_metrics_that_there_are() {
    let mut files = vec![folder("deploy/prometheus/rules.yml"), folder("deploy/prometheus/rules.test.yml")];
    let boards = std::fs::read_dir(folder("deploy/grafana/dashboards")).expect("dashboards");
    files.extend(boards.map(|board| board.expect("a file").path()));
    assert!(files.len() > 3, "there are dashboards");
    let known = known();
    for file in files {
        let text = text(&file);
        let named = metrics_in(&text);
        assert!(!named.is_empty(), "{} names none", file.display());
        let unknown: Vec<_> = named.into_iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", file.display());
    }
}

#[test]
fn every_alert_says_what_to_do_and_is_fired_by_a_test() {
    let rules = text(&folder("deploy/prometheus/rules.yml"));
    let alerts: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let pages = text(&folder("docs/operations/alerts.md"));
    let described: BTreeSet<&str> = pages.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(alerts, described);
    let tests = text(&folder("deploy/prometheus/rules.test.yml"));
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "no test fires {alert}");
        let anchor = format!("docs/operations/alerts.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} does not name its section");
    }
}
