//! Prepares the content of pages for the library. It passes over two text operators: `'` and
//! `"` show a line of text on the next line, and some writers use nothing else. And it reads
//! pictures that a page draws as if their bytes were operators.

use pdf_extract::content::{Content, Operation};
use pdf_extract::{Document, Object, ObjectId};

/// Rewrites the operators in all pages and in the forms that pages draw, and empties the
/// pictures: they hold no text, and what their bytes happen to spell can cost the page.
pub(super) fn simplify(document: &mut Document) {
    let pages: Vec<ObjectId> = document.get_pages().into_values().collect();
    for page in pages {
        let plain = document.get_page_content(page).ok().and_then(|content| plain(&content));
        if let Some(plain) = plain {
            // A page that cannot be changed is read as it is.
            let _ = document.change_page_content(page, plain);
        }
    }
    for object in document.objects.values_mut() {
        let Object::Stream(stream) = object else { continue };
        match stream.dict.get(b"Subtype").and_then(Object::as_name) {
            Ok(b"Image") => stream.set_plain_content(Vec::new()),
            Ok(b"Form") => {
                if let Some(plain) = stream.decompressed_content().ok().and_then(|content| plain(&content)) {
                    stream.set_plain_content(plain);
                }
            }
            _ => {}
        }
    }
}

/// The content without the two, or nothing if it is without them. Pictures within the
/// content are left out, since they hold no text.
fn plain(content: &[u8]) -> Option<Vec<u8>> {
    if !content.iter().any(|byte| matches!(byte, b'\'' | b'"')) {
        return None;
    }
    let content = Content::decode(content).ok()?;
    if !content.operations.iter().any(|operation| matches!(operation.operator.as_str(), "'" | "\"")) {
        return None;
    }
    let operations = content.operations.into_iter().flat_map(rewritten).collect::<Vec<_>>();
    Content { operations }.encode().ok()
}

fn rewritten(operation: Operation) -> Vec<Operation> {
    let mut operands = operation.operands;
    match (operation.operator.as_str(), operands.len()) {
        ("BI", _) => Vec::new(),
        ("'", 1) => vec![Operation::new("T*", Vec::new()), Operation::new("Tj", operands)],
        ("\"", 3) => {
            let text = operands.split_off(2);
            let letters = operands.split_off(1);
            vec![
                Operation::new("Tw", operands),
                Operation::new("Tc", letters),
                Operation::new("T*", Vec::new()),
                Operation::new("Tj", text),
            ]
        }
        (operator, _) => vec![Operation::new(operator, operands)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_shown_by_quote_operators_are_shown_plainly() {
        let said = plain(b"BT /F 9 Tf 12 TL (don't) Tj (a) ' 1 2 (b) \" ET").unwrap();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said, "BT\n/F 9 Tf\n12 TL\n(don't) Tj\nT*\n(a) Tj\n1 Tw\n2 Tc\nT*\n(b) Tj\nET");
        assert_eq!(plain(b"BT (don't) Tj ET"), None);
    }
}
