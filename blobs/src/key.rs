//! Where a blob lies within a tenant's area. Checked once, here; that two tenants cannot
//! meet is the stores' part.

use baton_common::Digest;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// The longest part of a key between two slashes, in bytes as a file system counts them.
pub const PART_BYTES_MAX: usize = 200;

/// A relative path of plain parts: none is empty, `.` or `..`, none holds a backslash or
/// a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a blob key: {rule}")]
pub struct Error {
    /// The rule it breaks.
    pub rule: &'static str,
}

impl Key {
    /// Checks the text.
    ///
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let broken = |rule| Err(Error { rule });
        if text.is_empty() || text.len() > KEY_BYTES_MAX {
            return broken("it has 1 to 512 bytes");
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return broken("it holds neither backslashes nor control characters");
        }
        for part in text.split('/') {
            match part {
                "" => return broken("it is relative and no part of it is empty"),
                "." | ".." => return broken("no part of it is `.` or `..`"),
                part if written_bytes(part) > PART_BYTES_MAX => return broken("each part fits in a file name"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The key of content with that digest: `values/ab/abcd…`, the same in every process.
    #[must_use]
    pub fn of_content(digest: Digest) -> Self {
        let digest = digest.to_string();
        Self(format!("values/{}/{digest}", &digest[..2]))
    }

    /// A key of its own for that content: no other mark shares it.
    #[must_use]
    pub fn of_content_marked(digest: Digest, mark: u64) -> Self {
        Self(format!("{}-{mark:016x}", Self::of_content(digest)))
    }

    /// This key with another one behind it.
    ///
    /// # Errors
    /// When `rest` is no key or the whole is too long.
    pub fn join(&self, rest: &str) -> Result<Self, Error> {
        Self::parse(rest)?;
        Self::parse(&format!("{}/{rest}", self.0))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Stores escape what is not plain ASCII as three bytes each.
fn written_bytes(part: &str) -> usize {
    part.bytes().map(|byte| if byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte) { 1 } else { 3 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_its_area() {
        for text in
            ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "a/./b", "a\\..\\b", "a\0b", "a\nb"]
        {
            assert!(Key::parse(text).is_err(), "{text:?}");
        }
        assert!(Key::parse(&"x".repeat(201)).is_err());
        assert!(Key::parse(&"ü".repeat(40)).is_err());
        assert!(Key::parse(&["abcdefgh"; 60].join("/")).is_err());
    }

    #[test]
    fn ordinary_names_are_keys() {
        for text in ["report.md", "a/b/c.txt", "issue 12.md", "Größe.md", "..a", "a..b", "%2e%2e"] {
            assert_eq!(Key::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn equal_content_has_one_key() {
        let key = Key::of_content(Digest::of("x"));
        assert_eq!(key, Key::of_content(Digest::of("x")));
        assert_ne!(key, Key::of_content(Digest::of("y")));
        assert!(Key::parse(key.as_str()).is_ok());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn whatever_is_a_key_stays_beneath_its_area(text in "[./\\\\a%\u{0}\u{2024}\u{ff0e}\u{2215} -]{1,20}|\\PC{1,40}") {
            let area = std::path::Path::new("/area/t-local");
            if let Ok(key) = Key::parse(&text) {
                let joined = area.join(key.as_str());
                proptest::prop_assert!(joined.starts_with(area), "{}", joined.display());
                let plain = joined.components().all(|part| {
                    !matches!(part, std::path::Component::ParentDir | std::path::Component::CurDir)
                });
                proptest::prop_assert!(plain && !key.as_str().contains(['\0', '\\']), "{text:?}");
            }
        }
    }
}
