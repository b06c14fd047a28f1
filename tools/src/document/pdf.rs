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

#[cfg(test)]
mod tests {
    use super::*;

    /// A PDF with one page that draws a picture of these bytes and then says a sentence.
    fn drawn(picture: &str) -> Vec<u8> {
        let said = "q /Im0 Do Q BT /F1 12 Tf 72 700 Td (The fee is 12 crowns.) Tj ET";
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> /XObject << /Im0 6 0 R >> >> >>"
                .to_owned(),
            format!("<< /Length {} >>\nstream\n{said}\nendstream", said.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
            format!(
                "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 \
                 /Length {} >>\nstream\n{picture}\nendstream",
                picture.len()
            ),
        ];
        let (mut pdf, mut offsets) = ("%PDF-1.4\n".to_owned(), String::new());
        for (number, object) in objects.iter().enumerate() {
            offsets += &format!("{:010} 00000 n \n", pdf.len());
            pdf += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
        }
        let table = pdf.len();
        pdf += &format!("xref\n0 7\n0000000000 65535 f \n{offsets}trailer\n<< /Size 7 /Root 1 0 R >>\n");
        pdf += &format!("startxref\n{table}\n%%EOF\n");
        pdf.into_bytes()
    }

    #[test]
    fn what_the_bytes_of_a_picture_spell_costs_no_text() {
        for picture in ["xyz", "w", "Tf", "1 0 Do", "(not a text) Tj"] {
            let Answer::Read(reading) = read(&drawn(picture)) else { panic!("{picture}: not read") };
            assert_eq!(reading.pages[0].text, "The fee is 12 crowns.", "{picture}");
        }
    }
}
