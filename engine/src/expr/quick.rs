//! Expressions that need no interpreter: paths, literals, comparisons, sums, and lists and
//! objects of them, evaluated on JSON as it lies.
//!
//! Only what is certain to come out as CEL has it is done here. Whatever is not, and
//! whatever goes wrong, is left to the interpreter, which also says why.

use std::borrow::Cow;
use std::cmp::Ordering;

use cel::common::ast::{CallExpr, EntryExpr, Expr as Ast, IdedExpr, LiteralValue, MapExpr, operators};
use serde_json::{Map, Number, Value};

use super::cost::{ADDEND, TYPE_NAMES, path_of};
use super::resolve::find;
use super::{Path, Scope};

/// An expression that needs no interpreter.
#[derive(Debug)]
pub(super) enum Quick {
    Literal(Value),
    Path(Path),
    Not(Box<Quick>),
    And(Box<[Quick; 2]>),
    Or(Box<[Quick; 2]>),
    Choice(Box<[Quick; 3]>),
    Equal(bool, Box<[Quick; 2]>),
    Compare(Comparison, Box<[Quick; 2]>),
    Sum(Operation, Box<[Quick; 2]>),
    List(Vec<Quick>),
    Object(Vec<(String, Quick)>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
}

impl Quick {
    /// The expression, if all of it is of that kind.
    pub(super) fn of(expression: &IdedExpr) -> Option<Self> {
        let is_test = matches!(&expression.expr, Ast::Select(select) if select.test);
        if let Some(path) = path_of(&expression.expr).filter(|_| !is_test) {
            return (!TYPE_NAMES.contains(&path[0].as_str())).then_some(Self::Path(path));
        }
        match &expression.expr {
            Ast::Literal(literal) => literal_of(literal).map(Self::Literal),
            Ast::Call(call) if call.target.is_none() => Self::call(call),
            Ast::List(list) if list.optional_indices.is_empty() => {
                list.elements.iter().map(Self::of).collect::<Option<_>>().map(Self::list)
            }
            Ast::Map(map) => Self::object(map),
            _ => None,
        }
    }

    fn call(call: &CallExpr) -> Option<Self> {
        let two = || match call.args.as_slice() {
            [left, right] => Some(Box::new([Self::of(left)?, Self::of(right)?])),
            _ => None,
        };
        let compare = |comparison| Some(Self::Compare(comparison, two()?));
        Some(match call.func_name.as_str() {
            operators::LOGICAL_NOT => match call.args.as_slice() {
                [one] => Self::Not(Box::new(Self::of(one)?)),
                _ => return None,
            },
            operators::CONDITIONAL => match call.args.as_slice() {
                [when, then, other] => Self::Choice(Box::new([Self::of(when)?, Self::of(then)?, Self::of(other)?])),
                _ => return None,
            },
            ADDEND => match call.args.as_slice() {
                [one] => Self::of(one)?,
                _ => return None,
            },
            operators::LOGICAL_AND => Self::And(two()?),
            operators::LOGICAL_OR => Self::Or(two()?),
            operators::EQUALS => Self::Equal(true, two()?),
            operators::NOT_EQUALS => Self::Equal(false, two()?),
            operators::LESS => compare(Comparison::Less)?,
            operators::LESS_EQUALS => compare(Comparison::LessEqual)?,
            operators::GREATER => compare(Comparison::Greater)?,
            operators::GREATER_EQUALS => compare(Comparison::GreaterEqual)?,
            operators::ADD => Self::Sum(Operation::Add, two()?),
            operators::SUBSTRACT => Self::Sum(Operation::Subtract, two()?),
            operators::MULTIPLY => Self::Sum(Operation::Multiply, two()?),
            _ => return None,
        })
    }

    /// A list; of literals it is one.
    fn list(elements: Vec<Self>) -> Self {
        let literal = |element: &Self| if let Self::Literal(value) = element { Some(value.clone()) } else { None };
        match elements.iter().map(literal).collect() {
            Some(values) => Self::Literal(Value::Array(values)),
            None => Self::List(elements),
        }
    }

