//! Forks, edits, retries and changes of version as their scripts take them, and the rows of threads they write.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::Segment;
use baton_common::ids::{ChannelName, InterruptId, RunId, ThreadKey};
use baton_common::records::{Checkpoint, Origin, SetBack};
use baton_common::transition::{Edit, Fork, Repin, Retry};
use baton_common::{GroupId, JobId, Seq};

use super::checkpoints;
use super::commands::{Guess, run};
use super::pack::{Fields, Packer, broken};
use crate::Error;

/// Fields of a thread's data, as a list of names and values.
pub(super) fn data(packer: Packer, checkpoints: &[Arc<Checkpoint>], segments: &[Segment]) -> Result<Packer, Error> {
    let mut packer = packer.list((checkpoints.len() + segments.len()) * 2);
    for (checkpoint, text) in checkpoints.iter().zip(checkpoints::texts(checkpoints)?) {
        packer = packer.bytes(format!("c{}", checkpoint.seq)).bytes(text);
    }
    for segment in segments {
        packer = packer.bytes(format!("s{}#{}", segment.channel, segment.number)).bytes(&segment.body);
    }
    Ok(packer)
}

/// Fields of a thread's channels, as a list of names and values.
pub(super) fn channels<'a>(packer: Packer, channels: impl Iterator<Item = (&'a ChannelName, Seq)>) -> Packer {
    let channels: BTreeMap<_, _> = channels.collect();
    let packer = packer.list(channels.len() * 2);
    channels.into_iter().fold(packer, |packer, (channel, seq)| packer.bytes(format!("c{channel}")).number(seq.0))
}

/// An earlier state of a thread.
pub(super) fn set_back_row(back: &SetBack) -> Vec<u8> {
    channels(Packer::default().number(back.seq.0), back.channels.iter().map(|(channel, seq)| (channel, *seq))).finish()
}

pub(super) fn set_back(row: &[u8]) -> Result<SetBack, Error> {
    let mut fields = Fields::of(row)?;
    let mut back = SetBack { seq: Seq(fields.number()?), channels: BTreeMap::new() };
    let mut list = fields.list()?;
    while !list.is_empty() {
        let channel = list.text()?;
        let name = channel.strip_prefix('c').ok_or_else(|| broken("a channel's field"))?;
        back.channels.insert(name.into(), Seq(list.number()?));
    }
    Ok(back)
}

fn origin_row(origin: &Origin) -> Vec<u8> {
    let ThreadKey { tenant, thread } = &origin.thread;
    Packer::default().bytes(tenant.to_string()).bytes(thread.to_string()).number(origin.seq.0).finish()
}

pub(super) fn origin(row: &[u8]) -> Result<Origin, Error> {
    let mut fields = Fields::of(row)?;
    let tenant = fields.text()?.parse().map_err(|_| broken("a tenant"))?;
    let thread = fields.text()?.parse().map_err(|_| broken("a thread's name"))?;
    Ok(Origin { thread: ThreadKey { tenant, thread }, seq: Seq(fields.number()?) })
}

/// What a fork begins with: its origin, head, data and channels, and what the audit calls it.
pub(super) fn fork(packer: Packer, fork: &Fork) -> Result<Packer, Error> {
    let mut written: BTreeMap<&ChannelName, Seq> =
        fork.head.channels.iter().map(|(channel, seq)| (channel, *seq)).collect();
    let (mut head, mut checkpoints, mut segments) = (fork.head.seq, &[][..], &[][..]);
    if let Some((checkpoint, pieces)) = &fork.edit {
        head = checkpoint.seq;
        (checkpoints, segments) = (std::slice::from_ref(checkpoint), pieces.as_slice());
        written.extend(checkpoint.writes.keys().map(|channel| (channel, checkpoint.seq)));
    }
    let packer = data(packer.list(7).bytes(origin_row(&fork.origin)).number(head.0), checkpoints, segments)?;
    let packer = channels(packer, written.into_iter());
    let packer = packer.bytes(format!("{}#{}", fork.origin.thread.thread, fork.origin.seq));
    Ok(packer.bytes(fork.origin.thread.to_string()).number(fork.origin.seq.0))
}

pub(super) fn edit(op: &Edit) -> Result<Vec<u8>, Error> {
    let checkpoint = &op.checkpoint;
    let packer = Packer::default()
        .bytes(op.thread.to_string())
        .number(checkpoint.seq.0)
        .number(checkpoint.parent.0)
        .bytes(checkpoint.hash.to_string());
    let packer = data(packer, std::slice::from_ref(checkpoint), &op.segments)?;
    let packer = channels(packer, checkpoint.writes.keys().map(|channel| (channel, checkpoint.seq)));
    Ok(packer.bytes(op.actor.as_str()).bytes(format!("{}#{}", op.thread.thread, checkpoint.seq)).finish())
}

pub(super) fn retry(op: &Retry, guess: &Guess) -> Vec<u8> {
    let packer = run(op.run).number(op.seen.0);
    let packer = match &op.from {
        Some(back) => {
            channels(packer.list(2).number(back.seq.0), back.channels.iter().map(|(channel, seq)| (channel, *seq)))
        }
        None => packer.flag(false),
    };
    let packer = packer.bytes(op.actor.as_str());
    let packer = packer.bytes(op.subject());
    let packer = packer.moment_or_none(op.deadline).list(guess.names.len());
    let named = guess.names.iter();
    named.fold(packer, |packer, (group, names)| packer.list(2).bytes(group).bytes(names)).finish()
}

pub(super) fn repin(op: &Repin) -> Vec<u8> {
    let packer = run(op.run).number(op.seen.0).bytes(op.graph.to_string());
    packer.bytes(op.op().0).bytes(op.actor.as_str()).finish()
}

/// The names a group of a retried run needs: ids of questions, 32 digits each, or uuids of
/// children, 36 characters each.
pub(super) fn names(op: &Retry, group: &str, asks: bool, count: u32) -> Result<String, Error> {
    let group: GroupId = group.parse().map_err(|_| broken("a group id"))?;
    let job = |index| JobId { run: op.run, r#gen: op.seen.next(), group: group.clone(), index };
    Ok(if asks {
        (0..count).map(|index| InterruptId::of(&job(index), 0).to_string()).collect()
    } else {
        (0..count).map(|index| RunId::for_child(&job(index)).uuid.to_string()).collect()
    })
}
