//! Nothing names a folder that exists on somebody's machine only.

use super::Violation;
use super::source::Source;

/// Where people and build machines keep their things.
const HOMES: [&str; 4] = ["/home/", "/root/", "/Users/", "/work/"];

/// No path into somebody's folders, in any file.
pub(super) fn check(source: &Source) -> Vec<Violation> {
    if source.path.ends_with("tidy/machine_paths.rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, number) in source.text.lines().zip(1..) {
        if let Some(home) = HOMES.iter().find(|home| begins_a_path(line, home)) {
            found.push(source.violation(
                number,
                format!("a path beneath `{home}`"),
                "it exists on one machine and nowhere else",
                "take it from a setting, a temporary folder or the workspace",
            ));
        }
    }
    found
}

/// Whether `home` stands in `line` as the beginning of a path, not within an address or another path.
fn begins_a_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-/}*>$~".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_folder_is_found_and_an_address_is_not() {
        let count = |text: &str| check(&Source::new("docs/a.md".to_owned(), text.to_owned())).len();
        assert_eq!(count("cd /home/kim/baton\n"), 1);
        assert_eq!(count("let p = \"/root/x\";\n"), 1);
        assert_eq!(count("https://example.com/home/page\n"), 0);
        assert_eq!(count("~/home/x and $DIR/work/x\n"), 0);
    }
}
