//! What a random program comes to, told by a plain sequential interpreter that knows nothing
//! of supersteps, snapshots or joins.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::random_program::Block;

/// What a program leaves, or that it fails.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) channels: BTreeMap<String, i64>,
    pub(super) total: i64,
    pub(super) log: Vec<i64>,
    pub(super) failed: bool,
}

impl Outcome {
    /// What it comes to as the graph's output, `log` sorted.
    pub(super) fn output(mut self) -> Value {
        self.log.sort_unstable();
        let mut members: Map<String, Value> =
            self.channels.into_iter().map(|(name, value)| (name, json!(value))).collect();
        members.insert("total".to_owned(), json!(self.total));
        members.insert("log".to_owned(), json!(self.log));
        Value::Object(members)
    }

    /// Runs a program from top to bottom.
    pub(super) fn run(&mut self, blocks: &[Block]) {
        for block in blocks {
            if self.failed {
                return;
            }
            self.block(block);
        }
    }

    fn read(&self, read: &Option<u32>) -> i64 {
        read.and_then(|read| self.channels.get(&format!("c{read}")).copied()).unwrap_or(0)
    }

    fn set(&mut self, id: u32, value: i64) {
        self.channels.insert(format!("c{id}"), value);
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Job { id, read, plus } => {
                let value = self.read(read) + plus;
                self.set(*id, value * 2);
                self.total += value;
            }
            Block::Local { id, read } => {
                let value = self.read(read) - 1;
                self.set(*id, value);
                self.log.push(value);
            }
            Block::Map { id, read } => {
                let read = self.read(read);
                self.set(*id, 1);
                self.total += if read % 2 == 0 { read + 1 } else { read };
            }
            Block::Race { id, aside, .. } => {
                self.set(*id, 5);
                self.total += if *aside { 5 } else { 0 };
            }
            Block::Needs { id, read } => {
                let a = self.read(read);
                self.set(*id, if a % 4 == 0 { 3 } else { 0 });
                self.total += if a % 4 == 0 { 0 } else { 3 + a + (2 + a) };
            }
            Block::Call { id, read, .. } if self.read(read) % 5 == 0 => self.set(*id, 7),
            Block::Call { id, read, .. } => {
                self.set(*id, self.read(read) + 3);
                self.total += 1;
            }
            Block::Failing { id, handled: true } => self.set(*id, 7),
            Block::Failing { handled: false, .. } => self.failed = true,
            Block::Choice { read, even, odd, .. } => {
                let way = if self.read(read) % 2 == 0 { even } else { odd };
                self.run(way);
            }
            Block::Fork { ways, .. } => ways.iter().for_each(|way| self.run(way)),
            Block::Loop { id, turns, body } => {
                for _ in 0..*turns {
                    self.run(body);
                }
                self.channels.insert(format!("t{id}"), *turns);
            }
        }
    }
}

/// Names every number of a program, so that what was never written reads as 0.
pub(super) fn zeroes(blocks: &[Block], into: &mut BTreeMap<String, i64>) {
    for block in blocks {
        match block {
            Block::Job { id, .. }
            | Block::Local { id, .. }
            | Block::Map { id, .. }
            | Block::Failing { id, .. }
            | Block::Race { id, .. }
            | Block::Needs { id, .. }
            | Block::Call { id, .. } => {
                into.insert(format!("c{id}"), 0);
            }
            Block::Choice { even, odd, .. } => {
                zeroes(even, into);
                zeroes(odd, into);
            }
            Block::Fork { ways, .. } => ways.iter().for_each(|way| zeroes(way, into)),
            Block::Loop { id, body, .. } => {
                into.insert(format!("t{id}"), 0);
                zeroes(body, into);
            }
        }
    }
}
