//! A compiled CEL expression.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use baton_common::Failure;
use cel::common::ast::{Expr as Ast, IdedExpr, operators};
use cel::common::types::{CelList, CelMap, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, Value as CelValue};
use serde_json::Value;

use super::cost::{ADDEND, ORDERED, SEARCHED, Walk, path_of};
use super::infer::Mismatch;
use super::quick::Quick;
use super::shape::{Names, Shape};
use super::{EXPRESSION_BYTES_MAX, Error, Path, Paths, Scope, bind, budget};

/// A compiled CEL expression. Cloning it is cheap; two are equal when their texts are.
#[derive(Clone)]
pub struct Expr {
    text: Arc<str>,
    program: Arc<Program>,
}

struct Program {
    ast: IdedExpr,
    paths: Paths,
    /// The same, where it needs no interpreter.
    quick: Option<Quick>,
}

impl Expr {
    /// Compiles a text of at most [`EXPRESSION_BYTES_MAX`] bytes. Names are not looked up:
    /// see [`Expr::paths`].
    ///
    /// # Errors
    /// When the text is no expression, or one that could run for too long.
    pub fn compile(text: &str) -> Result<Self, Error> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(Error::new(format!("the expression is longer than {EXPRESSION_BYTES_MAX} bytes")));
        }
        if text.trim().is_empty() {
            return Err(Error::new("the expression is empty"));
        }
        check_nesting(text)?;
        let parser = environment().parser().max_recursion_depth(32);
        let mut ast = parser.parse(text).map_err(|errors| parse_error(&errors))?;
        let mut walk = Walk::default();
        walk.expression(&mut ast, 0)?;
        let quick = Quick::of(&ast);
        Ok(Self { text: Arc::from(text), program: Arc::new(Program { ast, paths: walk.paths, quick }) })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it refers to.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.program.paths
    }

    /// The top-level names it refers to.
    #[must_use]
    pub fn roots(&self) -> std::collections::BTreeSet<&str> {
        self.paths().roots()
    }

    /// The path it is and nothing else, as `state.draft`.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        match &self.program.ast.expr {
            Ast::Select(select) if select.test => None,
            whole => path_of(whole),
        }
    }

    /// As [`Expr::path`], without looking for it.
    pub(crate) fn pointed(&self) -> Option<&Path> {
        match &self.program.quick {
            Some(Quick::Path(path)) => Some(path),
            _ => None,
        }
    }

    /// What it gives as far as it is certain, given the schemas of paths.
    ///
    /// # Errors
    /// The first operation that fails whatever the values are.
    pub fn infer(&self, schema_of: &dyn Fn(&Path) -> Option<Value>) -> Result<Shape, Mismatch> {
        Names::new(schema_of).infer(&self.program.ast)
    }

    /// Its value in the scope. Failures are of class `invalid`, code `expression_failed`.
    ///
    /// # Errors
    /// When a name is missing or a type does not fit.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        self.view(scope).map(Cow::into_owned)
    }

    /// As [`Expr::eval`], without a copy of what it merely points at.
    ///
    /// # Errors
    /// As for [`Expr::eval`].
    pub fn view<'a>(&'a self, scope: &Scope<'a>) -> Result<Cow<'a, Value>, Failure> {
        let quick = self.program.quick.as_ref().filter(|_| self.knows_all(scope));
        match quick.and_then(|quick| quick.value(scope)) {
            Some(value) => Ok(value),
            None => self.interpret(scope).map(Cow::Owned),
        }
    }

    /// Its value as a condition.
    ///
    /// # Errors
    /// As for [`Expr::eval`]; the value, where it is neither true nor false.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<Result<bool, Value>, Failure> {
        let quick = self.program.quick.as_ref().filter(|_| self.knows_all(scope));
        match quick.and_then(|quick| quick.truth(scope)) {
            Some(holds) => Ok(Ok(holds)),
            None => self.interpret(scope).map(|value| value.as_bool().ok_or(value)),
        }
    }

    /// Its value without and with the interpreter.
    #[cfg(test)]
    pub(super) fn both(&self, scope: &Scope<'_>) -> (Option<Value>, Result<Value, Failure>) {
        let quick = self.program.quick.as_ref().filter(|_| self.knows_all(scope));
        (quick.and_then(|quick| quick.value(scope)).map(Cow::into_owned), self.interpret(scope))
    }

    /// Whether every name it refers to is known, be it needed or not.
    fn knows_all(&self, scope: &Scope<'_>) -> bool {
        self.program.paths.needs().all(|(name, _)| scope.get(name).is_some())
    }

    fn interpret(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        let failed = |why: String| Failure::invalid("expression_failed", format!("{}: {why}", self.text));
        let mut context = Context::with_env(Arc::clone(environment()));
        for (name, need) in self.program.paths.needs() {
            let value = scope.get(name).ok_or_else(|| failed(format!("{name} is not known here")))?;
            context.add_variable_as_val(name, bind::to_cel(value, need));
        }
        let evaluated = budget::within(self.text.len(), || CelValue::resolve_val(&self.program.ast, &context));
        let value = evaluated.map_err(|error| failed(phrase(&error)))?;
        bind::to_json(value.as_ref()).map_err(failed)
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expr({:?})", self.text)
    }
}

