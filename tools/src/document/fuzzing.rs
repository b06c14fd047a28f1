//! What `fuzz/` throws bytes at: pages and texts, read in this process.

use super::parse::parse;
use crate::child::{Answer, Task};

/// How many bytes of text a document of that name has; nothing where it has none.
#[must_use]
pub fn words(name: &str, bytes: &[u8]) -> Option<usize> {
    if bytes.windows(5).any(|window| window == b"%PDF-") {
        return None;
    }
    let task = Task {
        name: name.to_owned(),
        bytes: bytes.len() as u64,
        memory_bytes_max: 0,
        cpu_seconds_max: 0,
        drills: false,
    };
    match parse(&task, bytes) {
        Answer::Read(reading) => Some(reading.pages.iter().map(|page| page.text.len()).sum()),
        Answer::Failed { .. } => None,
    }
}
