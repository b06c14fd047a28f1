//! Files are short and begin by saying what they are for.

use super::Violation;
use super::source::Source;

const LINES_MAX: usize = 500;

/// At most 500 lines, and `//!` first.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    if !source.is_rust() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        found.push(source.violation(
            lines,
            format!("{lines} lines, more than {LINES_MAX}"),
            "one file holds one idea; two are hard to see in one",
            "split it by ideas, each under the noun it is about",
        ));
    }
    if !source.text.starts_with("//!") {
        found.push(source.violation(
            1,
            "the file does not begin with `//!`".to_owned(),
            "a reader wants to know what a file is for, and what it leaves to others",
            "begin with `//!` and say both",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: String) -> Vec<usize> {
        check(&Source::new("a/src/b.rs".to_owned(), text)).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_long_file_and_one_without_a_header_are_found() {
        assert_eq!(lines_of(format!("//! Header.\n{}", "\n".repeat(499))), Vec::<usize>::new());
        assert_eq!(lines_of(format!("//! Header.\n{}", "\n".repeat(500))), [501]);
        assert_eq!(lines_of("// No header.\n".to_owned()), [1]);
        assert_eq!(lines_of(String::new()), [1]);
    }
}