/// The standard library without optional values, [`ORDERED`], [`ADDEND`] and [`SEARCHED`].
fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Env::stdlib().with_optional_support(false);
        // Their names cannot be taken: no text can spell them.
        let ordered = env.add_overload(ORDERED, "ordered_dyn", vec![DYN_TYPE], ordered);
        let addend = env.add_overload(ADDEND, "addend_dyn", vec![DYN_TYPE], addend);
        let searched = env.add_overload(SEARCHED, "searched_dyn", vec![DYN_TYPE], searched);
        debug_assert!(ordered.is_ok() && addend.is_ok() && searched.is_ok());
        Arc::new(env)
    })
}

/// The keys of a map in order; any other value as it is.
fn ordered<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let range = arguments.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    let map = range.downcast_ref::<CelMap>();
    let list = range.downcast_ref::<CelList>().map(|list| list.inner().len());
    if !budget::turns(list.or_else(|| map.map(|map| map.inner().len())).unwrap_or(0)) {
        return Err(ExecutionError::function_error(ORDERED, "too many steps"));
    }
    let Some(map) = map else { return Ok(range) };
    let mut keys: Vec<_> = map.inner().keys().collect();
    keys.sort();
    let keys: Vec<Box<dyn Val + 'v>> = keys.into_iter().map(|key| key.inner().clone_as_boxed()).collect();
    Ok(CowVal::owned(CelList::from(keys)))
}

/// Anything but a map, as long as there is not too much of it.
fn addend<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    if value.downcast_ref::<CelMap>().is_some() {
        return Err(ExecutionError::function_error(operators::ADD, "a map"));
    }
    let text = value.downcast_ref::<CelString>().map(|text| budget::text(text.inner().len()));
    let list = value.downcast_ref::<CelList>().map(|list| budget::list(list.inner().len()));
    match text.or(list) {
        Some(false) => Err(ExecutionError::function_error(ORDERED, "too many steps")),
        _ => Ok(value),
    }
}

/// Anything, as long as there are not too many searches.
fn searched<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    if budget::search() { Ok(value) } else { Err(ExecutionError::function_error(ORDERED, "too many steps")) }
}

