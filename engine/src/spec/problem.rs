//! What is wrong with a graph's text, where, and how to put it right.
//!
//! Drawing a problem beside its line is left to the command line.

use serde::{Deserialize, Serialize};

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, lower-case, words joined by `_`; has a page in `docs/errors/`.
    pub code: String,
    /// The file it is in.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where it begins, in bytes from the start of the text.
    pub offset: usize,
    /// How long the marked part is, in bytes; it never goes beyond its line.
    pub length: usize,
    /// What to write beside the marked part.
    pub label: String,
    /// What is wrong, as a phrase.
    pub message: String,
    /// How to put it right; every problem of a graph has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}: {}", self.file, self.line, self.column, self.code, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

/// Every code a problem may have.
pub const CODES: [&str; 51] = [
    "concurrent_writers",
    "duplicate_key",
    "empty",
    "endless_loop",
    "missing_argument",
    "missing_join",
    "missing_key",
    "needs_for_each",
    "never_ends",
    "no_file",
    "no_then",
    "no_use",
    "not_visible",
    "recursive_graph",
    "split_expression",
    "too_large",
    "two_forms",
    "two_works",
    "type_mismatch",
    "unknown_argument",
    "unknown_channel",
    "unknown_graph",
    "unknown_input",
    "unknown_key",
    "unknown_name",
    "unknown_node",
    "unknown_output",
    "unknown_tool",
    "unknown_type",
    "unknown_word",
    "unquoted_expression",
    "unquoted_text",
    "unreachable_arm",
    "unreachable_graph",
    "unreachable_node",
    "unsupported_yet",
    "wrong_arm",
    "wrong_duration",
    "wrong_effect",
    "wrong_expression",
    "wrong_name",
    "wrong_number",
    "wrong_schema",
    "wrong_target",
    "wrong_template",
    "wrong_type",
    "wrong_version",
    "yaml_anchor",
    "yaml_key",
    "yaml_syntax",
    "yaml_tag",
];

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) offset: usize,
    pub(super) length: usize,
}

/// Gathers problems of a graph's file and of those it includes.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// In the order in which they were entered.
    files: Vec<String>,
    current: usize,
    problems: Vec<Problem>,
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self { files: vec![file.to_owned()], current: 0, problems: Vec::new() }
    }

    /// Problems are of this file from now on. Answers what to go back to by [`Report::back`].
    pub(super) fn enter(&mut self, file: &str) -> usize {
        let before = self.current;
        self.current = self.files.iter().position(|known| known == file).unwrap_or_else(|| {
            self.files.push(file.to_owned());
            self.files.len() - 1
        });
        before
    }

    pub(super) fn back(&mut self, to: usize) {
        self.current = to;
    }

    /// Adds a problem; its label is the message until said otherwise.
    pub(super) fn add(&mut self, code: &str, at: Place, message: impl Into<String>) -> &mut Problem {
        debug_assert!(CODES.contains(&code), "{code} is no known code");
        let message = message.into();
        self.problems.push(Problem {
            code: code.to_owned(),
            file: self.files.get(self.current).cloned().unwrap_or_default(),
            line: at.line,
            column: at.column,
            offset: at.offset,
            length: at.length,
            label: message.clone(),
            message,
            help: None,
        });
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    pub(super) fn len(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// All problems in the order of the text, file by file, none twice.
    pub(super) fn finish(self) -> Vec<Problem> {
        let Self { files, mut problems, .. } = self;
        let file = |problem: &Problem| files.iter().position(|file| *file == problem.file);
        for problem in &mut problems {
            let (label, cure) = super::cures::usual(&problem.code);
            if problem.label == problem.message {
                label.clone_into(&mut problem.label);
            }
            problem.help.get_or_insert_with(|| cure.to_owned());
        }
        problems.sort_by_cached_key(|problem| {
            (file(problem), problem.offset, problem.code.clone(), problem.message.clone())
        });
        problems.dedup_by(|next, last| {
            (&next.file, next.offset, &next.code, &next.message) == (&last.file, last.offset, &last.code, &last.message)
        });
        problems
    }
}

impl Problem {
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    /// Suggests a name that is like the one written, or lists those there are.
    pub(super) fn suggest<'n>(&mut self, name: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> &mut Self {
        if let Some(near) = super::names::nearest(name, known.clone()) {
            return self.help(format!("did you mean {near}?"));
        }
        let known: Vec<&str> = known.into_iter().take(24).collect();
        if known.is_empty() { self } else { self.help(format!("there are {}", known.join(", "))) }
    }
}
