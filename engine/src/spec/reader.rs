//! Values of the YAML tree as what the language expects of them: maps with known keys,
//! names, durations, counts, literal values. What does not fit becomes a problem.

use serde_json::{Map, Value};

use super::problem::{Place, Report};
use super::scalar::{Scalar, scalar};
use super::yaml::{Content, Entry, Node};

/// A map whose keys were checked.
#[derive(Clone, Copy)]
pub(super) struct Members<'n> {
    entries: &'n [Entry],
    pub(super) at: Place,
}

impl<'n> Members<'n> {
    /// Entries whose keys are checked elsewhere.
    pub(super) fn of(entries: &'n [Entry], at: Place) -> Self {
        Self { entries, at }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The place of a key, else of the map.
    pub(super) fn place(&self, key: &str) -> Place {
        self.entry(key).map_or(self.at, |entry| entry.key_at)
    }
}

/// The entries of a map whose keys are names of the author's choice.
pub(super) fn entries<'n>(report: &mut Report, node: &'n Node, what: &str) -> &'n [Entry] {
    match &node.content {
        Content::Map(entries) => entries,
        content => {
            report.add("wrong_type", node.at, format!("{what} is a map, not {}", kind(content)));
            &[]
        }
    }
}

/// A map with these keys; `later` are those of the full language that are not there yet.
pub(super) fn members<'n>(
    report: &mut Report,
    node: &'n Node,
    what: &str,
    known: &[&'static str],
    later: &[&'static str],
) -> Option<Members<'n>> {
    let Content::Map(entries) = &node.content else {
        report
            .add("wrong_type", node.at, format!("{what} is a map, not {}", kind(&node.content)))
            .help(format!("its keys are {}", known.join(", ")));
        return None;
    };
    let mut before: Option<&Entry> = None;
    for entry in entries {
        let key = entry.key.as_str();
        if later.contains(&key) {
            unsupported(report, entry.key_at, key);
        } else if !known.contains(&key) {
            unknown_key(report, entry, before, what, known);
        }
        before = Some(entry);
    }
    Some(Members { entries, at: node.at })
}

/// A key of the full language that is not there yet.
pub(super) fn unsupported(report: &mut Report, at: Place, key: &str) {
    report
        .add("unsupported_yet", at, format!("{key} is not supported yet"))
        .help("docs/graphs.md lists what this version supports");
}

fn unknown_key(report: &mut Report, entry: &Entry, before: Option<&Entry>, what: &str, known: &[&'static str]) {
    if let Some(Entry { value: Node { content: Content::Scalar { text, quoted: false }, at }, key, .. }) = before
        && is_split(text)
    {
        report
            .add("split_expression", *at, format!("YAML splits the expression of {key} at its comma"))
            .help(format!("put it in quotes: \"{text}, {}\"", entry.key));
        return;
    }
    if entry.key == "true" || entry.key == "false" {
        report.add("unknown_key", entry.key_at, format!("{what} has no key {}", entry.key));
        return;
    }
    report
        .add("unknown_key", entry.key_at, format!("{what} has no key {}", entry.key))
        .suggest(&entry.key, known.iter().copied());
}

/// Whether brackets are left open, as when a comma cut an expression in two.
pub(super) fn is_split(text: &str) -> bool {
    let count = |marks: &[char]| text.matches(marks).count();
    count(&['(', '[', '{']) > count(&[')', ']', '}'])
}

/// What stands there, for messages.
pub(super) fn kind(content: &Content) -> &'static str {
    match content {
        Content::List(_) => "a list",
        Content::Map(_) => "a map",
        Content::Scalar { quoted: true, .. } => "a text",
        Content::Scalar { text, .. } => match scalar(text) {
            Scalar::Null => "nothing",
            Scalar::Boolean(_) => "a truth value",
            Scalar::Number { .. } => "a number",
            Scalar::Text | Scalar::Ambiguous(_) => "a text",
        },
    }
}

/// A text: quoted, or plain and nothing else in any reader of YAML.
pub(super) fn text<'n>(report: &mut Report, node: &'n Node, what: &str) -> Option<&'n str> {
    match &node.content {
        Content::Scalar { text, quoted: true } => Some(text),
        Content::Scalar { text, quoted: false } => match scalar(text) {
            Scalar::Text => Some(text),
            Scalar::Null => {
                report.add("wrong_type", node.at, format!("{what} is empty"));
                None
            }
            Scalar::Ambiguous(other) => {
                report
                    .add("unquoted_text", node.at, format!("{text} is a text here, {other} to other readers of YAML"))
                    .help(format!("put it in quotes: \"{text}\""));
                None
            }
            Scalar::Boolean(_) | Scalar::Number { .. } => {
                report
                    .add("unquoted_text", node.at, format!("{what} is a text, not {}", kind(&node.content)))
                    .help(format!("put it in quotes: \"{text}\""));
                None
            }
        },
        content => {
            report.add("wrong_type", node.at, format!("{what} is a text, not {}", kind(content)));
            None
        }
    }
}

