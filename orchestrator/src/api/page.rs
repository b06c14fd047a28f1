//! Pages of listings: how many, and where the next one begins. The edges share this, so
//! that a token of one is understood by the other.

use baton_common::{RunId, Timestamp};

use super::RunSummary;

/// Entries in a page unless asked for otherwise.
pub(crate) const PAGE_DEFAULT: u32 = 50;
/// The most entries in a page; asking for more gives these.
pub(crate) const PAGE_MAX: u32 = 500;

/// How many a caller asks for: bounded rather than refused.
pub(crate) fn page_size(asked: u32) -> u32 {
    if asked == 0 { PAGE_DEFAULT } else { asked.min(PAGE_MAX) }
}

/// Names where the next page begins, when this one is full.
pub(crate) fn page_token(page: &[RunSummary], limit: u32) -> Option<String> {
    let last = page.last().filter(|_| page.len() >= limit as usize)?;
    Some(token_of((last.created_at, last.run)))
}

/// Names where a page begins.
pub(crate) fn token_of((at, run): (Timestamp, RunId)) -> String {
    format!("{at}.{run}")
}

/// Where the page of that token begins; `None` for what is no token.
pub(crate) fn page_start(token: &str) -> Option<(Timestamp, RunId)> {
    let (at, run) = token.split_once('.')?;
    Some((Timestamp(at.parse().ok()?), run.parse().ok()?))
}
