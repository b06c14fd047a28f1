//! From bytes to text, and text in one spelling: no ligatures, soft hyphens, trailing
//! blanks or towers of empty lines.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// The text in its encoding: by its mark, as UTF-8, as an HTML page says, else as the old
/// Western one. Nothing if it is no text.
pub(super) fn decode(bytes: &[u8], html: bool) -> Option<String> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return Some(encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned());
    }
    if bytes.contains(&0) {
        return None;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let declared = if html { declared(bytes) } else { None };
    let encoding = declared.filter(|encoding| *encoding != UTF_8).unwrap_or(WINDOWS_1252);
    Some(encoding.decode_without_bom_handling(bytes).0.into_owned())
}

/// What `charset=` says within an HTML page's first bytes.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let (_, rest) = head.split_once("charset=")?;
    let label: String = rest
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
        .collect();
    Encoding::for_label(label.as_bytes())
}

/// One spelling.
pub(super) fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty_lines = 0;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        if !tidy.is_empty() {
            tidy.push_str(if empty_lines > 0 { "\n\n" } else { "\n" });
        }
        empty_lines = 0;
        for c in line.chars() {
            match c {
                '\u{fb00}' => tidy.push_str("ff"),
                '\u{fb01}' => tidy.push_str("fi"),
                '\u{fb02}' => tidy.push_str("fl"),
                '\u{fb03}' => tidy.push_str("ffi"),
                '\u{fb04}' => tidy.push_str("ffl"),
                '\u{fb05}' | '\u{fb06}' => tidy.push_str("st"),
                '\u{a0}' | '\u{2007}' | '\u{202f}' => tidy.push(' '),
                '\u{ad}' | '\u{200b}' | '\u{feff}' | '\u{0}' => {}
                c => tidy.push(c),
            }
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_understood_in_the_encodings_people_use() {
        assert_eq!(decode("Größe".as_bytes(), false).unwrap(), "Größe");
        assert_eq!(decode(b"Gr\xf6\xdfe", false).unwrap(), "Größe");
        assert_eq!(decode(b"\xff\xfeG\x00r\x00", false).unwrap(), "Gr");
        assert_eq!(decode(b"\xef\xbb\xbfhi", false).unwrap(), "hi");
        let page = b"<meta charset=\"windows-1251\">\xcf\xf0\xe8";
        assert!(decode(page, true).unwrap().ends_with("При"));
        assert_eq!(decode(b"PK\x03\x04\x00\x00", false), None);
    }

    #[test]
    fn text_has_one_spelling() {
        assert_eq!(tidy("\n\n of\u{fb01}ce  \n\n\n\nsoft\u{ad}ly\u{a0}x\nend\n"), " office\n\nsoftly x\nend");
    }
}
