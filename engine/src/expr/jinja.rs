//! The MiniJinja environment of templates that are more than text with plain paths: nothing
//! is in it but the filters and tests listed in `lexer`, and none of them multiplies text.

use std::io;
use std::sync::OnceLock;

use baton_common::canonical_json;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, filters, tests};

use super::paths::Paths;
use super::resolve::write_text;
use super::{RENDERED_BYTES_MAX, Scope};

const FUEL: u64 = 200_000;

/// The names a template refers to, as `state.notes`.
pub(super) fn variables(source: &str) -> Result<Vec<String>, String> {
    let template = environment().template_from_str(source).map_err(|error| phrase(&error))?;
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    names.sort();
    Ok(names)
}

/// The names an expression refers to.
pub(super) fn expression_variables(source: &str) -> Result<Vec<String>, String> {
    let expression = environment().compile_expression(source).map_err(|error| phrase(&error))?;
    let mut names: Vec<String> = expression.undeclared_variables(true).into_iter().collect();
    names.sort();
    Ok(names)
}

/// The text a template renders to.
pub(super) fn render(source: &str, paths: &Paths, scope: &Scope<'_>) -> Result<String, String> {
    let template = environment().template_from_str(source).map_err(|error| phrase(&error))?;
    let mut text = Capped::default();
    template.render_captured_to(context(paths, scope)?, &mut text).map_err(|error| phrase(&error))?;
    String::from_utf8(text.bytes).map_err(|_| "the text is not UTF-8".to_owned())
}

/// The value of an expression.
pub(super) fn evaluate(source: &str, paths: &Paths, scope: &Scope<'_>) -> Result<serde_json::Value, String> {
    let expression = environment().compile_expression(source).map_err(|error| phrase(&error))?;
    let value = expression.eval(context(paths, scope)?).map_err(|error| phrase(&error))?;
    to_json(&value)
}

fn context(paths: &Paths, scope: &Scope<'_>) -> Result<Value, String> {
    let mut members: Vec<(&str, Value)> = Vec::new();
    for (name, need) in paths.needs() {
        let value = scope.get(name).ok_or_else(|| format!("{name} is not known here"))?;
        members.push((name, Value::from(Serde(need.part_of(value)))));
    }
    Ok(Value::from_pairs(members))
}

fn to_json(value: &Value) -> Result<serde_json::Value, String> {
    if value.is_undefined() {
        return Ok(serde_json::Value::Null);
    }
    serde_json::to_value(value).map_err(|_| "the result is no JSON value".to_owned())
}

/// What went wrong, without values.
fn phrase(error: &Error) -> String {
    let kind = error.kind().to_string();
    match (error.kind(), error.detail()) {
        (ErrorKind::SyntaxError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest, Some(detail)) => {
            format!("{kind}: {detail}")
        }
        (ErrorKind::WriteFailure, _) => format!("the text is longer than {RENDERED_BYTES_MAX} bytes"),
        (ErrorKind::InvalidOperation, Some(detail)) if detail.starts_with("longer than") => detail.to_owned(),
        (ErrorKind::OutOfFuel, _) => "the template takes too many steps".to_owned(),
        _ => kind,
    }
}

#[derive(Default)]
struct Capped {
    bytes: Vec<u8>,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            env.set_syntax(syntax);
        }
        env.set_formatter(format_value);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(64);
        add_filters(&mut env);
        add_tests(&mut env);
        env
    })
}

fn add_filters(env: &mut Environment<'static>) {
    env.add_filter("abs", filters::abs);
    env.add_filter("default", filters::default);
    env.add_filter("first", filters::first);
    env.add_filter("float", filters::float);
    env.add_filter("int", filters::int);
    env.add_filter("items", filters::items);
    env.add_filter("join", join);
    env.add_filter("last", filters::last);
    env.add_filter("length", filters::length);
    env.add_filter("lower", filters::lower);
    env.add_filter("max", filters::max);
    env.add_filter("min", filters::min);
    env.add_filter("replace", replace);
    env.add_filter("reverse", filters::reverse);
    env.add_filter("round", filters::round);
    env.add_filter("sort", filters::sort);
    env.add_filter("tojson", tojson);
    env.add_filter("trim", filters::trim);
    env.add_filter("unique", filters::unique);
    env.add_filter("upper", filters::upper);
}

fn add_tests(env: &mut Environment<'static>) {
    env.add_test("boolean", tests::is_boolean);
    env.add_test("defined", tests::is_defined);
    env.add_test("even", tests::is_even);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("none", tests::is_none);
    env.add_test("number", tests::is_number);
    env.add_test("odd", tests::is_odd);
    env.add_test("string", tests::is_string);
    env.add_test("undefined", tests::is_undefined);
}

fn format_value(out: &mut Output, _state: &mut State, value: &Value) -> Result<(), Error> {
    out.write_str(&text_of(value)?).map_err(Error::from)
}

/// A value as templates write it.
fn text_of(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let json = to_json(value).map_err(|why| Error::new(ErrorKind::BadSerialization, why))?;
    let mut text = String::new();
    write_text(&json, &mut text);
    Ok(text)
}

fn tojson(value: &Value) -> Result<String, Error> {
    to_json(value).map(|json| canonical_json(&json)).map_err(|why| Error::new(ErrorKind::BadSerialization, why))
}

fn join(list: Value, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut text = String::new();
    if list.is_undefined() || list.is_none() {
        return Ok(text);
    }
    for (index, element) in list.try_iter()?.enumerate() {
        if index > 0 {
            text.push_str(&between);
        }
        text.push_str(&text_of(&element)?);
        check_length(text.len())?;
    }
    Ok(text)
}

fn replace(text: Value, from: String, to: String) -> Result<String, Error> {
    let text = text_of(&text)?;
    if from.is_empty() {
        return Ok(text);
    }
    let found = text.matches(&from).count();
    check_length(text.len().saturating_add(found.saturating_mul(to.len())))?;
    Ok(text.replace(&from, &to))
}

fn check_length(bytes: usize) -> Result<(), Error> {
    if bytes > RENDERED_BYTES_MAX {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("longer than {RENDERED_BYTES_MAX} bytes")));
    }
    Ok(())
}
