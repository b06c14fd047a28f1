//! A piece of a document, small enough to be read and large enough to be understood.

use serde::{Deserialize, Serialize};
use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

/// Characters of a chunk unless a call says otherwise.
pub(crate) const SIZE: usize = 800;
/// The bounds of what a call may say.
pub(crate) const SIZE_RANGE: (usize, usize) = (100, 8000);

/// Where a piece stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The document.
    pub file: String,
    /// Its page, from 1.
    pub page: u32,
}

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its words.
    pub text: String,
    /// Where it stands.
    pub source: Source,
}

/// Cuts one page. A chunk never spans pages, so that its page is certain.
pub(crate) fn cut(text: &str, source: &Source, markdown: bool, size: usize) -> Vec<Chunk> {
    let config = ChunkConfig::new(size.clamp(SIZE_RANGE.0, SIZE_RANGE.1));
    let chunk = |text: &str| Chunk { text: text.to_owned(), source: source.clone() };
    if markdown {
        MarkdownSplitter::new(config).chunks(text).map(chunk).collect()
    } else {
        TextSplitter::new(config).chunks(text).map(chunk).collect()
    }
}
