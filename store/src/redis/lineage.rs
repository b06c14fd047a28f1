//! Checkpoints and pieces of a thread: what a fork shares lies at the thread it was made from.

use baton_common::ids::{Seq, ThreadKey};
use baton_common::records::{Body, Checkpoint, Span};
use redis::cmd;

use super::link::Links;
use super::{checkpoints, history, keys, rows};
use crate::Error;

/// Pieces of a channel read in one command.
const SEGMENTS_PAGE: u64 = 500;

/// The thread that one was forked from, where the state of that seq is shared with it.
async fn origin(links: &Links, key: &ThreadKey, seq: Seq) -> Result<Option<ThreadKey>, Error> {
    let command = cmd("HGET").arg(keys::thread(key)).arg("o").take();
    let row: Option<Vec<u8>> = links.command(key.partition(), &command).await?;
    let origin = row.map(|row| history::origin(&row)).transpose()?;
    Ok(origin.filter(|origin| seq <= origin.seq).map(|origin| origin.thread))
}

pub(super) async fn checkpoint(links: &Links, key: &ThreadKey, seq: Seq) -> Result<Option<Checkpoint>, Error> {
    let mut of = key.clone();
    loop {
        if let Some(text) = stored(links, &of, seq).await? {
            let other = match checkpoints::compared_with(seq, &text) {
                Some(other) => stored(links, &of, other).await?,
                None => None,
            };
            return checkpoints::checkpoint(&text, other.as_deref()).map(Some);
        }
        match origin(links, &of, seq).await? {
            Some(thread) => of = thread,
            None => return Ok(None),
        }
    }
}

async fn stored(links: &Links, key: &ThreadKey, seq: Seq) -> Result<Option<Vec<u8>>, Error> {
    let command = cmd("HGET").arg(keys::data(key)).arg(format!("c{seq}")).take();
    links.command(key.partition(), &command).await
}

pub(super) async fn segments(links: &Links, key: &ThreadKey, channel: &str, span: Span) -> Result<Vec<Body>, Error> {
    let mut pieces = Vec::new();
    let mut first = span.base;
    while first < span.end {
        let end = span.end.min(first + SEGMENTS_PAGE);
        page(links, key, channel, first..end, &mut pieces).await?;
        first = end;
    }
    Ok(pieces)
}

/// Some pieces of a channel, behind those that are there already.
async fn page(
    links: &Links,
    key: &ThreadKey,
    channel: &str,
    numbers: std::ops::Range<u64>,
    pieces: &mut Vec<Body>,
) -> Result<(), Error> {
    let mut found: Vec<Option<Body>> = numbers.clone().map(|_| None).collect();
    let mut of = key.clone();
    loop {
        let mut command = cmd("HMGET");
        command.arg(keys::data(&of));
        for number in numbers.clone() {
            command.arg(format!("s{channel}#{number}"));
        }
        let texts: Vec<Option<Vec<u8>>> = links.command(of.partition(), &command).await?;
        for (place, text) in found.iter_mut().zip(texts) {
            if place.is_none() {
                *place = text.map(rows::body).transpose()?;
            }
        }
        let origin = if found.iter().any(Option::is_none) { origin(links, &of, Seq(0)).await? } else { None };
        match origin {
            Some(thread) => of = thread,
            None => {
                pieces.extend(found.into_iter().flatten());
                return Ok(());
            }
        }
    }
}
