//! The text of a PDF, page by page. The library panics on what it does not expect: that
//! costs the page at hand, and the process limits cover the rest.

mod layout;
mod operators;

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document, output_doc_page};

use super::text;
use crate::child::{Answer, Page, Reading};

/// Reads all pages.
pub(super) fn read(bytes: &[u8]) -> Answer {
    let mut document = match catch_unwind(AssertUnwindSafe(|| Document::load_mem(bytes))) {
        Ok(Ok(document)) => document,
        Ok(Err(error)) if is_locked(&error) => return encrypted(),
        _ => return Answer::damaged("the PDF"),
    };
    if document.is_encrypted() && document.decrypt("").is_err() {
        return encrypted();
    }
    let prepared = catch_unwind(AssertUnwindSafe(|| {
        operators::simplify(&mut document);
        document.get_pages().into_keys().collect::<Vec<u32>>()
    }));
    let Ok(numbers) = prepared else { return Answer::damaged("the PDF") };
    let (mut pages, mut damaged_pages) = (Vec::with_capacity(numbers.len()), Vec::new());
    for number in numbers {
        let text = catch_unwind(AssertUnwindSafe(|| text_of(&document, number)));
        let text = text.ok().flatten().unwrap_or_else(|| {
            damaged_pages.push(number);
            String::new()
        });
        pages.push(Page { page: number, text: text::tidy(&text) });
    }
    if damaged_pages.len() == pages.len() {
        return Answer::damaged("the PDF");
    }
    Answer::Read(Reading { media_type: "application/pdf".to_owned(), pages, damaged_pages })
}

fn text_of(document: &Document, page: u32) -> Option<String> {
    let mut layout = layout::Layout::default();
    output_doc_page(document, &mut layout, page).ok()?;
    Some(layout.text)
}

fn is_locked(error: &pdf_extract::Error) -> bool {
    use pdf_extract::Error;
    matches!(error, Error::Decryption(_) | Error::InvalidPassword | Error::UnsupportedSecurityHandler(_))
}

fn encrypted() -> Answer {
    Answer::failed("document_encrypted", "it is encrypted and opens with a password only; save it without one")
}
