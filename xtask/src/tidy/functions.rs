//! Functions fit a screen.

use super::Violation;
use super::source::{Source, closing_brace};

const LINES_MAX: usize = 70;

/// At most 70 lines from `fn` to the closing brace.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    let code = source.code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("fn ") {
        let follows_name = at > 0 && (code[at - 1].is_ascii_alphanumeric() || code[at - 1] == b'_');
        let name: String = source.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if follows_name || name.is_empty() {
            continue;
        }
        let Some(end) = body(code, at).and_then(|open| closing_brace(code, open)) else { continue };
        let lines = source.code[at..end].matches('\n').count() + 1;
        if lines > LINES_MAX {
            found.push(source.violation(
                source.code[..at].matches('\n').count() + 1,
                format!("`{name}` has {lines} lines, more than {LINES_MAX}"),
                "what does not fit a screen is not seen at once",
                "give its steps names of their own",
            ));
        }
    }
    found
}

/// The brace that opens the body; `None` for a function that is only declared.
fn body(code: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(text: &str) -> Vec<Violation> {
        check(&Source::new("a/src/b.rs".to_owned(), text.to_owned()))
    }

    #[test]
    fn a_long_function_is_found_at_its_line() {
        let text = format!("//! x\n\nfn long(a: [u8; 4]) -> u8 {{\n{}}}\n", "    a(\"}\");\n".repeat(69));
        let found = found_in(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
        assert!(found[0].what.contains("`long` has 71 lines"), "{}", found[0].what);
    }

    #[test]
    fn short_and_declared_functions_are_fine() {
        let body = "    a();\n".repeat(68);
        assert!(found_in(&format!("fn short() {{\n{body}}}\n")).is_empty());
        assert!(found_in(&format!("trait T {{\n    fn a(&self);\n{}}}\n", "    fn b();\n".repeat(90))).is_empty());
    }
}
