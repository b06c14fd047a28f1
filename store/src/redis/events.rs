//! Events and audit entries: one stream of each per partition.
//!
//! An entry of the event stream holds all events of one transition. Readers of one run go
//! through it from the new end, which is where what they have not seen lies.

use baton_common::records::{Audit, AuditHead, Event, group_or_empty};
use baton_common::{Partition, RunId, Version};
use redis::cmd;

use super::codes::event_of;
use super::link::Links;
use super::pack::{Fields, Packer, broken};
use super::replies::run_of;
use super::{keys, rows};
use crate::{AuditPage, Error};

/// Entries read in one command.
const PAGE: usize = 200;

/// Ids and fields of a stream's entries.
pub(super) type Entries = Vec<(String, Vec<(String, Vec<u8>)>)>;

/// Events of a run behind `after`, in order.
pub(super) async fn events(links: &Links, run: RunId, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
    let command = cmd("HGET").arg(keys::run(run)).arg("s").take();
    let state: Option<Vec<u8>> = links.command(run.partition, &command).await?;
    let Some(state) = state else { return Ok(Vec::new()) };
    if rows::state_row(&state)?.state.events <= after {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut end = "+".to_owned();
    loop {
        let command =
            cmd("XREVRANGE").arg(keys::events(run.partition)).arg(&end).arg("-").arg("COUNT").arg(PAGE).take();
        let page: Entries = links.command(run.partition, &command).await?;
        let last = page.len() < PAGE;
        for (id, fields) in page {
            end = format!("({id}");
            let mut entry = entry(run.partition, &fields)?;
            entry.retain(|event| event.run == run);
            let first = entry.first().map(|event| event.seq);
            found.extend(entry.into_iter().rev().filter(|event| event.seq > after));
            // The first event of a run is its submit: what lies before is of one long gone.
            if first.is_some_and(|seq| seq <= after + 1) {
                return Ok(in_order(found, limit));
            }
        }
        if last {
            return Ok(in_order(found, limit));
        }
    }
}

fn in_order(mut found: Vec<Event>, limit: u32) -> Vec<Event> {
    found.reverse();
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found
}

/// The events of one entry: the run, the moment, and six values each.
pub(super) fn entry(partition: Partition, fields: &[(String, Vec<u8>)]) -> Result<Vec<Event>, Error> {
    let (_, packed) = fields.first().ok_or_else(|| broken("an event"))?;
    let mut fields = Fields::of(packed)?;
    let run = run_of(partition, &fields.text()?)?;
    let at = fields.moment()?;
    let mut events = Vec::new();
    while !fields.is_empty() {
        events.push(Event {
            run,
            seq: fields.number()?,
            at,
            kind: event_of(fields.small()?)?,
            group: group_or_empty::parse(&fields.text()?).map_err(|_| broken("an event's group"))?,
            index: fields.small_or_none()?,
            number: fields.number()?,
            text: fields.text()?.into(),
        });
    }
    Ok(events)
}

/// Audit entries of a partition, old ones first.
pub(super) async fn audit(links: &Links, partition: Partition, limit: Option<u32>) -> Result<Vec<Audit>, Error> {
    let mut command = cmd("XRANGE");
    command.arg(keys::audit(partition)).arg("-").arg("+");
    if let Some(limit) = limit {
        command.arg("COUNT").arg(limit);
    }
    let entries: Entries = links.command(partition, &command).await?;
    entries.iter().map(|(_, fields)| audit_of(partition, fields)).collect()
}

/// Audit entries from one end on, or behind the entry of that id.
pub(super) async fn audit_page(
    links: &Links,
    partition: Partition,
    after: Option<&str>,
    limit: u32,
    newest_first: bool,
) -> Result<AuditPage, Error> {
    let (name, first, last) = if newest_first { ("XREVRANGE", "+", "-") } else { ("XRANGE", "-", "+") };
    let start = after.map_or_else(|| first.to_owned(), |id| format!("({id}"));
    let command = cmd(name).arg(keys::audit(partition)).arg(start).arg(last).arg("COUNT").arg(limit).take();
    let found: Entries = links.command(partition, &command).await?;
    let full = found.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = found.last().filter(|_| full).map(|(id, _)| id.clone());
    let entries = found.iter().map(|(_, fields)| audit_of(partition, fields)).collect::<Result<_, _>>()?;
    Ok(AuditPage { entries, next })
}

/// Where the audit log ends.
pub(super) async fn audit_head(links: &Links, partition: Partition) -> Result<Option<AuditHead>, Error> {
    let row: Option<Vec<u8>> = links.command(partition, cmd("GET").arg(keys::audit_head(partition))).await?;
    let Some(row) = row else { return Ok(None) };
    let mut fields = Fields::of(&row)?;
    Ok(Some(AuditHead { number: fields.number()?, link: fields.text()? }))
}

/// An audit entry as its script takes it.
pub(super) fn setback(entry: &Audit) -> Vec<u8> {
    let packed = Packer::default().bytes(entry.actor.as_str()).bytes(&entry.operation).bytes(&entry.subject);
    let packed = packed.number(entry.before.0).number(entry.after.0).bytes(&entry.verdict);
    packed.bytes(entry.run.uuid.simple().to_string()).bytes(entry.tenant.to_string()).finish()
}

fn audit_of(partition: Partition, fields: &[(String, Vec<u8>)]) -> Result<Audit, Error> {
    let (_, packed) = fields.first().ok_or_else(|| broken("an audit entry"))?;
    let mut fields = Fields::of(packed)?;
    let mut entry = Audit {
        at: fields.moment()?,
        tenant: fields.text()?.parse().map_err(|_| broken("a tenant"))?,
        actor: fields.text()?.parse().map_err(|_| broken("an actor"))?,
        operation: fields.text()?,
        run: run_of(partition, &fields.text()?)?,
        subject: fields.text()?,
        before: Version(fields.number()?),
        after: Version(fields.number()?),
        verdict: fields.text()?,
        number: 0,
        prior: String::new(),
    };
    // Entries of before the chain end here.
    if !fields.is_empty() {
        (entry.number, entry.prior) = (fields.number()?, fields.text()?);
    }
    Ok(entry)
}
