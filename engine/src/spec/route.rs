//! `then` and `on_error`: a name, names in parallel, or a list of arms.

use baton_common::NodePath;

use super::code::{expression_of, template};
use super::problem::Report;
use super::reader::{kind, members, one_or_more, text};
use super::view::View;
use super::yaml::{Content, Node};
use crate::expr::Kind;
use crate::graph::{Arm, Route, Target};

/// The word that ends a branch.
pub(super) const END: &str = "end";

/// A route; what of it is wrong is reported and left out.
pub(super) fn route(report: &mut Report, node: &Node, key: &str, names: &[String], view: &View<'_>) -> Option<Route> {
    match &node.content {
        Content::Map(_) => {
            report
                .add("wrong_type", node.at, format!("{key} is a name, a list of names or a list of arms, not one arm"))
                .help("put the arm in a list: [ { when: …, to: … } ]");
            None
        }
        Content::List(elements) if elements.is_empty() => {
            report.add("no_then", node.at, format!("{key} is empty")).help("write end where a branch ends");
            None
        }
        Content::List(elements) if elements.iter().any(|element| matches!(element.content, Content::Map(_))) => {
            arms(report, elements, key, names, view)
        }
        _ => {
            let target = targets(report, node, key, names)?;
            Some(Route { arms: vec![Arm { when: None, target: Target::Nodes(target), code: None }] })
        }
    }
}

fn arms(report: &mut Report, elements: &[Node], key: &str, names: &[String], view: &View<'_>) -> Option<Route> {
    let mut arms = Vec::new();
    let mut sound = true;
    for (index, element) in elements.iter().enumerate() {
        if !matches!(element.content, Content::Map(_)) {
            let found = kind(&element.content);
            report
                .add("wrong_type", element.at, format!("{key} mixes arms and {found}"))
                .help("write { to: NAME } for an arm without a condition");
            sound = false;
            continue;
        }
        let arm = arm(report, element, key, names, view);
        let always = arm.as_ref().is_some_and(|arm| arm.when.is_none());
        if always && let Some(next) = elements.get(index + 1) {
            report
                .add(
                    "unreachable_arm",
                    next.at,
                    format!("this arm of {key} is never reached: the one before it has no when"),
                )
                .help("the arm without when comes last");
        }
        sound &= arm.is_some();
        arms.extend(arm);
    }
    sound.then_some(Route { arms })
}

fn arm(report: &mut Report, node: &Node, key: &str, names: &[String], view: &View<'_>) -> Option<Arm> {
    let members = members(report, node, &format!("an arm of {key}"), &["when", "to", "fail", "code"], &[])?;
    let when = match members.get("when") {
        Some(when) => Some(expression_of(report, when, "when", view, Kind::Boolean)?),
        None => None,
    };
    let target = match (members.get("to"), members.get("fail")) {
        (Some(to), None) => Target::Nodes(targets(report, to, "to", names)?),
        (None, Some(message)) => {
            text(report, message, "fail")?;
            Target::Fail(template(report, message, "fail", view, false)?)
        }
        (Some(_), Some(_)) => {
            report.add("wrong_arm", members.place("fail"), "an arm has to or fail, not both");
            return None;
        }
        (None, None) => {
            report
                .add("wrong_arm", node.at, "an arm needs to or fail")
                .help("{ when: …, to: NAME } or { when: …, fail: \"…\" }");
            return None;
        }
    };
    let code = match members.get("code") {
        Some(node) => Some(failure_code(report, node, &target)?),
        None => None,
    };
    Some(Arm { when, target, code })
}

/// The code of a failure of one's own.
fn failure_code(report: &mut Report, node: &Node, target: &Target) -> Option<String> {
    if !matches!(target, Target::Fail(_)) {
        report.add("wrong_arm", node.at, "code goes with fail").help("{ fail: \"…\", code: too_late }");
        return None;
    }
    let code = text(report, node, "code")?;
    let fits = code.starts_with(|mark: char| mark.is_ascii_lowercase())
        && code.len() <= 64
        && code.chars().all(|mark| mark.is_ascii_lowercase() || mark.is_ascii_digit() || mark == '_');
    if !fits {
        report
            .add("wrong_name", node.at, format!("{code:?} is no code of a failure"))
            .help("codes are made of small letters, digits and _: too_late");
        return None;
    }
    Some(code.to_owned())
}

/// A name or several; empty for `end`.
pub(super) fn targets(report: &mut Report, node: &Node, key: &str, names: &[String]) -> Option<Vec<NodePath>> {
    let elements = one_or_more(node);
    if elements.is_empty() {
        report.add("no_then", node.at, format!("{key} is empty")).help("write end where a branch ends");
        return None;
    }
    let mut targets: Vec<NodePath> = Vec::new();
    let mut sound = true;
    for element in elements {
        let Some(name) = text(report, element, &format!("{key}: the name of a node")) else {
            sound = false;
            continue;
        };
        if name == END {
            if elements.len() > 1 {
                report.add("wrong_target", element.at, "end stands alone").help("leave it out of the list");
                sound = false;
            }
        } else if !names.iter().any(|known| known == name) {
            let known = names.iter().map(String::as_str).chain([END]);
            report.add("unknown_node", element.at, format!("there is no node {name}")).suggest(name, known);
            sound = false;
        } else if targets.iter().any(|known| known.as_str() == name) {
            report.add("wrong_target", element.at, format!("{name} stands here twice"));
            sound = false;
        } else {
            targets.extend(NodePath::parse(name));
        }
    }
    sound.then_some(targets)
}
