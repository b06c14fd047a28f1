//! Expressions (CEL) and templates (MiniJinja), compiled once and evaluated on the paths
//! they refer to.

use baton_common::Failure;
use serde_json::Value;

/// What a name in an expression stands for. Absent members are not visible there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// The run's input.
    pub input: Option<&'a Value>,
    /// The channels as one object, unset ones at their defaults.
    pub state: Option<&'a Value>,
    /// The node's own output.
    pub output: Option<&'a Value>,
    /// The item's name and value.
    pub item: Option<(&'a str, &'a Value)>,
    /// Of a map: `[{index, key, item, error}]`.
    pub errors: Option<&'a Value>,
    /// In `on_error`: `{code, message, node}`.
    pub error: Option<&'a Value>,
    /// `{id, thread, request_id, graph}`.
    pub run: Option<&'a Value>,
}

/// A compiled CEL expression.
#[derive(Debug, Clone)]
pub struct Expr {
    text: String,
}

/// A compiled template: a tree whose leaves are literals or text with placeholders.
#[derive(Debug, Clone)]
pub struct Template {
    source: Value,
}

impl Expr {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value in the scope. Failures are of class `invalid`, code `expression_failed`.
    ///
    /// # Errors
    /// When a name is missing or a type does not fit.
    pub fn eval(&self, _scope: &Scope<'_>) -> Result<Value, Failure> {
        Err(Failure::invalid("expression_failed", "not compiled"))
    }
}

impl Template {
    /// The tree it was made from.
    #[must_use]
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Its value in the scope; `{{ secret.NAME }}` stays as it is. Failures are of class
    /// `invalid`, code `template_failed`.
    ///
    /// # Errors
    /// When a name is missing or a cap is exceeded.
    pub fn render(&self, _scope: &Scope<'_>) -> Result<Value, Failure> {
        Err(Failure::invalid("template_failed", "not compiled"))
    }
}
