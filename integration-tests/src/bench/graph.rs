//! The graph that is measured: a loop whose every turn is one job that gives back what it
//! was given.

use serde_json::{Value, json};

/// Bytes of text that go into each job and come back.
const TEXT_BYTES: usize = 200;

/// One `debug.echo` per turn; the count is the only channel.
pub const GRAPH: &str = "
baton: 1
graph: loop
input: { turns: integer, text: string }
output: { turns: state.turns }
state: { turns: { type: integer, default: 0 } }
limits: { steps: 100000 }
start: turn
nodes:
  turn:
    tool: { name: debug.echo, args: { turn: '{{ state.turns }}', text: '{{ input.text }}' } }
    save: { turns: state.turns + 1 }
    then:
      - { when: state.turns < input.turns, to: turn }
      - { to: end }
";

/// The input of a run of so many turns.
#[must_use]
pub fn input(turns: usize) -> Value {
    json!({"turns": turns, "text": "x".repeat(TEXT_BYTES)})
}
