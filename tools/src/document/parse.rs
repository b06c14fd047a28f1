//! Within the child: what kind of document it is, and its pages. Leaves the formats to
//! their own files.

use super::{drill, html, pdf, text};
use crate::child::{Answer, Page, Reading, Task};
use crate::media;

/// Reads the document.
pub(crate) fn parse(task: &Task, bytes: &[u8]) -> Answer {
    if task.drills
        && let Some(what) = drill::asked(bytes)
    {
        return drill::obey(&what);
    }
    let head = &bytes[..bytes.len().min(1024)];
    let promised = media::of_name(&task.name);
    let answer = if head.windows(5).any(|window| window == b"%PDF-") {
        pdf::read(bytes)
    } else {
        match promised {
            "application/pdf" => Answer::damaged("it is called a PDF but does not begin like one; it"),
            "text/html" => one_page(promised, text::decode(bytes, true).map(|text| html::text_of(&text))),
            "text/markdown" | "text/plain" | "text/csv" => one_page(promised, text::decode(bytes, false)),
            _ => Answer::failed("document_unsupported", "only PDF, HTML, Markdown and text can be read"),
        }
    };
    match answer {
        Answer::Read(reading) if reading.pages.iter().all(|page| page.text.trim().is_empty()) => {
            let message = match reading.media_type.as_str() {
                "application/pdf" => "its pages hold no text, only pictures; run text recognition over it first",
                _ => "it is empty",
            };
            Answer::failed("document_without_text", message)
        }
        answer => answer,
    }
}

fn one_page(media_type: &str, text: Option<String>) -> Answer {
    let Some(text) = text else {
        return Answer::damaged("it is called a text but holds binary data; it");
    };
    let pages = vec![Page { page: 1, text: text::tidy(&text) }];
    Answer::Read(Reading { media_type: media_type.to_owned(), pages, damaged_pages: Vec::new() })
}
