//! One string of a template: literal text, one expression that keeps its type, or text with
//! placeholders.

use serde_json::Value;

use super::lexer::{Piece, check_block, check_value, pieces, plain_path};
use super::paths::Paths;
use super::resolve::{find, resolve, write_text};
use super::{Error, Path, RENDERED_BYTES_MAX, Scope, TEMPLATE_BYTES_MAX, jinja};

/// A compiled string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// As it stands; `{{ secret.NAME }}` may stand in it.
    Literal(String),
    /// One path that keeps the type of its value.
    Path(Path),
    /// One expression that keeps its type.
    Expression(String, Paths),
    /// Text with plain paths.
    Parts(Vec<Part>),
    /// Anything else MiniJinja understands.
    Jinja(String, Paths),
}

/// A piece of [`Text::Parts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Literal(String),
    /// The text of what it leads to.
    Path(Path),
}

/// A compiled string, what it refers to, and the secrets that stand in it.
pub(super) struct Compiled {
    pub(super) text: Text,
    pub(super) paths: Paths,
    pub(super) secrets: Vec<String>,
}

/// Compiles one string.
pub(super) fn compile(source: &str) -> Result<Compiled, Error> {
    if source.len() > TEMPLATE_BYTES_MAX {
        return Err(Error::new(format!("the template is longer than {TEMPLATE_BYTES_MAX} bytes")));
    }
    let pieces = pieces(source)?;
    for piece in &pieces {
        match piece {
            Piece::Value(inside) => check_value(inside.trim_matches('-'))?,
            Piece::Block(inside) => check_block(inside)?,
            Piece::Text(_) | Piece::Comment => {}
        }
    }
    if let Some(secrets) = secrets(&pieces)? {
        return Ok(Compiled { text: Text::Literal(source.to_owned()), paths: Paths::default(), secrets });
    }
    let (text, paths) = match pieces.as_slice() {
        [] | [Piece::Text(_)] => (Text::Literal(source.to_owned()), Paths::default()),
        [Piece::Value(inside)] => whole(inside)?,
        _ => match plain_parts(&pieces) {
            Some(parts) => {
                let mut paths = Paths::default();
                for part in &parts {
                    if let Part::Path(path) = part {
                        paths.add(path.clone());
                    }
                }
                (Text::Parts(parts), paths)
            }
            None => {
                let paths = to_paths(jinja::variables(source).map_err(Error::new)?);
                (Text::Jinja(source.to_owned(), paths.clone()), paths)
            }
        },
    };
    if paths.roots().contains("secret") {
        return Err(secret_misused());
    }
    Ok(Compiled { text, paths, secrets: Vec::new() })
}

fn whole(inside: &str) -> Result<(Text, Paths), Error> {
    let inside = inside.trim_matches(['-', '+']).trim();
    if inside.is_empty() {
        return Err(Error::new("{{ }} is empty"));
    }
    let mut paths = Paths::default();
    if let Some(path) = plain_path(inside) {
        paths.add(path.clone());
        return Ok((Text::Path(path), paths));
    }
    paths = to_paths(jinja::expression_variables(inside).map_err(Error::new)?);
    Ok((Text::Expression(inside.to_owned(), paths.clone()), paths))
}

fn plain_parts(pieces: &[Piece<'_>]) -> Option<Vec<Part>> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => Some(Part::Literal((*text).to_owned())),
            Piece::Value(inside) => plain_path(inside).map(Part::Path),
            Piece::Block(_) | Piece::Comment => None,
        })
        .collect()
}

/// The names of secrets when some stand in the text; nothing else may stand beside them, so
/// that no value can pose as a placeholder.
fn secrets(pieces: &[Piece<'_>]) -> Result<Option<Vec<String>>, Error> {
    let mut secrets = Vec::new();
    let mut others = 0;
    for piece in pieces {
        match piece {
            Piece::Value(inside) => match plain_path(inside) {
                Some(path) if path.len() == 2 && path[0] == "secret" => secrets.push(path[1].clone()),
                Some(path) if path[0] == "secret" => return Err(secret_misused()),
                _ => others += 1,
            },
            Piece::Block(_) => others += 1,
            Piece::Text(_) | Piece::Comment => {}
        }
    }
    match (secrets.is_empty(), others) {
        (true, _) => Ok(None),
        (false, 0) => Ok(Some(secrets)),
        (false, _) => Err(Error::new("a secret stands beside other placeholders")
            .help("give the secret an argument of its own, with literal text around it at most")),
    }
}

fn secret_misused() -> Error {
    Error::new("a secret is used in another way than {{ secret.NAME }}")
        .help("write {{ secret.NAME }} and nothing else")
}

fn to_paths(variables: Vec<String>) -> Paths {
    let mut paths = Paths::default();
    for variable in variables {
        paths.add(variable.split('.').map(str::to_owned).collect());
    }
    paths
}

impl Text {
    /// Its value in the scope.
    pub(super) fn render(&self, scope: &Scope<'_>) -> Result<Value, String> {
        match self {
            Self::Literal(text) => Ok(Value::String(text.clone())),
            Self::Path(path) => resolve(path, scope),
            Self::Expression(source, paths) => jinja::evaluate(source, paths, scope),
            Self::Parts(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Path(path) => {
                            if let Some(value) = find(path, scope)? {
                                write_text(&value, &mut text);
                            }
                        }
                    }
                    if text.len() > RENDERED_BYTES_MAX {
                        return Err(format!("the text is longer than {RENDERED_BYTES_MAX} bytes"));
                    }
                }
                Ok(Value::String(text))
            }
            Self::Jinja(source, paths) => jinja::render(source, paths, scope).map(Value::String),
        }
    }
}