    fn object(map: &MapExpr) -> Option<Self> {
        let mut entries: Vec<(String, Self)> = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return None };
            let Ast::Literal(LiteralValue::String(key)) = &entry.key.expr else { return None };
            let is_new = entries.iter().all(|(known, _)| known != key.inner());
            if entry.optional || !is_new {
                return None;
            }
            entries.push((key.inner().to_owned(), Self::of(&entry.value)?));
        }
        Some(Self::Object(entries))
    }

    /// Its value; `None` where the interpreter is to be asked.
    pub(super) fn value<'a>(&'a self, scope: &Scope<'a>) -> Option<Cow<'a, Value>> {
        Some(match self {
            Self::Literal(value) => Cow::Borrowed(value),
            Self::Path(path) => find(path, scope).ok()??,
            Self::Choice(of) => {
                let [when, then, other] = &**of;
                return if when.truth(scope)? { then.value(scope) } else { other.value(scope) };
            }
            Self::Sum(operation, of) => Cow::Owned(sum(*operation, of[0].value(scope)?, &*of[1].value(scope)?)?),
            Self::List(elements) => Cow::Owned(Value::Array(
                elements.iter().map(|element| element.value(scope).map(Cow::into_owned)).collect::<Option<_>>()?,
            )),
            Self::Object(entries) => {
                let mut members = Map::new();
                for (name, entry) in entries {
                    members.insert(name.clone(), entry.value(scope)?.into_owned());
                }
                Cow::Owned(Value::Object(members))
            }
            condition => Cow::Owned(Value::Bool(condition.truth(scope)?)),
        })
    }

    /// Whether it holds; `None` where the interpreter is to be asked.
    pub(super) fn truth(&self, scope: &Scope<'_>) -> Option<bool> {
        Some(match self {
            Self::Not(one) => !one.truth(scope)?,
            Self::And(of) => of[0].truth(scope)? && of[1].truth(scope)?,
            Self::Or(of) => of[0].truth(scope)? || of[1].truth(scope)?,
            Self::Equal(equal, of) => are_equal(&*of[0].value(scope)?, &*of[1].value(scope)?)? == *equal,
            Self::Compare(comparison, of) => {
                let order = order(&*of[0].value(scope)?, &*of[1].value(scope)?)?;
                match comparison {
                    Comparison::Less => order == Ordering::Less,
                    Comparison::LessEqual => order != Ordering::Greater,
                    Comparison::Greater => order == Ordering::Greater,
                    Comparison::GreaterEqual => order != Ordering::Less,
                }
            }
            value => value.value(scope)?.as_bool()?,
        })
    }
}

fn literal_of(literal: &LiteralValue) -> Option<Value> {
    Some(match literal {
        LiteralValue::Boolean(truth) => Value::Bool(*truth.inner()),
        LiteralValue::Int(integer) => Value::from(*integer.inner()),
        LiteralValue::Double(double) => Value::Number(Number::from_f64(*double.inner())?),
        LiteralValue::String(text) => Value::String(text.inner().to_owned()),
        LiteralValue::Null => Value::Null,
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) => return None,
    })
}

/// Numbers of one kind only: how kinds mix is the interpreter's to say.
enum Pair {
    Integers(i64, i64),
    Doubles(f64, f64),
}

fn pair(left: &Value, right: &Value) -> Option<Pair> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        return Some(Pair::Integers(left, right));
    }
    (left.is_f64() && right.is_f64()).then(|| Some(Pair::Doubles(left.as_f64()?, right.as_f64()?)))?
}

fn are_equal(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Null, other) | (other, Value::Null) => Some(other.is_null()),
        (Value::Bool(left), Value::Bool(right)) => Some(left == right),
        (Value::String(left), Value::String(right)) => Some(left == right),
        _ => match pair(left, right)? {
            Pair::Integers(left, right) => Some(left == right),
            Pair::Doubles(left, right) => left.partial_cmp(&right).map(|order| order == Ordering::Equal),
        },
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => match pair(left, right)? {
            Pair::Integers(left, right) => Some(left.cmp(&right)),
            Pair::Doubles(left, right) => left.partial_cmp(&right),
        },
    }
}

