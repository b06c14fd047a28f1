//! Small random programs: each can be written as a graph, and run by a plain sequential
//! interpreter that knows nothing of supersteps, snapshots or joins.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Numbers that look random and are the same for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// One block of a program. Channels are named by number: `c3` is written by block 3 alone.
pub(super) enum Block {
    /// A job: `c := (read + plus) * 2`, and `total += read + plus`.
    Job { id: u32, read: Option<u32>, plus: i64 },
    /// No job: `c := read - 1`, and `log` grows by it.
    Local { id: u32, read: Option<u32> },
    /// A map over three numbers whose even ones fail; `c := failures`, `total += sum of the rest`.
    Map { id: u32, read: Option<u32> },
    /// A job that fails: handled, `c := 7`; else the run fails.
    Failing { id: u32, handled: bool },
    /// One of two ways.
    Choice { id: u32, read: Option<u32>, even: Vec<Block>, odd: Vec<Block> },
    /// All of these at once, then on.
    Fork { id: u32, ways: Vec<Vec<Block>> },
    /// So many times.
    Loop { id: u32, turns: i64, body: Vec<Block> },
}

/// A random program.
pub(super) fn program(dice: &mut Dice) -> Vec<Block> {
    let mut next = 0;
    let mut readable = Vec::new();
    blocks(dice, &mut next, &mut readable, 3)
}

fn blocks(dice: &mut Dice, next: &mut u32, readable: &mut Vec<u32>, depth: u32) -> Vec<Block> {
    (0..=dice.below(3)).map(|_| block(dice, next, readable, depth)).collect()
}

fn block(dice: &mut Dice, next: &mut u32, readable: &mut Vec<u32>, depth: u32) -> Block {
    *next += 1;
    let id = *next;
    let read = (!readable.is_empty()).then(|| readable[dice.below(readable.len() as u64) as usize]);
    let kind = dice.below(if depth == 0 { 12 } else { 19 });
    let made = match kind {
        0..=4 => Block::Job { id, read, plus: dice.below(9) as i64 },
        5..=7 => Block::Local { id, read },
        8..=10 => Block::Map { id, read },
        11 => Block::Failing { id, handled: dice.below(8) > 0 },
        12..=13 => {
            let even = blocks(dice, next, &mut readable.clone(), depth - 1);
            let odd = blocks(dice, next, &mut readable.clone(), depth - 1);
            return Block::Choice { id, read, even, odd };
        }
        14..=16 => {
            let mut inner = Vec::new();
            let ways = (0..2 + dice.below(2)).map(|_| {
                let mut own = readable.clone();
                let way = blocks(dice, next, &mut own, depth - 1);
                inner.extend(own.into_iter().filter(|one| !readable.contains(one)));
                way
            });
            let ways = ways.collect();
            readable.extend(inner);
            return Block::Fork { id, ways };
        }
        _ => {
            let turns = 1 + dice.below(3) as i64;
            return Block::Loop { id, turns, body: blocks(dice, next, readable, depth - 1) };
        }
    };
    readable.push(id);
    made
}

/// The program as a graph.
pub(super) fn write(program: &[Block]) -> String {
    let mut text = Text::default();
    let start = text.sequence(program, "end".to_owned());
    text.channel("total: { type: integer, reduce: sum, default: 0 }");
    text.channel("log: { type: array, reduce: append }");
    if start == "end" {
        text.nodes.push_str("  nothing: { then: end }\n");
    }
    let names: Vec<&str> = text.channels.iter().filter_map(|line| line.split(':').next()).collect();
    let output: Vec<String> = names.iter().map(|name| format!("{name}: state.{name}")).collect();
    format!(
        "baton: 1\ngraph: random\ninput: {{}}\noutput: {{ {} }}\nstate:\n  {}\nlimits: {{ steps: 5000 }}\nstart: {start}\nnodes:\n{}",
        output.join(", "),
        text.channels.join("\n  "),
        text.nodes
    )
}

#[derive(Default)]
struct Text {
    channels: Vec<String>,
    nodes: String,
}

impl Text {
    fn channel(&mut self, line: &str) {
        self.channels.push(line.to_owned());
    }

    fn node(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.nodes, "  {line}");
    }

    /// Writes the blocks so that they go on to `next`; gives the first one's name.
    fn sequence(&mut self, blocks: &[Block], next: String) -> String {
        blocks.iter().rev().fold(next, |next, block| self.block(block, &next))
    }

    fn block(&mut self, block: &Block, next: &str) -> String {
        let of = |read: &Option<u32>| read.map_or("0".to_owned(), |read| format!("state.c{read}"));
        match block {
            Block::Job { id, read, plus } => {
                self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
                self.node(format_args!("n{id}: {{ tool: {{ name: t.echo, args: {{ v: \"{{{{ {} + {plus} }}}}\" }} }}, save: {{ c{id}: \"output.v * 2\", total: output.v }}, then: {next} }}", of(read)));
                format!("n{id}")
            }
            Block::Local { id, read } => {
                self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
                self.node(format_args!(
                    "n{id}: {{ save: {{ c{id}: \"{0} - 1\", log: \"{0} - 1\" }}, then: {next} }}",
                    of(read)
                ));
                format!("n{id}")
            }
            Block::Map { id, read } => {
                self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
                self.node(format_args!("n{id}: {{ for_each: {{ in: \"[1, {0}, {0} + 1]\", keep: output.v }}, on_item_error: collect, tool: {{ name: t.odd, args: {{ v: \"{{{{ item }}}}\" }} }}, save: {{ c{id}: size(errors), total: \"(output[1] == null ? 0 : output[1]) + (output[2] == null ? 0 : output[2])\" }}, then: {next} }}", of(read)));
                format!("n{id}")
            }
            Block::Failing { id, handled } => {
                self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
                let on_error = if *handled { format!(", on_error: h{id}") } else { String::new() };
                self.node(format_args!(
                    "n{id}: {{ tool: {{ name: t.fail, args: {{ code: boom }} }}, then: {next}{on_error} }}"
                ));
                if *handled {
                    self.node(format_args!("h{id}: {{ save: {{ c{id}: \"7\" }}, then: {next} }}"));
                }
                format!("n{id}")
            }
            Block::Choice { id, read, even, odd } => {
                let even = self.sequence(even, next.to_owned());
                let odd = self.sequence(odd, next.to_owned());
                self.node(format_args!(
                    "n{id}: {{ then: [ {{ when: \"{} % 2 == 0\", to: {even} }}, {{ to: {odd} }} ] }}",
                    of(read)
                ));
                format!("n{id}")
            }
            Block::Fork { id, ways } => {
                let ways: Vec<String> = ways.iter().map(|way| self.sequence(way, format!("j{id}"))).collect();
                self.node(format_args!("n{id}: {{ then: [{}] }}", ways.join(", ")));
                self.node(format_args!("j{id}: {{ join: all, then: {next} }}"));
                format!("n{id}")
            }
            Block::Loop { id, turns, body } => {
                self.channel(&format!("t{id}: {{ type: integer, reduce: sum, default: 0 }}"));
                let body = self.sequence(body, format!("t{id}"));
                self.node(format_args!("n{id}: {{ save: {{ t{id}: \"null\" }}, then: {body} }}"));
                self.node(format_args!("t{id}: {{ save: {{ t{id}: \"1\" }}, then: [ {{ when: state.t{id} < {turns}, to: {body} }}, {{ to: {next} }} ] }}"));
                format!("n{id}")
            }
        }
    }
}

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
            Block::Job { id, .. } | Block::Local { id, .. } | Block::Map { id, .. } | Block::Failing { id, .. } => {
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
