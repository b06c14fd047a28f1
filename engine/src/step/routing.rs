//! Which way a branch goes: arms in order, the first whose condition holds.
//!
//! What follows from no match is the caller's: `then` and `on_error` differ in that.

use baton_common::{Failure, NodePath, canonical_json};
use serde_json::Value;

use crate::expr::{Scope, Template};
use crate::graph::{Route, Target};

/// What a route says.
#[derive(Debug, PartialEq)]
pub(super) enum Way<'a> {
    /// These nodes; none: the branch ends.
    Nodes(&'a [NodePath]),
    /// No arm's condition holds.
    Unmatched,
}

/// Follows a route.
///
/// # Errors
/// `failed`, or a code of its own, from a `fail` arm, and what goes wrong in a condition or message.
pub(super) fn follow<'a>(route: &'a Route, scope: &Scope<'_>) -> Result<Way<'a>, Failure> {
    for arm in &route.arms {
        let holds = match &arm.when {
            None => true,
            Some(when) => match when.holds(scope)? {
                Ok(holds) => holds,
                Err(other) => {
                    let why = format!("`when: {}` gives {}, not true or false", when.text(), canonical_json(&other));
                    return Err(Failure::invalid("expression_failed", why));
                }
            },
        };
        if holds {
            return match &arm.target {
                Target::Nodes(nodes) => Ok(Way::Nodes(nodes)),
                Target::Fail(message) => {
                    let code = arm.code.as_deref().unwrap_or("failed");
                    Err(Failure::permanent(code, text(message, scope)?))
                }
            };
        }
    }
    Ok(Way::Unmatched)
}

/// A template's value as text: null as empty, all else that is no text as canonical JSON.
///
/// # Errors
/// When it does not render.
pub(super) fn text(template: &Template, scope: &Scope<'_>) -> Result<String, Failure> {
    Ok(match template.render(scope)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => canonical_json(&other),
    })
}
