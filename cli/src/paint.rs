//! Colours where somebody sees them: on a terminal, unless NO_COLOR is set.

use std::io::{IsTerminal, stderr, stdout};

/// Paints for one stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn stdout() -> Self {
        Self { on: stdout().is_terminal() && wanted() }
    }

    pub(crate) fn stderr() -> Self {
        Self { on: stderr().is_terminal() && wanted() }
    }

    /// Without colours.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { on: false }
    }

    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    pub(crate) fn bold(self, text: impl ToString) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: impl ToString) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: impl ToString) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: impl ToString) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: impl ToString) -> String {
        self.with("33", text)
    }

    pub(crate) fn cyan(self, text: impl ToString) -> String {
        self.with("36", text)
    }

    /// A run's status in its colour.
    pub(crate) fn status(self, status: &str) -> String {
        match status {
            "succeeded" => self.green(status),
            "failed" | "stuck" => self.red(status),
            "waiting" | "cancelling" | "cancelled" | "undoing" => self.yellow(status),
            _ => self.cyan(status),
        }
    }

    fn with(self, code: &str, text: impl ToString) -> String {
        let text = text.to_string();
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text of others without what would drive a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && letter != '\n' && letter != '\t' { '\u{fffd}' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_drives_no_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
