//! A source file as rules see it: whole, without comments and texts, and without tests.
//!
//! The views keep every line break, so a line number holds in all of them.

use super::Violation;

/// Endings of the files that rules look at.
const WRITTEN: [&str; 9] = [".rs", ".toml", ".md", ".yaml", ".yml", ".sh", ".proto", ".lua", ".sql"];

/// Whether people write files of this name.
pub(super) fn is_written(name: &str) -> bool {
    WRITTEN.iter().any(|ending| name.ends_with(ending)) || name == "Dockerfile" || name == "run"
}

/// One file.
pub(super) struct Source {
    /// From the root of the workspace, with `/`.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
    /// Rust only: comments and what stands between quotes are blank.
    pub(super) code: String,
    /// Rust only: `code` with tests blank; empty in files of tests.
    pub(super) product: String,
}

impl Source {
    pub(super) fn new(path: String, text: String) -> Self {
        let code = if path.ends_with(".rs") { blank_words(&text) } else { String::new() };
        let product = if is_test(&path) { String::new() } else { blank_tests(&code) };
        Self { path, text, code, product }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The first folder: the crate, as a rule.
    pub(super) fn area(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Whether a folder or the file itself is called `name`.
    pub(super) fn lies_in(&self, name: &str) -> bool {
        self.path.split('/').any(|part| part.strip_suffix(".rs").unwrap_or(part) == name)
    }

    pub(super) fn violation(&self, line: usize, what: String, why: &'static str, cure: &'static str) -> Violation {
        Violation { path: self.path.clone(), line, what, why, cure }
    }
}

/// The lines, from 1, where `word` stands as a word of its own.
pub(super) fn lines_with(view: &str, word: &str) -> Vec<usize> {
    let part_of_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let holds = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let bytes = line.as_bytes();
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            let after = bytes.get(at + word.len());
            let (first, last) = (word.as_bytes().first(), word.as_bytes().last());
            !(part_of_name(first) && part_of_name(before) || part_of_name(last) && part_of_name(after))
        })
    };
    view.lines().zip(1..).filter(|(line, _)| holds(line)).map(|(_, number)| number).collect()
}

/// The index of the brace that closes the one at `open`, in a view without texts.
pub(super) fn closing_brace(code: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/")
}

/// Blanks the item after each `#[cfg(test)]`.
fn blank_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let begin = at + mark.len();
        let Some(length) = bytes[begin..].iter().position(|byte| matches!(byte, b'{' | b';')) else { continue };
        let stop = begin + length;
        let end = if bytes[stop] == b'{' { closing_brace(&bytes, stop).unwrap_or(bytes.len() - 1) } else { stop };
        blank(&mut bytes, at, end + 1);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Blanks comments, texts and characters.
fn blank_words(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = word_end(&bytes, at);
        match end {
            Some(end) => {
                blank(&mut bytes, at, end);
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where the comment, text or character ends that begins at `at`; `None` if none does.
fn word_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let in_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(at + block_comment_length(rest)),
        [b'"', ..] => Some(at + text_length(rest)),
        [b'r', ..] | [b'b', b'r', ..] if !in_name => Some(at + raw_text_length(rest)?),
        [b'\'', b'\\', ..] => Some(at + 2 + rest[2..].iter().skip(1).position(|byte| *byte == b'\'')? + 2),
        [b'\'', ..] => {
            // A character ends with a quote; a lifetime does not.
            let width = std::str::from_utf8(&rest[1..rest.len().min(6)])
                .or_else(|error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]))
                .ok()?
                .chars()
                .next()?
                .len_utf8();
            (rest.get(1 + width) == Some(&b'\'')).then_some(at + width + 2)
        }
        _ => None,
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn text_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r#"…"#`; `None` when it is a name that begins with `r`.
fn raw_text_length(rest: &[u8]) -> Option<usize> {
    let open = rest.iter().position(|byte| *byte == b'r')? + 1;
    let hashes = rest[open..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(open + hashes) != Some(&b'"') {
        return None;
    }
    let begin = open + hashes + 1;
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let length = rest[begin..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| begin + length + end.len()))
}

fn blank(bytes: &mut [u8], begin: usize, end: usize) {
    let end = end.min(bytes.len());
    bytes[begin..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blank_and_lines_stay() {
        let text = "a(\"}\\\"{\"); // {\n/* { /* } */ */ let b = '{'; let c: &'a str = r#\"{\"{\"#; '\\'' d '\\u{7f}' é('ü') e";
        let code = blank_words(text);
        assert!(!code.contains(['{', '}', '"']), "{code}");
        assert_eq!(code.lines().count(), 2);
        for kept in ["a(", "let b =", "&'a str", " d ", " e"] {
            assert!(code.contains(kept), "{kept:?} in {code:?}");
        }
    }

    #[test]
    fn tests_are_no_part_of_the_product() {
        let text = "//! x\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod d;\n";
        let source = Source::new("x/src/y.rs".to_owned(), text.to_owned());
        assert!(source.code.contains("fn b") && !source.product.contains("fn b"));
        assert!(
            source.product.contains("fn a") && source.product.contains("fn c") && !source.product.contains("mod d")
        );
        assert_eq!(source.product.lines().count(), text.lines().count());
        assert_eq!(Source::new("x/tests/it/main.rs".to_owned(), text.to_owned()).product, "");
    }

    #[test]
    fn a_word_is_not_found_within_another() {
        assert_eq!(lines_with("Instantly\nmyInstant\n a::Instant;", "Instant"), [3]);
        assert_eq!(lines_with("tokio::spawn\nmytokio::x", "tokio::"), [1]);
    }
}
