//! `wait`: for a time or a signal.

use serde_json::json;

use super::code::expression_of;
use super::problem::Report;
use super::reader::{Members, duration, members, text};
use super::view::View;
use super::yaml::Node;
use crate::expr::Kind;
use crate::graph::Wait;

const KEYS: [&str; 5] = ["for", "until", "signal", "match", "expires"];
const SIGNAL_BYTES_MAX: usize = 128;

/// What a node waits for.
pub(super) fn wait(report: &mut Report, node: &Node, view: &View<'_>) -> Option<Wait> {
    let members = members(report, node, "wait", &KEYS, &[])?;
    let given: Vec<&str> = ["for", "until", "signal"].into_iter().filter(|key| members.get(key).is_some()).collect();
    match given.as_slice() {
        [] => {
            report
                .add("missing_key", members.at, "wait needs for, until or signal")
                .help("wait: { for: 30m }, { until: input.due } or { signal: paid, expires: 3d }");
            return None;
        }
        [_] => {}
        [first, second, ..] => {
            report
                .add("two_forms", members.place(second), format!("wait has {first} or {second}, not both"))
                .help("for is a duration, until a moment, signal what a system sends; expires limits the last");
            return None;
        }
    }
    if members.get("signal").is_none() {
        for key in ["match", "expires"] {
            if let Some(entry) = members.entry(key) {
                report.add("no_use", entry.key_at, format!("{key} goes with signal"));
            }
        }
    }
    match (members.get("for"), members.get("until"), members.get("signal")) {
        (Some(node), _, _) => duration(report, node, "for").map(Wait::For),
        (_, Some(node), _) => expression_of(report, node, "until", view, Kind::String).map(Wait::Until),
        (_, _, Some(node)) => signal(report, &members, node, view),
        _ => None,
    }
}

fn signal(report: &mut Report, members: &Members<'_>, node: &Node, view: &View<'_>) -> Option<Wait> {
    let name = text(report, node, "the name of a signal").filter(|name| {
        let fits = (1..=SIGNAL_BYTES_MAX).contains(&name.len())
            && name.chars().all(|mark| mark.is_ascii_alphanumeric() || "_-.".contains(mark));
        if !fits {
            report.add("wrong_name", node.at, format!("{name:?} is no name of a signal")).help(
                "names are made of letters, digits, _, - and .; what tells signals of one name apart goes into match",
            );
        }
        fits
    });
    let of_event = view.at("match").with("event", json!({}));
    let matches = members.get("match").map(|node| expression_of(report, node, "match", &of_event, Kind::Boolean));
    let expires = members.get("expires").map(|node| duration(report, node, "expires"));
    let name = name?.to_owned();
    let matches = match matches {
        Some(matches) => Some(matches?),
        None => None,
    };
    let expires_ms = match expires {
        Some(expires) => Some(expires?),
        None => None,
    };
    Some(Wait::Signal { name, matches, expires_ms })
}
