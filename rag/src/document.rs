//! A document as tools hand it on: what `doc.extract` gave, or text of the caller's own.

use baton_common::Failure;
use baton_tools::{Call, read_value};
use serde::Deserialize;
use serde_json::Value;

use crate::chunk::{Chunk, Source, cut};

/// What `doc.extract` gave, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Document {
    #[serde(default)]
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) text: Value,
}

/// One page of a document.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Page {
    pub(crate) page: u32,
    pub(crate) text: String,
}

impl Document {
    /// The pages, wherever they lie.
    pub(crate) async fn pages(&self, call: &Call) -> Result<Vec<Page>, Failure> {
        pages_of(read_value(self.text.clone(), call).await?)
    }
}

/// Pages from plain text, or from a list of them.
pub(crate) fn pages_of(text: Value) -> Result<Vec<Page>, Failure> {
    match text {
        Value::String(text) => Ok(vec![Page { page: 1, text }]),
        pages => serde_json::from_value(pages).map_err(|error| {
            Failure::invalid("bad_document", format!("text is a string or a list of {{ page, text }}: {error}"))
        }),
    }
}

/// The chunks of a document's pages.
pub(crate) fn chunks(file: &str, media_type: &str, pages: &[Page], size: usize) -> Vec<Chunk> {
    let markdown = media_type == "text/markdown";
    let of_page = |page: &Page| cut(&page.text, &Source { file: file.to_owned(), page: page.page }, markdown, size);
    pages.iter().flat_map(of_page).collect()
}
