//! What an expression gives, as far as it is certain: its kind, and the schema of its value
//! where one is declared. What can never work is a mismatch.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr as Ast, IdedExpr, LiteralValue, operators};
use serde_json::{Value, json};

use super::Path;
use super::cost::{ADDEND, SEARCHED, path_of};
use super::infer::{Kind, Mismatch, arithmetic, article, boolean, comparison, equality};
use super::schema::member;

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The kind of its value.
    pub kind: Kind,
    /// The schema of its value; `{}` where nothing is known.
    pub schema: Value,
    /// The text it is and nothing else.
    literal: Option<String>,
}

impl Shape {
    fn of(kind: Kind) -> Self {
        Self { kind, schema: kind.schema(), literal: None }
    }

    fn of_schema(schema: Value) -> Self {
        Self { kind: Kind::of_schema(&schema), schema, literal: None }
    }
}

/// What names stand for: those of the scope, and those that loops bind.
pub(super) struct Names<'s> {
    schema_of: &'s dyn Fn(&Path) -> Option<Value>,
    bound: Vec<(String, Value)>,
}

impl<'s> Names<'s> {
    pub(super) fn new(schema_of: &'s dyn Fn(&Path) -> Option<Value>) -> Self {
        Self { schema_of, bound: Vec::new() }
    }

    fn path(&self, path: &Path) -> Result<Shape, Mismatch> {
        let bound = path.first().and_then(|root| self.bound.iter().rev().find(|(name, _)| name == root));
        let Some((name, schema)) = bound else {
            // What is wrong with it is said of the path.
            return Ok((self.schema_of)(path).map_or_else(|| Shape::of(Kind::Any), Shape::of_schema));
        };
        let mut shape = Shape::of_schema(schema.clone());
        let mut whole = name.clone();
        for name in &path[1..] {
            shape = select(&shape, name, &whole)?;
            whole = format!("{whole}.{name}");
        }
        Ok(shape)
    }

    /// What an expression gives.
    pub(super) fn infer(&mut self, node: &IdedExpr) -> Result<Shape, Mismatch> {
        if let Ast::Select(chosen) = &node.expr
            && chosen.test
        {
            self.infer(&chosen.operand)?;
            return Ok(Shape::of(Kind::Boolean));
        }
        if let Some(path) = path_of(&node.expr) {
            return self.path(&path);
        }
        match &node.expr {
            Ast::Literal(literal) => Ok(literal_shape(literal)),
            Ast::List(list) => {
                let elements: Vec<Shape> =
                    list.elements.iter().map(|element| self.infer(element)).collect::<Result<_, _>>()?;
                Ok(list_of(&elements))
            }
            Ast::Map(_) => Ok(Shape::of(Kind::Object)),
            Ast::Select(chosen) => {
                let base = self.infer(&chosen.operand)?;
                select(&base, &chosen.field, "it")
            }
            Ast::Call(call) => self.call(call),
            Ast::Comprehension(loops) => self.comprehension(loops),
            _ => Ok(Shape::of(Kind::Any)),
        }
    }

    fn call(&mut self, call: &CallExpr) -> Result<Shape, Mismatch> {
        let mut shapes = Vec::new();
        for argument in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            shapes.push(self.infer(argument)?);
        }
        let name = call.func_name.as_str();
        match (name, shapes.as_slice()) {
            (operators::INDEX, [base, index]) => element(base, index),
            (ADDEND | SEARCHED, [one]) => Ok(one.clone()),
            (operators::CONDITIONAL, [condition, left, right]) => {
                boolean("?", condition.kind)?;
                Ok(if left == right {
                    left.clone()
                } else if left.kind == right.kind {
                    Shape::of(left.kind)
                } else {
                    Shape::of(Kind::Any)
                })
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                equality(left.kind, right.kind)?;
                let place = |index: usize| call.args.get(index).and_then(|argument| path_of(&argument.expr));
                one_of((left, place(0)), right)?;
                one_of((right, place(1)), left)?;
                Ok(Shape::of(Kind::Boolean))
            }
            _ => {
                let kinds: Vec<Kind> = shapes.iter().map(|shape| shape.kind).collect();
                operation(name, &kinds).map(Shape::of)
            }
        }
    }

    /// A loop over the elements of a list, or the keys of an object.
    fn comprehension(&mut self, loops: &ComprehensionExpr) -> Result<Shape, Mismatch> {
        let range = match &loops.iter_range.expr {
            Ast::Call(CallExpr { args, .. }) if args.len() == 1 => self.infer(&args[0])?,
            _ => Shape::of(Kind::Any),
        };
        let each = match range.kind {
            Kind::Array => range.schema.get("items").cloned().unwrap_or_else(|| json!({})),
            Kind::Object => Kind::String.schema(),
            Kind::Any | Kind::Null => json!({}),
            other => return Err(Mismatch::new(format!("{} has no elements", article(other)))),
        };
        let before = self.bound.len();
        self.bound.push((loops.iter_var.clone(), each));
        self.bound.extend(loops.iter_var2.iter().map(|name| (name.clone(), json!({}))));
        let gathers = matches!(loops.accu_init.expr, Ast::List(_));
        let held = if gathers { Kind::Any } else { self.infer(&loops.accu_init)?.kind };
        self.bound.push((loops.accu_var.clone(), held.schema()));
        self.infer(&loops.loop_step)?;
        let shape = if gathers { self.gathered(&loops.loop_step)? } else { self.infer(&loops.result)? };
        self.bound.truncate(before);
        Ok(shape)
    }

    /// The list a `map` or `filter` makes.
    fn gathered(&mut self, step: &IdedExpr) -> Result<Shape, Mismatch> {
        match &step.expr {
            Ast::Call(call) if call.func_name == operators::CONDITIONAL && call.args.len() == 3 => {
                self.gathered(&call.args[1])
            }
            Ast::Call(call) if call.func_name == operators::ADD && call.args.len() == 2 => self.infer(&call.args[1]),
            _ => Ok(Shape::of(Kind::Array)),
        }
    }
}

