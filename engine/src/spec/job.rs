//! What may stand beside a job: `poll`, `cache`, `approve`, `undo`.

use serde_json::{Value, json};

use super::ask::allowed;
use super::call;
use super::code::{expression_of, template};
use super::problem::Report;
use super::reader::{Members, duration, duration_range, members, text};
use super::view::View;
use super::yaml::Node;
use crate::expr::{Expr, Kind};
use crate::graph::{Approve, Cache, Poll, ToolCall};

/// The pauses of a poll unless it says otherwise, in milliseconds.
const EVERY_MS: (u64, u64) = (30_000, 600_000);

/// What stands beside a job; `None` in it where something is wrong.
pub(super) struct Beside {
    pub(super) poll: Option<Option<Poll>>,
    pub(super) cache: Option<Option<Cache>>,
    pub(super) approve: Option<Option<Approve>>,
    pub(super) undo: Option<Option<ToolCall>>,
}

impl Beside {
    /// Reads them. `view` is that of the work, `output` what the work gives, `args` what the
    /// call takes.
    pub(super) fn read(
        report: &mut Report,
        node: &Members<'_>,
        view: &View<'_>,
        (output, args): (Option<&Value>, Option<&Value>),
    ) -> Self {
        if node.get("agent").is_some() {
            // What was wrong with it was said.
            return Self { poll: None, cache: None, approve: None, undo: None };
        }
        let schema = |schema: Option<&Value>| schema.cloned().unwrap_or_else(|| json!({}));
        let of_output = view.clone().with("output", schema(output));
        let of_args = view.at("when of an approve").with("args", schema(args));
        Self {
            poll: node.get("poll").map(|node| poll(report, node, &of_output.at_once().at("until"))),
            cache: node.get("cache").map(|node| cache(report, node, &view.at_once().at("a key"))),
            approve: node.get("approve").map(|node| approve(report, node, &of_args.at_once())),
            undo: node.get("undo").map(|node| undo(report, node, &of_output.at("undo"))),
        }
    }
}

fn poll(report: &mut Report, node: &Node, view: &View<'_>) -> Option<Poll> {
    let members = members(report, node, "poll", &["until", "every"], &[])?;
    let until = match members.get("until") {
        Some(until) => expression_of(report, until, "until", view, Kind::Boolean),
        None => {
            report.add("missing_key", members.at, "poll needs until").help("until: output.status == 'done'");
            None
        }
    };
    let every = members.get("every").map_or(Some(EVERY_MS), |node| duration_range(report, node, "every"));
    let (until, (every_min_ms, every_max_ms)) = until.zip(every)?;
    Some(Poll { until, every_min_ms, every_max_ms })
}

fn cache(report: &mut Report, node: &Node, view: &View<'_>) -> Option<Cache> {
    let members = members(report, node, "cache", &["key", "ttl"], &[])?;
    for (key, example) in [("key", "key: \"{{ input.query }}\""), ("ttl", "ttl: 1h")] {
        if members.get(key).is_none() {
            report.add("missing_key", members.at, format!("cache needs {key}")).help(example);
        }
    }
    let key = members.get("key").and_then(|node| {
        text(report, node, "the key of a cache")?;
        template(report, node, "key", view, false)
    });
    let ttl_ms = members.get("ttl").and_then(|node| duration(report, node, "ttl"));
    let (key, ttl_ms) = key.zip(ttl_ms)?;
    Some(Cache { key, ttl_ms })
}

fn approve(report: &mut Report, node: &Node, view: &View<'_>) -> Option<Approve> {
    let members = members(report, node, "approve", &["when", "allow"], &[])?;
    let when = match members.get("when") {
        Some(when) => expression_of(report, when, "when", view, Kind::Boolean),
        None => Expr::compile("true").ok(),
    };
    let mut allow = allowed(report, &members)?;
    // Whoever is asked may always let the call pass.
    if !allow.iter().any(|action| action == "approve") {
        allow.insert(0, "approve".to_owned());
    }
    Some(Approve { when: when?, allow })
}

fn undo(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let members = members(report, node, "undo", &["tool"], &[])?;
    match members.get("tool") {
        Some(tool) => call::tool(report, tool, view),
        None => {
            report
                .add("missing_key", members.at, "undo needs a tool")
                .help("undo: { tool: { name: …, args: { id: \"{{ output.id }}\" } } }");
            None
        }
    }
}
