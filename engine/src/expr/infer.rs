//! Kinds of values, and operations that fail whatever values of those kinds are.
//!
//! Not a full type checker: what is not known is `Any`, and anything fits it. A channel
//! that was never written reads as null, so null is left out of account.

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not known.
    Any,
    /// Null.
    Null,
    /// `true` or `false`.
    Boolean,
    /// An integer.
    Integer,
    /// A double.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind a JSON Schema with one plain `type` asks for; null beside it is let be.
    #[must_use]
    pub fn of_schema(schema: &serde_json::Value) -> Self {
        let name = match schema.get("type") {
            Some(serde_json::Value::Array(names)) => {
                let mut others = names.iter().filter(|name| name.as_str() != Some("null"));
                match (others.next(), others.next()) {
                    (Some(one), None) => one.as_str(),
                    _ => None,
                }
            }
            name => name.and_then(serde_json::Value::as_str),
        };
        match name {
            Some("null") => Self::Null,
            Some("boolean") => Self::Boolean,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("string") => Self::String,
            Some("array") => Self::Array,
            Some("object") => Self::Object,
            _ => Self::Any,
        }
    }

    /// The name graphs use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// The schema of all values of the kind.
    #[must_use]
    pub fn schema(self) -> serde_json::Value {
        match self {
            Self::Any => serde_json::json!({}),
            kind => serde_json::json!({"type": kind.name()}),
        }
    }

    pub(super) fn is_known(self) -> bool {
        !matches!(self, Self::Any | Self::Null)
    }

    pub(super) fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

/// An operation that fails whatever the values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What is wrong, as a phrase.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
}

impl Mismatch {
    pub(super) fn new(message: String) -> Self {
        Self { message, help: None }
    }
}

pub(super) fn boolean(sign: &str, kind: Kind) -> Result<(), Mismatch> {
    if kind.is_known() && kind != Kind::Boolean {
        return Err(Mismatch::new(format!("{sign} takes booleans, not {}", article(kind))));
    }
    Ok(())
}

pub(super) fn equality(left: Kind, right: Kind) -> Result<Kind, Mismatch> {
    let fits = !left.is_known() || !right.is_known() || left == right || (left.is_numeric() && right.is_numeric());
    if fits {
        Ok(Kind::Boolean)
    } else {
        Err(Mismatch::new(format!("{} never equals {}", article(left), article(right))))
    }
}

pub(super) fn comparison(left: Kind, right: Kind) -> Result<Kind, Mismatch> {
    for kind in [left, right] {
        if matches!(kind, Kind::Array | Kind::Object) {
            let help = (kind == Kind::Array).then(|| "compare its size()".to_owned());
            return Err(Mismatch { message: format!("{} has no order", article(kind)), help });
        }
    }
    let fits = !left.is_known() || !right.is_known() || left == right || (left.is_numeric() && right.is_numeric());
    if fits {
        Ok(Kind::Boolean)
    } else {
        Err(Mismatch::new(format!("{} and {} do not compare", article(left), article(right))))
    }
}

pub(super) fn arithmetic(sign: &str, left: Kind, right: Kind, others: &[Kind]) -> Result<Kind, Mismatch> {
    for kind in [left, right] {
        if kind.is_known() && !kind.is_numeric() && !others.contains(&kind) {
            return Err(Mismatch::new(format!("{sign} does not take {}", article(kind))));
        }
    }
    match (left, right) {
        _ if left == right => Ok(left),
        _ if !left.is_known() => Ok(right),
        _ if !right.is_known() => Ok(left),
        _ => {
            let help = match (left, right) {
                _ if left.is_numeric() && right.is_numeric() => Some("convert the integer: double(x)".to_owned()),
                _ if left == Kind::String || right == Kind::String => Some("convert the other: string(x)".to_owned()),
                _ => None,
            };
            Err(Mismatch { message: format!("{sign} does not take {} and {}", article(left), article(right)), help })
        }
    }
}

/// `a string`, `an array`.
pub(crate) fn article(kind: Kind) -> String {
    match kind {
        Kind::Any | Kind::Null => kind.name().to_owned(),
        Kind::Integer | Kind::Array | Kind::Object => format!("an {}", kind.name()),
        _ => format!("a {}", kind.name()),
    }
}
