//! `ask`: a question to a person, as an approval of a value or as fields to fill in.

use serde_json::{Value, json};

use super::call;
use super::code::{expression, template};
use super::problem::Report;
use super::reader::{Members, duration, kind, members, text, word};
use super::types::{fields, json_schema, object};
use super::view::{View, closed};
use super::yaml::{Content, Node};
use crate::expr::Expr;
use crate::graph::{Ask, AskForm, ToolCall};

const ACTIONS: [&str; 4] = ["approve", "edit", "reject", "respond"];
const KEYS: [&str; 8] = ["title", "show", "edit", "allow", "fields", "schema", "expires", "via"];

/// The question and what its answer looks like.
pub(super) fn ask(report: &mut Report, node: &Node, view: &View<'_>) -> (Option<Ask>, Value) {
    let Some(members) = members(report, node, "ask", &KEYS, &[]) else { return (None, json!({})) };
    let title = match members.get("title") {
        Some(title) => text(report, title, "title").and_then(|_| template(report, title, "title", view, false)),
        None => {
            report.add("missing_key", members.at, "ask needs a title").help("title: \"Publish {{ input.issue }}?\"");
            None
        }
    };
    let show = members.get("show").map_or(Some(Vec::new()), |node| show(report, node, view));
    let expires_ms = members.get("expires").and_then(|node| duration(report, node, "expires"));
    let via = members.get("via").map(|node| via(report, node, view));
    let (form, output) = form(report, &members, view);
    let sound = via.as_ref().is_none_or(Option::is_some);
    let via = via.flatten();
    let question = title.zip(show).zip(form).filter(|_| sound);
    (question.map(|((title, show), form)| Ask { title, show, form, expires_ms, via }), output)
}

/// The call that tells people of the question: it sees what the question sees, and `ask`.
fn via(report: &mut Report, node: &Node, view: &View<'_>) -> Option<ToolCall> {
    let text = || json!({"type": "string"});
    let until = json!({"type": ["string", "null"]});
    let asked = [("id", text()), ("run", text()), ("path", text()), ("title", text()), ("expires_at", until)];
    call::told(report, node, &view.at("via of an ask").with("ask", closed(asked)))
}

fn show(report: &mut Report, node: &Node, view: &View<'_>) -> Option<Vec<(String, Expr)>> {
    let Content::List(elements) = &node.content else {
        report
            .add("wrong_type", node.at, format!("show is a list of expressions, not {}", kind(&node.content)))
            .help("show: [input.text, state.policy]");
        return None;
    };
    let shown: Vec<_> = elements
        .iter()
        .map(|element| expression(report, element, "show", view).map(|(shown, _)| (shown.text().to_owned(), shown)))
        .collect();
    shown.into_iter().collect()
}

fn form(report: &mut Report, members: &Members<'_>, view: &View<'_>) -> (Option<AskForm>, Value) {
    let given: Vec<&str> = ["edit", "fields", "schema"].into_iter().filter(|key| members.get(key).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        report
            .add("two_forms", members.place(second), format!("ask has {first} or {second}, not both"))
            .help("edit asks for an approval, fields or schema for values");
        return (None, json!({}));
    }
    if let Some(edit) = members.get("edit") {
        let allow = allowed(report, members);
        let edit = expression(report, edit, "edit", view);
        let schema = edit.as_ref().map_or_else(|| json!({}), |(_, shape)| shape.schema.clone());
        let text = || json!({"type": "string"});
        let comment = json!({"type": ["string", "null"]});
        let action = json!({"type": "string", "enum": allow});
        let output = closed([("action", action), ("value", schema.clone()), ("comment", comment), ("by", text())]);
        let form = edit.zip(allow).map(|((edit, _), allow)| AskForm::Approval { edit, allow, schema });
        return (form, output);
    }
    if members.get("allow").is_some() {
        report
            .add("missing_key", members.place("allow"), "allow needs edit: the value that is to be approved")
            .help("edit: state.draft");
        return (None, json!({}));
    }
    let schema = match (members.get("fields"), members.get("schema")) {
        (Some(node), _) => Some(object(&fields(report, node, "fields", &[]))),
        (None, Some(node)) => json_schema(report, node, "schema"),
        (None, None) => Some(json!({})),
    };
    let output = schema.clone().unwrap_or_else(|| json!({}));
    (schema.map(AskForm::Schema), output)
}

/// The actions that are allowed: all but `respond` unless it says so.
pub(super) fn allowed(report: &mut Report, members: &Members<'_>) -> Option<Vec<String>> {
    let Some(node) = members.get("allow") else {
        return Some(ACTIONS[..3].iter().map(|action| (*action).to_owned()).collect());
    };
    let Content::List(elements) = &node.content else {
        report.add("wrong_type", node.at, "allow is a list of actions").help("allow: [approve, edit, reject]");
        return None;
    };
    if elements.is_empty() {
        report.add("missing_key", node.at, "allow is empty").help("allow: [approve, edit, reject]");
    }
    let actions: Vec<_> = elements.iter().map(|element| word(report, element, "allow", &ACTIONS)).collect();
    actions.into_iter().map(|action| action.map(str::to_owned)).collect()
}