fn literal_shape(literal: &LiteralValue) -> Shape {
    match literal {
        LiteralValue::Boolean(_) => Shape::of(Kind::Boolean),
        LiteralValue::Double(_) => Shape::of(Kind::Number),
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Shape::of(Kind::Integer),
        LiteralValue::String(text) => Shape { literal: Some(text.inner().to_owned()), ..Shape::of(Kind::String) },
        LiteralValue::Null => Shape::of(Kind::Null),
        LiteralValue::Bytes(_) => Shape::of(Kind::Any),
    }
}

/// A list whose elements are alike, or of which nothing more is known.
fn list_of(elements: &[Shape]) -> Shape {
    match elements.split_first() {
        Some((first, others)) if others.iter().all(|other| other.kind == first.kind) => {
            let items = if others.is_empty() { first.schema.clone() } else { first.kind.schema() };
            Shape::of_schema(json!({"type": "array", "items": items}))
        }
        _ => Shape::of(Kind::Array),
    }
}

fn select(base: &Shape, name: &str, whole: &str) -> Result<Shape, Mismatch> {
    if matches!(base.kind, Kind::String | Kind::Integer | Kind::Number | Kind::Boolean | Kind::Array) {
        return Err(Mismatch::new(format!("{whole} is {}: it has no member {name}", article(base.kind))));
    }
    match member(&base.schema, name) {
        Ok(Some(schema)) => Ok(Shape::of_schema(schema.clone())),
        Ok(None) => Ok(Shape::of(Kind::Any)),
        Err(known) => {
            let mut mismatch = Mismatch::new(format!("{whole} has no {name}"));
            let near = crate::spec::names::nearest(name, known.iter().copied());
            mismatch.help = Some(match near {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.join(", ")),
            });
            Err(mismatch)
        }
    }
}

fn element(base: &Shape, index: &Shape) -> Result<Shape, Mismatch> {
    match base.kind {
        Kind::Array if index.kind.is_known() && index.kind != Kind::Integer => {
            Err(Mismatch::new(format!("an array is indexed by an integer, not {}", article(index.kind))))
        }
        Kind::Array => Ok(base.schema.get("items").cloned().map_or_else(|| Shape::of(Kind::Any), Shape::of_schema)),
        Kind::Any | Kind::Null | Kind::Object => Ok(Shape::of(Kind::Any)),
        other => Err(Mismatch::new(format!("{} has no elements", article(other)))),
    }
}

/// Whether a literal is one of the values there are.
fn one_of((given, path): (&Shape, Option<Path>), literal: &Shape) -> Result<(), Mismatch> {
    let (Some(Value::Array(values)), Some(text)) = (given.schema.get("enum"), &literal.literal) else {
        return Ok(());
    };
    let known: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
    if known.contains(&text.as_str()) {
        return Ok(());
    }
    let mut mismatch =
        Mismatch::new(format!("{} is never '{text}'", path.map_or_else(|| "it".to_owned(), |path| path.join("."))));
    let near = crate::spec::names::nearest(text, known.iter().copied());
    mismatch.help = Some(match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it is one of {}", known.join(", ")),
    });
    Err(mismatch)
}

fn operation(name: &str, kinds: &[Kind]) -> Result<Kind, Mismatch> {
    match (name, kinds) {
        (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
            let sign = if name == operators::LOGICAL_AND { "&&" } else { "||" };
            boolean(sign, *left)?;
            boolean(sign, *right)?;
            Ok(Kind::Boolean)
        }
        (operators::LOGICAL_NOT, [operand]) => boolean("!", *operand).map(|()| Kind::Boolean),
        (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [left, right]) => {
            comparison(*left, *right)
        }
        (operators::ADD, [left, right]) => arithmetic("+", *left, *right, &[Kind::String, Kind::Array]),
        (operators::SUBSTRACT, [left, right]) => arithmetic("-", *left, *right, &[]),
        (operators::MULTIPLY, [left, right]) => arithmetic("*", *left, *right, &[]),
        (operators::DIVIDE, [left, right]) => arithmetic("/", *left, *right, &[]),
        (operators::NEGATE, [operand]) => Ok(*operand),
        ("startsWith" | "endsWith" | "matches", [target, ..]) if target.is_known() && *target != Kind::String => {
            Err(Mismatch::new(format!("{name} takes a string, not {}", article(*target))))
        }
        (operators::IN | "contains" | "startsWith" | "endsWith" | "matches" | "bool", _) => Ok(Kind::Boolean),
        ("size", [operand]) if operand.is_numeric() || *operand == Kind::Boolean => {
            Err(Mismatch::new(format!("{} has no size", article(*operand))))
        }
        ("size" | "int" | "uint", _) => Ok(Kind::Integer),
        ("double", _) => Ok(Kind::Number),
        ("string", _) => Ok(Kind::String),
        _ => Ok(Kind::Any),
    }
}
