//! Tables of `baton.toml`: names of the operator's own, and what is read by its owner. Their
//! keys are described where the types are that read them, by their doc comments.

use super::Program;

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in the file.
    pub name: &'static str,
    /// How its head is written.
    pub head: &'static str,
    /// Who reads it.
    pub of: &'static [Program],
    /// What it is for, in a sentence.
    pub help: &'static str,
}

const WORKERS: &[Program] = &[Program::Worker, Program::Cli];
const PLANES: &[Program] = &[Program::Orchestrator, Program::Cli];

/// Each of them, by name.
pub const TABLES: &[Table] = &[
    Table {
        name: "documents",
        head: "[documents]",
        of: WORKERS,
        help: "The child processes that read documents, and their limits",
    },
    Table { name: "egress", head: "[egress]", of: WORKERS, help: "Requests to the outside: exceptions and limits" },
    Table { name: "files", head: "[files]", of: WORKERS, help: "What file tools may read" },
    Table {
        name: "prices",
        head: "[prices.\"PROVIDER/MODEL\"]",
        of: WORKERS,
        help: "What models cost, in dollars for a million tokens",
    },
    Table {
        name: "providers",
        head: "[providers.NAME]",
        of: WORKERS,
        help: "Servers that offer OpenAI's chat completions",
    },
    Table { name: "routes", head: "[routes.NAME]", of: WORKERS, help: "The models that graphs mean by a name" },
    Table {
        name: "secrets",
        head: "[secrets]",
        of: PLANES,
        help: "What graphs write as `{{ secret.NAME }}`: `NAME = \"env:VARIABLE\"` or `NAME = \"file:PATH\"`",
    },
    Table { name: "slack", head: "[slack]", of: WORKERS, help: "Where messages to Slack go" },
    Table {
        name: "timing",
        head: "[timing]",
        of: PLANES,
        help: "The hand-over's timings and bounds; each is a variable too: `BATON_TIMING_LEASE_MS`. All replicas want the same",
    },
    Table {
        name: "webhooks",
        head: "[webhooks]",
        of: WORKERS,
        help: "Addresses that graphs mean by a name: `NAME = \"env:VARIABLE\"` or `NAME = \"file:PATH\"`",
    },
];

/// One key of a table: a field of the type that reads it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The field.
    pub name: &'static str,
    /// Its type, as it is written.
    pub kind: &'static str,
    /// Its doc comment, line by line.
    pub lines: &'static [&'static str],
}

impl Key {
    /// What it does.
    #[must_use]
    pub fn help(&self) -> String {
        self.lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
    }

    /// What it takes, by its type and its name; nothing for a type that nobody has described.
    #[must_use]
    pub fn takes(&self) -> Option<&'static str> {
        let kind: String = self.kind.chars().filter(|letter| !letter.is_whitespace()).collect();
        let kind = kind.strip_prefix("Option<").and_then(|rest| rest.strip_suffix('>')).unwrap_or(&kind);
        Some(match kind {
            "u64" | "u32" | "usize" if self.name.contains("_ms") => "milliseconds",
            "u64" | "u32" | "usize" if self.name.contains("seconds") => "seconds",
            "u64" | "u32" | "usize" if self.name.contains("bytes") => "bytes",
            "u64" | "u32" | "usize" => "a number",
            "f64" => "dollars",
            "bool" => "true or false",
            "String" => "text",
            "PathBuf" => "a file",
            "Vec<String>" => "a list of texts",
            "Vec<PathBuf>" => "a list of folders",
            "Vec<Allow>" => "a list of `host:port`",
            "Structured" => "`schema`, `object` or `prompt`",
            _ => return None,
        })
    }
}

/// A struct that is read from a table of `baton.toml`. It is what is written, and has `KEYS`
/// beside: its fields with their doc comments. A field without one does not compile.
#[macro_export]
macro_rules! described {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[doc = $line:literal])+ $field_vis:vis $field:ident: $kind:ty,)+
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[doc = $line])+ $field_vis $field: $kind,)+
        }

        impl $name {
            /// What an operator may write in its table.
            pub const KEYS: &'static [$crate::reference::Key] = &[
                $($crate::reference::Key {
                    name: stringify!($field),
                    kind: stringify!($kind),
                    lines: &[$($line),+],
                },)+
            ];
        }
    };
}