fn sum(operation: Operation, left: Cow<'_, Value>, right: &Value) -> Option<Value> {
    if let (Operation::Add, Value::String(_), Value::String(more)) = (operation, &*left, right) {
        return Some(Value::String(match left {
            Cow::Owned(Value::String(text)) => text + more,
            other => [other.as_str()?, more].concat(),
        }));
    }
    match (pair(&left, right)?, operation) {
        (Pair::Integers(left, right), Operation::Add) => left.checked_add(right).map(Value::from),
        (Pair::Integers(left, right), Operation::Subtract) => left.checked_sub(right).map(Value::from),
        (Pair::Integers(left, right), Operation::Multiply) => left.checked_mul(right).map(Value::from),
        (Pair::Doubles(left, right), Operation::Add) => Number::from_f64(left + right).map(Value::Number),
        (Pair::Doubles(left, right), Operation::Subtract) => Number::from_f64(left - right).map(Value::Number),
        (Pair::Doubles(left, right), Operation::Multiply) => Number::from_f64(left * right).map(Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use serde_json::json;

    use super::super::{Expr, Members};
    use super::*;

    const LEAVES: [&str; 22] = [
        "state.n",
        "state.m",
        "state.f",
        "state.g",
        "state.t",
        "state.u",
        "state.b",
        "state.none",
        "state.o",
        "state.l",
        "state.o.a",
        "state['o']['t']",
        "state.gone",
        "state.big",
        "state",
        "1",
        "-2",
        "2.5",
        "'a'",
        "true",
        "null",
        "''",
    ];

    fn text() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(&LEAVES[..]).prop_map(str::to_owned);
        leaf.prop_recursive(4, 24, 3, |inner| {
            let operator = proptest::sample::select(&["+", "-", "*", "==", "!=", "<", "<=", ">", ">=", "&&", "||"][..]);
            prop_oneof![
                4 => (inner.clone(), operator, inner.clone()).prop_map(|(left, op, right)| format!("({left} {op} {right})")),
                1 => inner.clone().prop_map(|one| format!("!({one})")),
                1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
                1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
                1 => (inner.clone(), inner).prop_map(|(a, b)| format!("{{'k': {a}, 'j': {b}}}")),
            ]
        })
    }

    #[test]
    fn what_needs_no_interpreter_comes_out_as_the_interpreter_has_it() {
        let state = json!({
            "n": 3, "m": i64::MAX, "f": 0.5, "g": -0.0, "t": "a", "u": "b\u{10348}", "b": true, "none": null,
            "o": {"a": 1, "t": "a"}, "l": [1, "a"], "big": u64::MAX,
        });
        let (members, mut done) = (Members::from(&state), 0);
        let scope = Scope { state: Some(&members), ..Scope::default() };
        let mut runner = TestRunner::new(ProptestConfig { cases: 4_000, ..ProptestConfig::default() });
        let ran = runner.run(&text(), |text| {
            let Ok(expression) = Expr::compile(&text) else { return Ok(()) };
            let (quick, whole) = expression.both(&scope);
            if let Some(quick) = quick {
                prop_assert_eq!(Ok(quick), whole.clone().map_err(|failure| failure.message), "{}", text);
            }
            prop_assert_eq!(expression.eval(&scope), whole.clone(), "{}", text);
            prop_assert_eq!(expression.holds(&scope), whole.map(|value| value.as_bool().ok_or(value)), "{}", text);
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{error}"));
        for text in LEAVES.iter().flat_map(|left| LEAVES.iter().map(move |right| format!("{left} + {right}"))) {
            done += usize::from(Expr::compile(&text).unwrap().both(&scope).0.is_some());
        }
        assert!(done > 20, "sums of what fits need no interpreter: {done}");
    }
}
