//! Finding the passages of documents that answer a question: chunks that know their file
//! and page, and an index over them that is one blob, so that any worker can query it.
//!
//! Getting text out of documents is the part of `doc.extract`, and answering that of a
//! model call.

pub mod bm25;
mod cache;
mod chunk;
mod document;
mod search_index;
mod search_query;
mod text_chunk;
pub mod words;

use std::sync::Arc;

use baton_tools::Tool;

pub use chunk::{Chunk, Source};

/// `text.chunk`, `search.index` and `search.query`.
#[must_use]
pub fn tools() -> Vec<Tool> {
    vec![
        Tool::Cpu(Arc::new(text_chunk::TextChunk)),
        Tool::Cpu(Arc::new(search_index::SearchIndex)),
        Tool::Io(Arc::new(search_query::SearchQuery::default())),
    ]
}
