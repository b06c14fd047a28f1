//! `for_each`: a node that runs once for each item of a list.

use serde_json::{Value, json};

use super::code::{expression, expression_of};
use super::problem::Report;
use super::reader::{Members, count, members, text, word};
use super::types::is_identifier;
use super::view::{Declared, View};
use super::yaml::{Content, Node};
use crate::expr::{Expr, Kind};
use crate::graph::{ForEach, OnItemError};

const PARALLEL_MAX: u64 = 100_000;

/// A map as far as it is read: `keep` waits for what the work gives.
pub(super) struct Each {
    map: Option<ForEach>,
    /// The item's name and schema.
    pub(super) item: (String, Value),
    /// Whether items need each other.
    pub(super) after: bool,
    /// Whether the output is an object.
    pub(super) by: bool,
}

/// The map of a node, if it is one.
pub(super) fn for_each(report: &mut Report, node: &Members<'_>, declared: &Declared<'_>) -> Option<Each> {
    let each = node.get("for_each")?;
    let view = View::new(declared, "for_each");
    let (list, name, parts) = match &each.content {
        Content::Map(_) => {
            let parts = members(report, each, "for_each", &["in", "as", "keep", "by", "after"], &[]);
            let list = parts.and_then(|parts| match parts.get("in") {
                Some(list) => expression_of(report, list, "in", &view, Kind::Array),
                None => {
                    report.add("missing_key", parts.at, "for_each needs in: the list").help("in: state.files");
                    None
                }
            });
            let name = match parts.and_then(|parts| parts.get("as")) {
                Some(node) => item_name(report, node),
                None => Some("item".to_owned()),
            };
            (list, name, parts)
        }
        _ => (expression_of(report, each, "for_each", &view, Kind::Array), Some("item".to_owned()), None),
    };
    let item = item_schema(list.as_ref(), &view);
    let item_name = name.clone().unwrap_or_else(|| "item".to_owned());
    let of_item = View::new(declared, "by and after").with_item(&item_name, item.clone());
    let (by, after) = names(report, parts.as_ref(), &of_item);
    let on_item_error =
        node.get("on_item_error").map_or(Some(OnItemError::Fail), |policy| on_item_error(report, policy));
    let max_parallel =
        node.get("max_parallel").and_then(|node| count(report, node, "max_parallel", (1, PARALLEL_MAX))).unwrap_or(16);
    let has = |key: &str| parts.is_some_and(|parts| parts.get(key).is_some());
    let map = (|| {
        Some(ForEach {
            list: list?,
            item_name: name?,
            keep: None,
            on_item_error: on_item_error?,
            max_parallel: u32::try_from(max_parallel).unwrap_or(u32::MAX),
            by: by?,
            after: after?,
        })
    })();
    Some(Each { map, item: (item_name, item), after: has("after"), by: has("by") })
}

fn item_name(report: &mut Report, node: &Node) -> Option<String> {
    let name = text(report, node, "as")?;
    let taken = super::names::SCOPE.contains(&name) && name != "item";
    if taken || !is_identifier(name) || crate::expr::is_type_name(name) {
        report.add("wrong_name", node.at, format!("{name} cannot be the name of an item"));
        return None;
    }
    Some(name.to_owned())
}

fn item_schema(list: Option<&Expr>, view: &View<'_>) -> Value {
    let shape = list.and_then(|list| list.infer(&|path| view.schema_of(path).cloned()).ok());
    let schema = shape.and_then(|shape| shape.schema.get("items").cloned());
    schema.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

/// `by` and `after`; `None` for one that is not sound.
fn names(
    report: &mut Report,
    parts: Option<&Members<'_>>,
    view: &View<'_>,
) -> (Option<Option<Expr>>, Option<Option<Expr>>) {
    let Some(parts) = parts else { return (Some(None), Some(None)) };
    let by = parts.get("by").map(|node| expression_of(report, node, "by", view, Kind::String));
    let after = parts.get("after").map(|node| expression_of(report, node, "after", view, Kind::Array));
    if let (None, Some(entry)) = (&by, parts.entry("after")) {
        report
            .add("missing_key", entry.key_at, "after needs by: the name of each item")
            .help("for_each: { in: …, by: item.id, after: item.needs }");
    }
    let optional = |given: Option<Option<Expr>>| match given {
        Some(given) => given.map(Some),
        None => Some(None),
    };
    (optional(by), optional(after))
}

impl Each {
    /// The map with `keep`, and what the node's output looks like. `view` is that of the
    /// work with its output; `None` where something is wrong.
    pub(super) fn finish(
        self,
        report: &mut Report,
        node: &Members<'_>,
        view: &View<'_>,
        output: Option<&Value>,
    ) -> (Option<ForEach>, Value) {
        let keep = node.get("for_each").and_then(|each| each.get("keep"));
        let (map, element) = match keep {
            Some(keep) => {
                let keep = expression(report, keep, "keep", view);
                let schema = keep.as_ref().map(|(_, shape)| shape.schema.clone());
                let map = self.map.zip(keep).map(|(map, (keep, _))| ForEach { keep: Some(keep), ..map });
                (map, schema)
            }
            None => (self.map, output.cloned()),
        };
        let element = element.unwrap_or_else(|| json!({}));
        let output = if self.by {
            json!({"type": "object", "additionalProperties": element})
        } else {
            json!({"type": "array", "items": element})
        };
        (map, output)
    }
}

fn on_item_error(report: &mut Report, node: &Node) -> Option<OnItemError> {
    if let Content::Map(_) = &node.content {
        let parts = members(report, node, "on_item_error", &["quorum"], &[])?;
        let Some(quorum) = parts.get("quorum") else {
            report.add("missing_key", node.at, "on_item_error needs quorum").help("on_item_error: { quorum: 3 }");
            return None;
        };
        let successes = count(report, quorum, "quorum", (1, PARALLEL_MAX))?;
        return u32::try_from(successes).ok().map(OnItemError::Quorum);
    }
    match word(report, node, "on_item_error", &["fail", "collect"])? {
        "collect" => Some(OnItemError::Collect),
        _ => Some(OnItemError::Fail),
    }
}