/// Refuses what the parser would need a deep stack for.
fn check_nesting(text: &str) -> Result<(), Error> {
    let (mut depth, mut deepest, mut prefixes) = (0_usize, 0_usize, 0_usize);
    for mark in text.chars() {
        match mark {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '?' => prefixes += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > 24 || prefixes > 64 {
        return Err(Error::new("the expression is nested too deeply").help("save a part of it in a channel first"));
    }
    Ok(())
}

fn parse_error(errors: &cel::ParseErrors) -> Error {
    let (message, place) = errors.errors.first().map_or(("", 0), |error| (error.msg.as_str(), error.pos.1.max(0)));
    let message = message.lines().next().unwrap_or_default().trim_start_matches("Syntax error: ");
    let message = message.split(" expecting ").next().unwrap_or_default();
    if message.contains("<EOF>") {
        return Error::new("the expression breaks off");
    }
    let found = message.split_once('\'').and_then(|(_, rest)| rest.rsplit_once('\'')).map(|(found, _)| found.trim());
    let error = match found {
        Some(found) => Error::new(format!("{found} does not belong at character {}", place + 1)),
        None => Error::new(format!("no expression: {message}")),
    };
    match found {
        Some("=") => error.help("== compares"),
        Some("&" | "|") => error.help("write && and ||"),
        _ => error,
    }
}

/// What went wrong, without the values: they may be secret, and maps have no order.
fn phrase(error: &ExecutionError) -> String {
    let operator = |name: &str| name.trim_matches(['_', '@']).to_owned();
    match error {
        ExecutionError::NoSuchKey(name) => format!("there is no {name}"),
        ExecutionError::UndeclaredReference(name) => format!("{name} is not known here"),
        ExecutionError::NoSuchOverload(overload) => {
            format!("{} does not take {}", operator(overload.function()), overload.argument_types().join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
            format!("{} does not take {} and {}", operator(name), left.type_of(), right.type_of())
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} do not compare", left.type_of(), right.type_of())
        }
        ExecutionError::UnexpectedType { got, want } => format!("{got} where {want} is needed"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(name, ..) => format!("{} leaves the range of integers", operator(name)),
        ExecutionError::IndexOutOfBounds(_) => "there is no element of that index".to_owned(),
        ExecutionError::DuplicateKey(_) => "a key stands twice in a map".to_owned(),
        ExecutionError::FunctionError { function, .. } if function == ORDERED => {
            "it takes too many steps: loop over less, or save a part of it in a channel first".to_owned()
        }
        ExecutionError::FunctionError { function, .. } if function == operators::ADD => {
            "+ does not take a map".to_owned()
        }
        ExecutionError::FunctionError { function, .. } => format!("{function} failed"),
        ExecutionError::NotSupportedAsMethod { method, target } => {
            format!("{method} is no method of {}", target.type_of())
        }
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("{actual} arguments where {expected} are needed")
        }
        ExecutionError::UnsupportedIndex(index, base) => {
            format!("{} is no index of {}", index.type_of(), base.type_of())
        }
        _ => "the types do not fit".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Members;
    use super::*;
    use serde_json::json;

    fn eval(text: &str, state: &Value) -> Result<Value, String> {
        let members = Members::from(state);
        let scope = Scope { state: Some(&members), ..Scope::default() };
        let compiled = Expr::compile(text).map_err(|error| error.to_string())?;
        let value = compiled.eval(&scope).map_err(|failure| failure.to_string());
        assert_eq!(value, compiled.interpret(&scope).map_err(|failure| failure.to_string()), "{text}");
        value
    }

    #[test]
    fn values_keep_their_kind_through_an_expression() {
        let state =
            json!({"n": 3, "f": 0.5, "big": u64::MAX, "t": "a", "l": [1, 2.0, null], "o": {"b": 1, "a": [true]}});
        for (text, expected) in [
            ("state.n + 1", json!(4)),
            ("state.f * 2.0", json!(1.0)),
            ("state.big", json!(u64::MAX)),
            ("state.t + 'b'", json!("ab")),
            ("state.l", json!([1, 2.0, null])),
            ("state.o", json!({"a": [true], "b": 1})),
            ("state['o']['b'] == 1", json!(true)),
            ("has(state.o.b) && !has(state.o.c)", json!(true)),
            ("size(state.l) < 4 ? 'few' : 'many'", json!("few")),
            ("state.l.filter(x, x != null)", json!([1, 2.0])),
            ("state.l.map(x, x).exists(x, x == 2)", json!(true)),
            ("2 in state.l", json!(true)),
            ("{'b': state.n, 'a': 1}", json!({"a": 1, "b": 3})),
            ("int('7') + size('äö')", json!(9)),
        ] {
            assert_eq!(eval(text, &state), Ok(expected), "{text}");
        }
        assert!(eval("state.f", &state).unwrap().is_f64());
        assert!(eval("state.n", &state).unwrap().is_i64());
    }

    #[test]
    fn a_map_is_never_added() {
        let state = json!({"l": [1], "o": {"b": 1, "a": 2, "c": 3}, "n": 1});
        for text in ["state.l + state.o", "[1] + state", "state.l + {'a': state.n}", "[state.l + state.o]"] {
            let message = eval(text, &state).unwrap_err();
            assert!(message.contains("+ does not take a map"), "{text}: {message}");
        }
        assert_eq!(eval("state.l + state.l", &state), Ok(json!([1, 1])));
        assert_eq!(eval("state.n + state.n", &state), Ok(json!(2)));
    }

    #[test]
    fn loops_over_maps_run_in_the_order_of_keys() {
        let members: serde_json::Map<_, _> = (0..200).map(|n| (format!("k{n:03}"), json!(n))).collect();
        let names: Vec<Value> = members.keys().map(|name| json!(name)).collect();
        assert_eq!(eval("state.o.map(k, k)", &json!({"o": members})), Ok(Value::Array(names)));
    }

    #[test]
    fn failures_say_what_is_wrong_without_the_values() {
        let state = json!({"n": 3, "t": "secret text", "o": {}, "l": []});
        for (text, why) in [
            ("state.o.x", "there is no x"),
            ("state.n + state.t", "does not take"),
            ("state.t < state.n", "does not take"),
            ("state.n / 0", "division by zero"),
            ("state.l[3]", "there is no element of that index"),
            ("9223372036854775807 + state.n", "leaves the range of integers"),
            ("int(state.t)", "int failed"),
            ("input.x", "input is not known here"),
            ("state.n ? 1 : 2", "where bool is needed"),
            ("1.0 / 0.0", "not a finite number"),
            ("type(1)", "is no JSON value"),
        ] {
            let failure = eval(text, &state).unwrap_err();
            assert!(failure.contains(why), "{text}: {failure}");
            assert!(!failure.contains("secret text"), "{text}: {failure}");
        }
    }

    #[test]
    fn what_could_run_for_too_long_is_refused() {
        let long = format!("'{}'", "x".repeat(EXPRESSION_BYTES_MAX));
        let deep = format!("{}1{}", "(".repeat(200), ")".repeat(200));
        let chain = vec!["1"; 500].join("+");
        let not = format!("{}true", "!".repeat(1500));
        let loops = "state.l.map(a, state.l.map(b, state.l.map(c, 1)))";
        for text in [&long, &deep, &chain, &not, loops, "", "  ", "state.l.map(state, 1)", "nope(1)", "Foo{a: 1}"] {
            assert!(Expr::compile(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_deepest_expression_allowed_fits_a_small_stack() {
        for depth in 1..80 {
            for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("-", ""), ("size([", "])"), ("{'a': ", "}")] {
                if let Ok(compiled) = Expr::compile(&format!("{}1{}", open.repeat(depth), close.repeat(depth))) {
                    let _ = compiled.eval(&Scope::default());
                }
            }
            if let Ok(compiled) = Expr::compile(&vec!["1"; depth].join(" + ")) {
                assert_eq!(compiled.eval(&Scope::default()), Ok(json!(depth)));
            }
        }
    }

    #[test]
    fn paths_end_where_a_value_is_needed_whole() {
        let paths = |text: &str| {
            let compiled = Expr::compile(text).unwrap();
            compiled.paths().iter().map(|path| path.join(".")).collect::<Vec<_>>()
        };
        assert_eq!(paths("state.a.b > 1 && has(input.c)"), ["input.c", "state.a.b"]);
        assert_eq!(paths("state.l.exists(x, x.y == output['z'])"), ["output.z", "state.l"]);
        assert_eq!(paths("state.l[0].x + int(item)"), ["item", "state.l"]);
        assert_eq!(paths("type(state.a) == int"), ["state.a"]);
    }

    #[test]
    fn a_misspelt_function_gets_a_suggestion() {
        let error = Expr::compile("siez(state.l) > 1").unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.help.as_deref()),
            ("there is no function siez", Some("did you mean size?"))
        );
    }
}
