//! What an expression may be made of: known functions, bounded depth, few nested loops;
//! and the paths it refers to.
//!
//! A comprehension is rewritten to run over `ordered(range)`, which lists the keys of a map
//! in order: the interpreter's own maps have none. For the same reason what is added is marked:
//! `list + map` would append the keys as they come.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr as Ast, IdedExpr, LiteralValue, operators};

use super::Error;
use super::paths::{Path, Paths};
use crate::spec::names::nearest;

/// The function that makes an iteration ordered.
pub(super) const ORDERED: &str = "@ordered";
/// The function that lets everything through that may be added.
pub(super) const ADDEND: &str = "@addend";
/// The function that lets a text through that is searched by a pattern.
pub(super) const SEARCHED: &str = "@searched";
const DEPTH_MAX: usize = 64;
const NESTED_MAX: usize = 2;

/// Functions an expression may call.
pub(super) const FUNCTIONS: [&str; 12] =
    ["bool", "contains", "double", "dyn", "endsWith", "int", "matches", "size", "startsWith", "string", "type", "uint"];
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "has", "map"];
const OPERATORS: [&str; 17] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
];
/// Names that stand for types and nothing else.
pub(super) const TYPE_NAMES: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Walks a parsed expression, refuses what is not wanted, rewrites comprehensions, and
/// gathers paths.
#[derive(Default)]
pub(super) struct Walk {
    /// The paths found.
    pub(super) paths: Paths,
    variables: Vec<String>,
}

impl Walk {
    /// The expression and everything beneath it.
    pub(super) fn expression(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(Error::new("the expression is nested too deeply").help("save a part of it in a channel first"));
        }
        if let Some(path) = path_of(&node.expr) {
            self.path(path);
            return Ok(());
        }
        match &mut node.expr {
            Ast::Unspecified => Err(Error::new("the expression is empty")),
            Ast::Struct(_) => Err(Error::new("expressions make no typed objects").help("write {'name': value}")),
            Ast::Literal(LiteralValue::Bytes(_)) => Err(Error::new("expressions have no bytes")),
            Ast::Literal(_) | Ast::Ident(_) => Ok(()),
            Ast::Select(select) => self.expression(&mut select.operand, depth + 1),
            Ast::List(list) => list.elements.iter_mut().try_for_each(|element| self.expression(element, depth + 1)),
            Ast::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&mut entry.key, depth + 1)?;
                    self.expression(&mut entry.value, depth + 1)
                }
                EntryExpr::StructField(_) => Err(Error::new("expressions make no typed objects")),
            }),
            Ast::Call(call) => self.call(call, depth),
            Ast::Comprehension(loops) => self.comprehension(loops, depth),
        }
    }

    fn path(&mut self, path: Path) {
        let bound = path.first().is_none_or(|root| self.variables.contains(root) || root.starts_with('@'));
        let names_a_type = path.len() == 1 && TYPE_NAMES.contains(&path[0].as_str());
        if !bound && !names_a_type {
            self.paths.add(path);
        }
    }

    fn call(&mut self, call: &mut CallExpr, depth: usize) -> Result<(), Error> {
        let name = call.func_name.as_str();
        let internal = [operators::NOT_STRICTLY_FALSE, operators::IN].contains(&name);
        if !internal && !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            let error = Error::new(format!("there is no function {name}"));
            let known = FUNCTIONS.iter().chain(&MACROS).copied();
            return Err(match nearest(name, known.clone()) {
                Some(near) => error.help(format!("did you mean {near}?")),
                None => error.help(format!("there are {}", known.collect::<Vec<_>>().join(", "))),
            });
        }
        if let Some(target) = &mut call.target {
            self.expression(target, depth + 1)?;
        }
        call.args.iter_mut().try_for_each(|argument| self.expression(argument, depth + 1))?;
        if let (operators::ADD, [left, right]) = (call.func_name.as_str(), call.args.as_mut_slice()) {
            if !matches!(right.expr, Ast::Literal(_) | Ast::List(_)) {
                wrap(right, ADDEND);
            }
            // A loop that adds to a long text makes one in each turn. What a loop gathers is counted by its turns.
            let gathered = matches!(&left.expr, Ast::Ident(name) if name.starts_with('@'));
            if !self.variables.is_empty() && !gathered && !matches!(left.expr, Ast::Literal(_) | Ast::List(_)) {
                wrap(left, ADDEND);
            }
        }
        if call.func_name == "matches"
            && let Some(text) = call.target.as_deref_mut().or(call.args.first_mut())
        {
            wrap(text, SEARCHED);
        }
        Ok(())
    }

    fn comprehension(&mut self, loops: &mut ComprehensionExpr, depth: usize) -> Result<(), Error> {
        self.expression(&mut loops.iter_range, depth + 1)?;
        let before = self.variables.len();
        if before >= NESTED_MAX {
            return Err(Error::new("more than two loops in each other").help("save the inner list in a channel first"));
        }
        if crate::spec::names::SCOPE.contains(&loops.iter_var.as_str()) {
            return Err(Error::new(format!("{} cannot be the name of an element", loops.iter_var)));
        }
        self.variables.push(loops.iter_var.clone());
        self.variables.extend(loops.iter_var2.clone());
        for part in [&mut loops.accu_init, &mut loops.loop_cond, &mut loops.loop_step, &mut loops.result] {
            self.expression(part, depth + 1)?;
        }
        self.variables.truncate(before);
        wrap(&mut loops.iter_range, ORDERED);
        Ok(())
    }
}

/// Puts a call of a function of ours around an expression.
fn wrap(expression: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(expression);
    let call = CallExpr { func_name: function.to_owned(), target: None, args: vec![inner] };
    *expression = IdedExpr { id: 0, expr: Ast::Call(call) };
}

/// The path an expression spells: `state.a`, `state['a']`, `has(state.a)`.
pub(super) fn path_of(expression: &Ast) -> Option<Path> {
    let mut names = Vec::new();
    let mut expression = expression;
    loop {
        match expression {
            Ast::Ident(name) => {
                names.push(name.clone());
                names.reverse();
                return Some(names);
            }
            Ast::Select(select) => {
                names.push(select.field.clone());
                expression = &select.operand.expr;
            }
            Ast::Call(CallExpr { func_name, target: None, args }) if func_name == operators::INDEX => {
                let [base, IdedExpr { expr: Ast::Literal(LiteralValue::String(name)), .. }] = args.as_slice() else {
                    return None;
                };
                names.push(name.inner().to_owned());
                expression = &base.expr;
            }
            _ => return None,
        }
    }
}
