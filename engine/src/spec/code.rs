//! Expressions and templates where they stand in the text: compiled, their names looked
//! up, and what is certain about their types checked.

use serde_json::Value;

use super::problem::{Place, Report};
use super::reader::{is_split, kind, literal};
use super::scalar::{Scalar, scalar};
use super::view::View;
use super::yaml::{Content, Node};
use crate::expr::{Error, Expr, Kind, SecretRef, Shape, Template, article};

/// An expression and what it gives.
pub(super) fn expression(report: &mut Report, node: &Node, what: &str, view: &View<'_>) -> Option<(Expr, Shape)> {
    let text = expression_text(report, node, what)?;
    let compiled = match Expr::compile(text) {
        Ok(compiled) => compiled,
        Err(error) => {
            let problem = report.add("wrong_expression", node.at, format!("{what}: {error}"));
            if matches!(&node.content, Content::Scalar { quoted: false, .. }) && is_split(text) {
                problem.code = "split_expression".to_owned();
                problem.message = format!("YAML splits the expression of {what} at its comma");
                problem.label.clone_from(&problem.message);
                problem.help("put the whole expression in quotes");
            } else if text.contains("{{") {
                problem.help("an expression stands without {{ }}: they belong to templates");
            } else {
                problem.help = error.help;
            }
            return None;
        }
    };
    view.check(report, compiled.paths(), node.at);
    match compiled.infer(&|path| view.schema_of(path).cloned()) {
        Ok(shape) => Some((compiled, shape)),
        Err(mismatch) => {
            report.add("type_mismatch", node.at, mismatch.message).help = mismatch.help;
            None
        }
    }
}

fn expression_text<'n>(report: &mut Report, node: &'n Node, what: &str) -> Option<&'n str> {
    let Content::Scalar { text, quoted } = &node.content else {
        let found = kind(&node.content);
        report
            .add("wrong_type", node.at, format!("{what} is an expression, not {found}"))
            .help("an expression that begins with [ or { stands in quotes");
        return None;
    };
    if !quoted && !matches!(scalar(text), Scalar::Text) {
        let problem =
            report.add("unquoted_expression", node.at, format!("{what} is an expression, not {}", kind(&node.content)));
        if scalar(text) == Scalar::Null && text != "null" {
            problem.help("write an expression, such as output.text");
        } else {
            problem.help(format!("put it in quotes: \"{text}\""));
        }
        return None;
    }
    Some(text)
}

/// An expression of that kind.
pub(super) fn expression_of(
    report: &mut Report,
    node: &Node,
    what: &str,
    view: &View<'_>,
    wanted: Kind,
) -> Option<Expr> {
    let (compiled, Shape { kind, .. }) = expression(report, node, what, view)?;
    if kind != Kind::Any && kind != wanted {
        report.add("type_mismatch", node.at, format!("{what} is {}, not {}", article(wanted), article(kind)));
        return None;
    }
    Some(compiled)
}

/// A template of any shape; what stands under the keys in `literals` is taken as it is.
pub(super) fn template(
    report: &mut Report,
    node: &Node,
    what: &str,
    view: &View<'_>,
    secrets: bool,
) -> Option<Template> {
    let mut leaves = Vec::new();
    gather(node, &mut leaves);
    let mut sound = true;
    for (text, at) in leaves {
        sound &= leaf(report, text, at, what, view, secrets);
    }
    let source = literal(report, node)?;
    if !sound {
        return None;
    }
    compile(report, &source, &[], node.at, what)
}

/// Compiles a tree whose leaves were checked.
pub(super) fn compile(
    report: &mut Report,
    source: &Value,
    literals: &[&str],
    at: Place,
    what: &str,
) -> Option<Template> {
    Template::compile_beside(source, literals).map_err(|error| wrong_template(report, at, what, error)).ok()
}

/// Checks one string; whether it is a template.
fn leaf(report: &mut Report, text: &str, at: Place, what: &str, view: &View<'_>, secrets: bool) -> bool {
    match Template::compile(&Value::String(text.to_owned())) {
        Ok(compiled) => {
            view.check(report, compiled.paths(), at);
            if let (false, Some(SecretRef { name, .. })) = (secrets, compiled.secrets().first()) {
                report
                    .add("not_visible", at, format!("secret.{name} is not visible in {}", view.place))
                    .help("secrets stand in the arguments of tools only");
            }
            true
        }
        Err(error) => {
            wrong_template(report, at, what, error);
            false
        }
    }
}

fn wrong_template(report: &mut Report, at: Place, what: &str, error: Error) {
    report.add("wrong_template", at, format!("{what}: {}", error.message)).help = error.help;
}

/// Reports an expression that sees more than these names.
pub(super) fn only_of(report: &mut Report, node: &Node, what: &str, names: &[&str], place: &str) {
    let Some(text) = expression_text(report, node, what) else { return };
    match Expr::compile(text) {
        Ok(compiled) => {
            for root in compiled.roots().iter().filter(|root| !names.contains(root)) {
                report
                    .add("not_visible", node.at, format!("{root} is not visible in {place}"))
                    .help(format!("visible are {}", names.join(", ")));
            }
        }
        Err(error) => {
            report.add("wrong_expression", node.at, format!("{what}: {}", error.message)).help = error.help;
        }
    }
}

fn gather<'n>(node: &'n Node, leaves: &mut Vec<(&'n str, Place)>) {
    match &node.content {
        Content::Scalar { text, .. } => leaves.push((text, node.at)),
        Content::List(elements) => elements.iter().for_each(|element| gather(element, leaves)),
        Content::Map(entries) => entries.iter().for_each(|entry| gather(&entry.value, leaves)),
    }
}
