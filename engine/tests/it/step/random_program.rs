//! Small random programs, and each as a graph.

use std::fmt::Write as _;

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
    /// Several jobs of which the first to end counts: `c := 5`; beside them maybe one that
    /// leads elsewhere too, with `total += 5`.
    Race { id: u32, ways: u64, aside: bool },
    /// A map over three items that need each other and fail where their number divides by 4;
    /// `c := failures`, `total += what the last one gave`.
    Needs { id: u32, read: Option<u32> },
    /// A call of a graph, with a job in it or without: `c := read + 3`, `total += 1`; it
    /// fails where its input divides by 5, and is handled with `c := 7`.
    Call { id: u32, read: Option<u32>, job: bool },
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
    let kind = dice.below(if depth == 0 { 17 } else { 24 });
    let made = match kind {
        0..=4 => Block::Job { id, read, plus: dice.below(9) as i64 },
        5..=7 => Block::Local { id, read },
        8..=10 => Block::Map { id, read },
        11 => Block::Failing { id, handled: dice.below(8) > 0 },
        12 => Block::Race { id, ways: 1 + dice.below(3), aside: dice.below(2) == 0 },
        13..=14 => Block::Needs { id, read },
        15..=16 => Block::Call { id, read, job: dice.below(2) == 0 },
        17..=18 => {
            let mut even = blocks(dice, next, &mut readable.clone(), depth - 1);
            let mut odd = blocks(dice, next, &mut readable.clone(), depth - 1);
            // Where ways meet again, validation cannot tell that a late arrival is dropped.
            without_asides(&mut even);
            without_asides(&mut odd);
            return Block::Choice { id, read, even, odd };
        }
        19..=21 => {
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

fn without_asides(blocks: &mut [Block]) {
    for block in blocks {
        match block {
            Block::Race { aside, .. } => *aside = false,
            Block::Choice { even, odd, .. } => [even, odd].into_iter().for_each(|way| without_asides(way)),
            Block::Fork { ways, .. } => ways.iter_mut().for_each(|way| without_asides(way)),
            Block::Loop { body, .. } => without_asides(body),
            _ => {}
        }
    }
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
        "baton: 1\ngraph: random\ninput: {{}}\noutput: {{ {} }}\nstate:\n  {}\nlimits: {{ steps: 5000 }}\nstart: {start}\n{}nodes:\n{}",
        output.join(", "),
        text.channels.join("\n  "),
        if text.graphs.is_empty() { String::new() } else { format!("graphs:\n{}", text.graphs) },
        text.nodes
    )
}

#[derive(Default)]
struct Text {
    channels: Vec<String>,
    graphs: String,
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
                self.node(format_args!("n{id}: {{ tool: {{ name: t.echo, args: {{ v: \"{{{{ {} + {plus} }}}}\" }} }}, save: {{ c{id}: \"output.v * 2\", total: output.v }}, then: {next}{} }}", of(read), undo(*id)));
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
            Block::Race { id, ways, aside } => self.race(*id, *ways, *aside, next),
            Block::Needs { id, read } => self.needs(*id, &of(read), next),
            Block::Call { id, read, job } => self.call(*id, &of(read), *job, next),
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

    fn race(&mut self, id: u32, ways: u64, aside: bool, next: &str) -> String {
        self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
        let mut names: Vec<String> = (0..ways).map(|way| format!("r{id}_{way}")).collect();
        for name in &names {
            self.node(format_args!("{name}: {{ tool: {{ name: t.echo, args: {{}} }}, then: j{id} }}"));
        }
        if aside {
            names.push(format!("s{id}"));
            self.node(format_args!("s{id}: {{ tool: {{ name: t.echo, args: {{}} }}, then: [j{id}, w{id}] }}"));
            self.node(format_args!("w{id}: {{ save: {{ total: \"5\" }}, then: end }}"));
        }
        self.node(format_args!("n{id}: {{ then: [{}] }}", names.join(", ")));
        self.node(format_args!("j{id}: {{ join: any, save: {{ c{id}: \"5\" }}, then: {next} }}"));
        format!("n{id}")
    }

    fn needs(&mut self, id: u32, read: &str, next: &str) -> String {
        self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
        let items = format!(
            "[{{'id': 'c', 'v': 3, 'needs': ['a', 'b']}}, {{'id': 'b', 'v': 2, 'needs': ['a']}}, {{'id': 'a', 'v': {}, 'needs': []}}]",
            read
        );
        self.node(format_args!("n{id}: {{ for_each: {{ in: \"{items}\", by: item.id, after: item.needs, keep: output.v }}, on_item_error: collect, tool: {{ name: t.sum, args: {{ v: \"{{{{ item.v }}}}\", deps: \"{{{{ deps }}}}\" }} }}, save: {{ c{id}: size(errors), total: \"output.c == null ? 0 : output.c\" }}, then: {next}{} }}", undo(id)));
        format!("n{id}")
    }

    fn call(&mut self, id: u32, read: &str, job: bool, next: &str) -> String {
        self.channel(&format!("c{id}: {{ type: integer, default: 0 }}"));
        let work =
            if job { format!("tool: {{ name: t.echo, args: {{ v: 0 }} }}{}, ", undo(id)) } else { String::new() };
        let _ = writeln!(
            self.graphs,
            "  g{id}:\n    input: {{ n: integer }}\n    output: {{ n: state.n }}\n    state: {{ n: integer }}\n    start: a\n    nodes:\n      a: {{ {work}save: {{ n: input.n + 3 }}, then: [ {{ when: input.n % 5 == 0, fail: five }}, {{ to: end }} ] }}"
        );
        self.node(format_args!("n{id}: {{ graph: {{ name: g{id}, args: {{ n: \"{{{{ {} }}}}\" }} }}, save: {{ c{id}: output.n, total: \"1\" }}, then: {next}, on_error: h{id} }}", read));
        self.node(format_args!("h{id}: {{ save: {{ c{id}: \"7\" }}, then: {next} }}"));
        format!("n{id}")
    }
}

/// Half of what can be taken back is.
fn undo(id: u32) -> String {
    if id.is_multiple_of(2) {
        format!(", undo: {{ tool: {{ name: t.undo, args: {{ of: \"n{id} {{{{ output.v }}}}\" }} }} }}")
    } else {
        String::new()
    }
}
