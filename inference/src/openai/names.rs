//! Names of tools as the wire takes them: letters, digits, `_` and `-`, at most 64. Ours may
//! hold dots and be longer, so each request has a table there and back.
//!
//! What a model is offered comes first, so that its names do not change with what was said.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ChatRequest, ToolChoice};

/// The longest name the wire takes.
const LENGTH_MAX: usize = 64;

/// The table of one request.
#[derive(Debug, Default)]
pub(super) struct Names {
    to_wire: BTreeMap<String, String>,
    from_wire: BTreeMap<String, String>,
}

impl Names {
    /// The names a request holds: those of offered tools, then those of calls in its messages.
    pub(super) fn of(request: &ChatRequest) -> Self {
        let mut names = Self::default();
        let chosen = match &request.tool_choice {
            ToolChoice::Named(name) => Some(name.as_str()),
            ToolChoice::Auto | ToolChoice::None | ToolChoice::Required => None,
        };
        let offered: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).chain(chosen).collect();
        let said: Vec<&str> =
            request.messages.iter().flat_map(|said| &said.tool_calls).map(|call| call.name.as_str()).collect();
        for group in [offered, said] {
            let (fine, others): (BTreeSet<&str>, BTreeSet<&str>) = group.into_iter().partition(|name| is_fine(name));
            // A name that may stay as it is does.
            fine.into_iter().chain(others).for_each(|name| names.add(name));
        }
        names
    }

    /// A tool's name on the wire.
    pub(super) fn to_wire<'n>(&'n self, name: &'n str) -> &'n str {
        self.to_wire.get(name).map_or(name, String::as_str)
    }

    /// The tool a model means; a name nobody told it stays as it is.
    pub(super) fn meant_by(&self, name: &str) -> String {
        self.from_wire.get(name).map_or(name, String::as_str).to_owned()
    }

    fn add(&mut self, name: &str) {
        if self.to_wire.contains_key(name) {
            return;
        }
        let plain: String = name
            .chars()
            .map(|mark| if mark.is_ascii_alphanumeric() || mark == '-' { mark } else { '_' })
            .take(LENGTH_MAX)
            .collect();
        let plain = if plain.is_empty() { "_".to_owned() } else { plain };
        let mut wire = plain.clone();
        let mut number = 2_u32;
        while self.from_wire.contains_key(&wire) {
            let ending = format!("_{number}");
            // Every mark is one byte.
            wire = format!("{}{ending}", &plain[..plain.len().min(LENGTH_MAX - ending.len())]);
            number += 1;
        }
        self.from_wire.insert(wire.clone(), name.to_owned());
        self.to_wire.insert(name.to_owned(), wire);
    }
}

fn is_fine(name: &str) -> bool {
    (1..=LENGTH_MAX).contains(&name.len())
        && name.bytes().all(|mark| mark.is_ascii_alphanumeric() || mark == b'_' || mark == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, Role, ToolCall, ToolDefinition};
    use serde_json::json;

    fn request(offered: &[&str], said: &[&str]) -> ChatRequest {
        let tool = |name: &&str| ToolDefinition {
            name: (*name).to_owned(),
            description: String::new(),
            parameters: json!({}),
        };
        let call = |name: &&str| ToolCall { id: "1".to_owned(), name: (*name).to_owned(), arguments: json!({}) };
        let calls = Message { tool_calls: said.iter().map(call).collect(), ..Message::text(Role::Assistant, "") };
        ChatRequest { tools: offered.iter().map(tool).collect(), messages: vec![calls], ..ChatRequest::default() }
    }

    #[test]
    fn every_name_fits_the_wire_and_comes_back() {
        let long = "x.".repeat(60);
        let longer = format!("{long}y");
        let offered = ["doc.extract", "doc_extract", "doc-extract", "doc.extract_2", &long, &longer, "größe", ""];
        let names = Names::of(&request(&offered, &["doc.extract", "gone.tool", "gone_tool"]));
        let mut seen = BTreeSet::new();
        for name in offered.iter().chain(&["gone.tool", "gone_tool"]) {
            let wire = names.to_wire(name);
            assert!(is_fine(wire), "{name} became {wire}");
            assert!(seen.insert(wire.to_owned()), "{wire} stands for two");
            assert_eq!(names.meant_by(wire), *name);
        }
        assert_eq!((names.to_wire("doc_extract"), names.to_wire("doc.extract")), ("doc_extract", "doc_extract_2"));
        assert_eq!(names.meant_by("never.told"), "never.told");
    }

    #[test]
    fn what_was_said_does_not_rename_what_is_offered() {
        let wire = |said: &[&str]| Names::of(&request(&["a.b"], said)).to_wire("a.b").to_owned();
        assert_eq!((wire(&[]), wire(&["a_b", "a-b"])), ("a_b".to_owned(), "a_b".to_owned()));
    }
}
