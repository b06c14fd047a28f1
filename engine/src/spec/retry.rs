//! `retry`: how attempts are made.

use baton_common::ErrorClass;

use super::problem::Report;
use super::reader::{count, duration_range, kind, members, one_or_more, text};
use super::types::is_identifier;
use super::yaml::{Content, Node};
use crate::graph::Retry;

/// One attempt.
pub(super) fn default_retry() -> Retry {
    let classes = vec![ErrorClass::Transient];
    Retry { attempts: 1, backoff_min_ms: 1_000, backoff_max_ms: 60_000, classes, codes: Vec::new() }
}

/// How attempts are made.
pub(super) fn retry(report: &mut Report, node: &Node) -> Retry {
    let mut retry = default_retry();
    let Some(members) = members(report, node, "retry", &["attempts", "backoff", "errors"], &[]) else { return retry };
    match members.get("attempts") {
        Some(attempts) => {
            let attempts = count(report, attempts, "attempts", (1, 100)).unwrap_or(1);
            retry.attempts = u32::try_from(attempts).unwrap_or(1);
        }
        None => {
            report
                .add("missing_key", members.at, "retry needs attempts, the first included")
                .help("retry: { attempts: 3 }");
        }
    }
    if let Some((min, max)) = members.get("backoff").and_then(|node| duration_range(report, node, "backoff")) {
        (retry.backoff_min_ms, retry.backoff_max_ms) = (min, max);
    }
    let Some(errors) = members.get("errors") else { return retry };
    retry.classes.clear();
    if matches!(errors.content, Content::Map(_)) {
        report.add(
            "wrong_type",
            errors.at,
            format!("errors is a list of classes or codes, not {}", kind(&errors.content)),
        );
        return retry;
    }
    for element in one_or_more(errors) {
        let Some(name) = text(report, element, "errors") else { continue };
        match ErrorClass::from_name(name) {
            Some(class) if class.retryable() => retry.classes.push(class),
            Some(class) => {
                report.add("no_use", element.at, format!("errors of class {class} are never tried again"));
            }
            None if is_identifier(name) => {
                let known = ErrorClass::ALL.iter().filter(|class| class.retryable()).map(|class| class.name());
                if let Some(near) = super::names::nearest(name, known) {
                    let problem = report.add("unknown_word", element.at, format!("there is no class of errors {name}"));
                    problem.help(format!("did you mean {near}?"));
                } else {
                    retry.codes.push(name.to_owned());
                }
            }
            None => {
                report.add("wrong_name", element.at, format!("{name:?} is no class or code of errors"));
            }
        }
    }
    retry
}