/// One of a few words.
pub(super) fn word<'n>(report: &mut Report, node: &'n Node, what: &str, known: &[&'static str]) -> Option<&'n str> {
    let text = text(report, node, what)?;
    if known.contains(&text) {
        return Some(text);
    }
    let problem = report.add("unknown_word", node.at, format!("{what} is one of {}, not {text}", known.join(", ")));
    if let Some(near) = super::names::nearest(text, known.iter().copied()) {
        problem.help(format!("did you mean {near}?"));
    }
    None
}

/// `true` or `false`.
pub(super) fn truth(report: &mut Report, node: &Node, what: &str) -> Option<bool> {
    if let Content::Scalar { text, quoted: false } = &node.content
        && let Scalar::Boolean(truth) = scalar(text)
    {
        return Some(truth);
    }
    report.add("wrong_type", node.at, format!("{what} is true or false"));
    None
}

/// A number as every reader of YAML reads it.
pub(super) fn number(node: &Node) -> Option<Value> {
    let Content::Scalar { text, quoted: false } = &node.content else { return None };
    match scalar(text) {
        Scalar::Number { value, .. } => Some(value),
        _ => None,
    }
}

/// A whole number within bounds.
pub(super) fn count(report: &mut Report, node: &Node, what: &str, bounds: (u64, u64)) -> Option<u64> {
    let number = number(node).and_then(|number| number.as_u64());
    let number = number.filter(|number| (bounds.0..=bounds.1).contains(number));
    if number.is_none() {
        report.add("wrong_number", node.at, format!("{what} is a whole number from {} to {}", bounds.0, bounds.1));
    }
    number
}

/// A duration in milliseconds: `30s`, `1h30m`.
pub(super) fn duration(report: &mut Report, node: &Node, what: &str) -> Option<u64> {
    let written = match &node.content {
        Content::Scalar { text, .. } => text.as_str(),
        content => {
            report.add("wrong_type", node.at, format!("{what} is a duration such as 30s, not {}", kind(content)));
            return None;
        }
    };
    let parsed = milliseconds(written);
    if parsed.is_none() {
        let problem = report.add("wrong_duration", node.at, format!("{what} is a duration, not {written:?}"));
        if !written.is_empty() && written.chars().all(|mark| mark.is_ascii_digit()) {
            problem.help(format!("give it a unit of ms, s, m, h or d: {written}s"));
        } else {
            problem.help("write numbers with the units ms, s, m, h and d: 30s, 1h30m");
        }
    }
    parsed
}

/// `2s..1m` or `2s`, in milliseconds.
pub(super) fn duration_range(report: &mut Report, node: &Node, what: &str) -> Option<(u64, u64)> {
    if let Content::Scalar { text, .. } = &node.content
        && let Some((from, to)) = text.split_once("..")
    {
        let range = milliseconds(from).zip(milliseconds(to)).filter(|(from, to)| from <= to);
        if range.is_none() {
            report
                .add(
                    "wrong_duration",
                    node.at,
                    format!("{what} goes from a shorter to a longer duration, not {text:?}"),
                )
                .help("write it as 2s..1m");
        }
        return range;
    }
    duration(report, node, what).map(|both| (both, both))
}

/// Milliseconds of a duration with units, more than none and at most a year.
fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|mark: char| !mark.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|mark: char| mark.is_ascii_digit()).unwrap_or(rest.len());
        let each = match &rest[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        rest = &rest[unit..];
        total = total.checked_add(number.checked_mul(each)?)?;
    }
    (1..=366 * 86_400_000).contains(&total).then_some(total)
}

/// A literal value as JSON.
pub(super) fn literal(report: &mut Report, node: &Node) -> Option<Value> {
    match &node.content {
        Content::Scalar { text, quoted: true } => Some(Value::String(text.clone())),
        Content::Scalar { text, quoted: false } => match scalar(text) {
            Scalar::Null => Some(Value::Null),
            Scalar::Boolean(truth) => Some(Value::Bool(truth)),
            Scalar::Number { value, exact } if exact || value.is_f64() && !text.ends_with('0') => Some(value),
            Scalar::Text => Some(Value::String(text.clone())),
            Scalar::Number { .. } => {
                report
                    .add("unquoted_text", node.at, format!("{text} would lose digits as a number"))
                    .help(format!("put it in quotes for a text: \"{text}\""));
                None
            }
            Scalar::Ambiguous(other) => {
                report
                    .add("unquoted_text", node.at, format!("{text} is a text here, {other} to other readers of YAML"))
                    .help(format!("put it in quotes for a text: \"{text}\""));
                None
            }
        },
        Content::List(elements) => {
            let values: Vec<_> = elements.iter().map(|element| literal(report, element)).collect();
            values.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Content::Map(entries) => {
            let members: Vec<_> = entries.iter().map(|entry| (&entry.key, literal(report, &entry.value))).collect();
            members
                .into_iter()
                .map(|(key, value)| value.map(|value| (key.clone(), value)))
                .collect::<Option<Map<_, _>>>()
                .map(Value::Object)
        }
    }
}

/// A list's elements; a single value counts as one.
pub(super) fn one_or_more(node: &Node) -> &[Node] {
    match &node.content {
        Content::List(elements) => elements,
        _ => std::slice::from_ref(node),
    }
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn durations_need_units() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("250ms", Some(250)),
            ("1h30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("30", None),
            ("0s", None),
            ("s", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("400d", None),
            ("", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
