//! What is landed is finished: no reminders, stubs or tests that do not run.

use super::Violation;
use super::source::{Source, lines_with};

const WHY: &str = "what is left open here is forgotten here";
const CURE: &str = "finish it, or open an issue and leave the code whole without it";

/// Reminders, in code and in texts alike.
const REMINDERS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Stubs and tests that are not run.
const STUBS: [&str; 3] = ["todo!", "unimplemented!", "#[ignore"];

/// No reminder in any file, no stub or ignored test in code.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    if source.path.ends_with("tidy/unfinished.rs") {
        return Vec::new();
    }
    let reminders = REMINDERS.iter().map(|word| (word, &source.text));
    let stubs = STUBS.iter().map(|word| (word, &source.code));
    let found = reminders
        .chain(stubs)
        .flat_map(|(word, view)| lines_with(view, word).into_iter().map(move |line| (line, word)));
    found.map(|(line, word)| source.violation(line, format!("`{word}`"), WHY, CURE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminders_stubs_and_ignored_tests_are_found() {
        let text = "// TODO later\nfn a() { todo!() }\n#[ignore = \"slow\"]\nlet b = \"todo!\";\n";
        let found = check(&Source::new("a/src/b.rs".to_owned(), text.to_owned()));
        assert_eq!(found.iter().map(|violation| violation.line).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(check(&Source::new("docs/a.md".to_owned(), "FIXME\n".to_owned())).len(), 1);
    }
}
