//! Checkpoints as a thread's data keeps them.
//!
//! Those of one commit say nearly the same: the last of them is kept as it is, the others as what
//! differs from it. A later commit never touches an earlier one's, since no seq is used twice.

use std::sync::Arc;

use baton_common::ids::Seq;
use baton_common::records::Checkpoint;

use super::pack::broken;
use super::rows::{json, to_json};
use super::words;
use crate::Error;

/// The texts of the checkpoints of a commit, in their order.
pub(super) fn texts(checkpoints: &[Arc<Checkpoint>]) -> Result<Vec<Vec<u8>>, Error> {
    let Some((last, others)) = checkpoints.split_last() else { return Ok(Vec::new()) };
    let last_text = to_json(last)?;
    let mut texts = Vec::with_capacity(checkpoints.len());
    for checkpoint in others {
        let text = to_json(checkpoint)?;
        let distance = last.seq.0.checked_sub(checkpoint.seq.0).and_then(|distance| u8::try_from(distance).ok());
        let difference = distance.and_then(|distance| words::difference(&text, &last_text, distance));
        texts.push(difference.unwrap_or_else(|| words::shortened(&text).into_owned()));
    }
    texts.push(words::shortened(&last_text).into_owned());
    Ok(texts)
}

/// The checkpoint from which what is kept of that one differs, where it is kept so.
pub(super) fn compared_with(seq: Seq, stored: &[u8]) -> Option<Seq> {
    Some(Seq(seq.0.checked_add(u64::from(words::distance(stored)?))?))
}

/// A checkpoint from what is kept of it and, where it was compared with another, of that.
pub(super) fn checkpoint(stored: &[u8], other: Option<&[u8]>) -> Result<Checkpoint, Error> {
    if words::distance(stored).is_none() {
        return json(stored);
    }
    let other = words::whole(other.ok_or_else(|| broken("a checkpoint's other is missing"))?);
    let text = other.and_then(|other| words::whole_beside(stored, &other));
    json(&text.ok_or_else(|| broken("a checkpoint was cut short by a later program"))?)
}
