//! Expressions (CEL) and templates (MiniJinja), compiled once and evaluated on the paths
//! they refer to.
//!
//! Which names are visible where is `spec`'s to say; here every name is a path that either
//! leads somewhere in the [`Scope`] or does not.

mod bind;
mod budget;
mod cost;
mod expression;
mod infer;
mod jinja;
mod lexer;
mod members;
mod paths;
mod quick;
mod resolve;
pub(crate) mod schema;
mod shape;
mod template;
mod text;

pub use expression::Expr;
pub(crate) use infer::article;
pub use infer::{Kind, Mismatch};
pub use members::Members;
pub use paths::{Path, Paths};
pub use shape::Shape;
pub use template::{SecretRef, Template};

use serde_json::Value;

/// Longest text of an expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 2 * 1024;
/// Longest text of a template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// Longest text a template may render to, in bytes.
pub const RENDERED_BYTES_MAX: usize = 1024 * 1024;

/// The largest value an expression may give, in bytes of its texts and some for each value.
pub const RESULT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a name in an expression stands for. Absent members are not visible there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// The run's input.
    pub input: Option<&'a Value>,
    /// The channels as one object, unset ones at their defaults.
    pub state: Option<&'a Members<'a>>,
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
    /// In the work of a map with `after`: what the items it needs kept, by their names.
    pub deps: Option<&'a Value>,
    /// In `match` of a wait: the signal's value.
    pub event: Option<&'a Value>,
    /// In `when` of an `approve`: the arguments of the call.
    pub args: Option<&'a Value>,
    /// In `via` of a question: `{id, run, path, title, expires_at}`.
    pub ask: Option<&'a Value>,
}

/// Whether CEL has a type of that name.
pub(crate) fn is_type_name(name: &str) -> bool {
    cost::TYPE_NAMES.contains(&name)
}

impl<'a> Scope<'a> {
    /// What a top-level name stands for.
    fn get(&self, name: &str) -> Option<Named<'a>> {
        if let Some((item, value)) = self.item
            && item == name
        {
            return Some(Named::Value(value));
        }
        let value = match name {
            "state" => return self.state.map(Named::State),
            "input" => self.input,
            "output" => self.output,
            "errors" => self.errors,
            "error" => self.error,
            "run" => self.run,
            "deps" => self.deps,
            "event" => self.event,
            "args" => self.args,
            "ask" => self.ask,
            _ => None,
        };
        value.map(Named::Value)
    }
}

/// What a top-level name stands for.
#[derive(Debug, Clone, Copy)]
enum Named<'a> {
    /// A value.
    Value(&'a Value),
    /// The channels.
    State(&'a Members<'a>),
}

/// Why a text is no expression or template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong, as a phrase.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
