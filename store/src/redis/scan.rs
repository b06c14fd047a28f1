//! Every text that the server holds, a few keys at a time. Indexes, events and audit entries
//! name no blob that a record does not name.

use std::borrow::Cow;

use baton_common::Partition;
use baton_common::ids::Seq;
use redis::{Pipeline, cmd};

use super::link::Links;
use super::pack::broken;
use super::{checkpoints, words};
use crate::{Error, Show};

/// Keys looked at in one go.
const KEYS: u32 = 200;
/// Fields of a hash read in one go.
const FIELDS: u32 = 100;

pub(super) async fn scan(links: &Links, show: &Show) -> Result<(), Error> {
    let of = Partition(0);
    if links.clustered() {
        // One server knows a part of the keys: what it does not show would count as not needed.
        return Err(Error::Broken("the records of a Redis cluster are not shown as a whole".to_owned()));
    }
    for pattern in ["{p*", "baton:graphs:*"] {
        let mut cursor = 0_u64;
        loop {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(KEYS);
            let (next, keys): (u64, Vec<String>) = links.command(of, &command).await?;
            let mut kinds = Pipeline::new();
            for key in &keys {
                kinds.cmd("TYPE").arg(key);
            }
            let kinds: Vec<String> = if keys.is_empty() { Vec::new() } else { links.pipeline(of, &kinds).await? };
            for (key, kind) in keys.iter().zip(kinds) {
                match kind.as_str() {
                    "hash" => hash(links, key, show).await?,
                    "string" => {
                        let text: Option<Vec<u8>> = links.command(of, cmd("GET").arg(key)).await?;
                        shown(&text.unwrap_or_default(), show);
                    }
                    "list" => {
                        let texts: Vec<Vec<u8>> = links.command(of, cmd("LRANGE").arg(key).arg(0).arg(-1)).await?;
                        texts.iter().for_each(|text| shown(text, show));
                    }
                    _ => {}
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    Ok(())
}

async fn hash(links: &Links, key: &str, show: &Show) -> Result<(), Error> {
    let mut cursor = 0_u64;
    loop {
        let mut command = cmd("HSCAN");
        command.arg(key).arg(cursor).arg("COUNT").arg(FIELDS);
        let (next, fields): (u64, Vec<Vec<u8>>) = links.command(Partition(0), &command).await?;
        for pair in fields.chunks(2) {
            pair.iter().for_each(|text| shown(text, show));
            if let [field, text] = pair {
                compared(links, key, field, text, show).await?;
            }
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

/// Shows a checkpoint whole that is kept as what differs from another of its thread.
async fn compared(links: &Links, key: &str, field: &[u8], text: &[u8], show: &Show) -> Result<(), Error> {
    let number = std::str::from_utf8(field).ok().and_then(|field| field.strip_prefix('c')?.parse().ok());
    let Some(other) = number.and_then(|number| checkpoints::compared_with(Seq(number), text)) else { return Ok(()) };
    let mut command = cmd("HGET");
    command.arg(key).arg(format!("c{other}"));
    let other: Option<Vec<u8>> = links.command(Partition(0), &command).await?;
    // Both go together when their thread goes.
    let Some(other) = other else { return Ok(()) };
    let whole = words::whole(&other).and_then(|other| words::whole_beside(text, &other));
    show(&whole.ok_or_else(|| broken("a checkpoint was cut short by a later program"))?);
    Ok(())
}

/// Shows a text as it lies there, and whole where its words are cut short.
fn shown(text: &[u8], show: &Show) {
    show(text);
    if let Some(Cow::Owned(whole)) = words::whole(text) {
        show(&whole);
    }
}
