//! A template's text cut into literal text, `{{ … }}`, `{% … %}` and comments, and what
//! stands inside them checked against what templates may do.
//!
//! Templates place values into text. They do not compute: no multiplication (which repeats
//! text), no concatenation (text stands around placeholders), no calls, no assignments.

use super::Error;
use crate::spec::names::nearest;

/// Filters a template may use.
pub(super) const FILTERS: [&str; 20] = [
    "abs", "default", "first", "float", "int", "items", "join", "last", "length", "lower", "max", "min", "replace",
    "reverse", "round", "sort", "tojson", "trim", "unique", "upper",
];
/// Tests a template may use.
pub(super) const TESTS: [&str; 9] =
    ["boolean", "defined", "even", "mapping", "none", "number", "odd", "string", "undefined"];
const BLOCKS: [&str; 8] = ["if", "elif", "else", "endif", "for", "endfor", "raw", "endraw"];

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Literal text.
    Text(&'t str),
    /// The inside of `{{ … }}`.
    Value(&'t str),
    /// The inside of `{% … %}`.
    Block(&'t str),
    /// The inside of `{# … #}`.
    Comment,
}

/// Cuts a text into pieces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Error> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = next_tag(rest) {
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let (open, inside) = rest[start..].split_at(2);
        let (length, close) = match open {
            "{{" => (tag_length(inside, "}}"), "}}"),
            "{%" => (tag_length(inside, "%}"), "%}"),
            _ => (inside.find("#}"), "#}"),
        };
        let length = length.ok_or_else(|| {
            Error::new(format!("{open} is not closed by {close}"))
                .help("literal braces stand in {% raw %}…{% endraw %}")
        })?;
        let inner = &inside[..length];
        rest = &inside[length + 2..];
        match open {
            "{{" => pieces.push(Piece::Value(inner)),
            "{%" => {
                pieces.push(Piece::Block(inner));
                if inner.trim_matches(['-', '+', ' ']) == "raw" {
                    let end = raw_end(rest).ok_or_else(|| Error::new("{% raw %} is not closed by {% endraw %}"))?;
                    pieces.push(Piece::Text(&rest[..end]));
                    rest = &rest[end..];
                }
            }
            _ => pieces.push(Piece::Comment),
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn next_tag(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"].iter().filter_map(|open| text.find(open)).min()
}

fn raw_end(text: &str) -> Option<usize> {
    text.match_indices("{%")
        .map(|(start, _)| start)
        .find(|start| text[start + 2..].trim_start_matches(['-', '+']).trim_start().starts_with("endraw"))
}

/// Bytes before `close`, which counts only outside of strings and brackets.
fn tag_length(inside: &str, close: &str) -> Option<usize> {
    let (mut quote, mut escaped, mut depth) = (None, false, 0_i32);
    for (place, mark) in inside.char_indices() {
        if let Some(open) = quote {
            if escaped {
                escaped = false;
            } else if mark == '\\' {
                escaped = true;
            } else if mark == open {
                quote = None;
            }
            continue;
        }
        if depth <= 0 && inside[place..].starts_with(close) {
            return Some(place);
        }
        match mark {
            '\'' | '"' => quote = Some(mark),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A token inside a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Literal,
    Sign(char),
}

/// Refuses what templates may not do inside of `{{ … }}`.
pub(super) fn check_value(inside: &str) -> Result<(), Error> {
    check(&tokens(inside))
}

/// Refuses what templates may not do inside of `{% … %}`.
pub(super) fn check_block(inside: &str) -> Result<(), Error> {
    let tokens = tokens(inside.trim_start_matches(['-', '+']));
    let Some(Token::Name(name)) = tokens.first() else {
        return Err(Error::new("a block begins with a word"));
    };
    if !BLOCKS.contains(name) {
        return Err(
            Error::new(format!("templates have no {{% {name} %}}")).help(format!("there are {}", BLOCKS.join(", ")))
        );
    }
    check(&tokens[1..])
}

fn check(tokens: &[Token<'_>]) -> Result<(), Error> {
    for (index, token) in tokens.iter().enumerate() {
        let before = |back: usize| index.checked_sub(back).map(|place| tokens[place]);
        match token {
            Token::Sign('*') => {
                return Err(Error::new("templates do not multiply").help("compute it in a save, with an expression"));
            }
            Token::Sign('~') => {
                return Err(Error::new("templates do not join texts by ~")
                    .help("write them next to each other: {{ a }}{{ b }}"));
            }
            Token::Name(name) if before(1) == Some(Token::Sign('|')) => known("filter", name, &FILTERS)?,
            Token::Name(name) if is_test(before(1), before(2)) && *name != "not" => known("test", name, &TESTS)?,
            Token::Sign('(') => {
                if let Some(Token::Name(name)) = before(1) {
                    let applied = before(2) == Some(Token::Sign('|')) || is_test(before(2), before(3));
                    if !applied && !["in", "and", "or", "not", "if", "else", "is"].contains(&name) {
                        return Err(Error::new(format!("templates call no functions: {name}"))
                            .help("use a filter: {{ x | name }}"));
                    }
                } else if matches!(before(1), Some(Token::Sign(')' | ']'))) {
                    return Err(Error::new("templates call no functions"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_test(last: Option<Token<'_>>, last_but_one: Option<Token<'_>>) -> bool {
    last == Some(Token::Name("is")) || (last == Some(Token::Name("not")) && last_but_one == Some(Token::Name("is")))
}

fn known(what: &str, name: &str, all: &[&str]) -> Result<(), Error> {
    if all.contains(&name) {
        return Ok(());
    }
    let error = Error::new(format!("there is no {what} {name}"));
    Err(match nearest(name, all.iter().copied()) {
        Some(near) => error.help(format!("did you mean {near}?")),
        None => error.help(format!("there are {}", all.join(", "))),
    })
}

fn tokens(inside: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = inside.trim_start();
    while let Some(mark) = rest.chars().next() {
        let length = if mark == '\'' || mark == '"' {
            tokens.push(Token::Literal);
            string_length(rest, mark)
        } else if is_name(mark) {
            let length = rest.find(|mark| !is_name(mark)).unwrap_or(rest.len());
            let word = &rest[..length];
            tokens.push(if mark.is_ascii_digit() { Token::Literal } else { Token::Name(word) });
            length
        } else {
            tokens.push(Token::Sign(mark));
            mark.len_utf8()
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (place, mark) in text.char_indices().skip(1) {
        match mark {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if mark == quote => return place + mark.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn is_name(mark: char) -> bool {
    mark.is_alphanumeric() || mark == '_'
}

/// The path that is all there is inside of a tag: `state.notes`.
pub(super) fn plain_path(inside: &str) -> Option<Vec<String>> {
    let names: Vec<String> = inside.trim().split('.').map(str::to_owned).collect();
    let is_identifier =
        |name: &String| name.chars().all(is_name) && name.chars().next().is_some_and(|mark| !mark.is_ascii_digit());
    let is_word = |name: &str| ["true", "false", "none", "True", "False", "None", "not", "loop"].contains(&name);
    (names.iter().all(is_identifier) && !is_word(&names[0])).then_some(names)
}
