//! The graphs that the cluster is measured with; the loop is that of `bench steps`.

use serde_json::{Value, json};

/// Bytes of the replaced channel of a suspended run.
const STATE_BYTES: usize = 1_024;
/// Bytes of each message of a suspended run, which has four.
const MESSAGE_BYTES: usize = 256;
/// Messages, each of a superstep of its own.
const MESSAGES: usize = 4;

/// The name of [`single`].
pub(super) const SINGLE: &str = "single";
/// The name of [`suspended`].
pub(super) const SUSPENDED: &str = "suspended";

/// One job, and the end.
pub(super) fn single() -> String {
    "
baton: 1
graph: single
input: { text: string }
output: { text: state.text }
state: { text: string }
start: turn
nodes:
  turn:
    tool: { name: debug.echo, args: { text: '{{ input.text }}' } }
    save: { text: output.text }
    then: end
"
    .to_owned()
}

/// Its input: as much as a turn of the loop has.
pub(super) fn single_input() -> Value {
    json!({"text": "x".repeat(200)})
}

/// Supersteps that need nobody, five checkpoints with the first, and a question that stays open.
pub(super) fn suspended() -> String {
    let (text, message) = ("s".repeat(STATE_BYTES), "m".repeat(MESSAGE_BYTES));
    let steps: String = (2..=MESSAGES)
        .map(|step| {
            let next = if step == MESSAGES { "ask".to_owned() } else { format!("say{}", step + 1) };
            format!("  say{step}: {{ save: {{ said: '\"{message}\"' }}, then: {next} }}\n")
        })
        .collect();
    format!(
        "
baton: 1
graph: suspended
input: {{ number: integer }}
output: {{ answer: state.answer }}
state: {{ text: string, answer: string, said: {{ type: array, reduce: append }} }}
start: keep
nodes:
  keep: {{ save: {{ text: '\"{text}\"', said: '\"{message}\"' }}, then: say2 }}
{steps}  ask:
    ask: {{ title: 'Shall it go on?', fields: {{ text: string }} }}
    save: {{ answer: output.text }}
    then: end
"
    )
}

/// Bytes of state in a run of it: what its user wrote, without names, quotes or control.
pub(super) const SUSPENDED_STATE_BYTES: usize = STATE_BYTES + MESSAGES * MESSAGE_BYTES;

/// The name of the fan-out over so many items.
pub(super) fn fan_name(items: usize) -> String {
    format!("fan-{items}")
}

/// A job for each of so many items, all of them at once, and a join.
pub(super) fn fan(items: usize) -> String {
    format!(
        "
baton: 1
graph: {}
input: {{ items: array }}
output: {{ done: state.done }}
state: {{ done: integer }}
start: each
nodes:
  each:
    for_each: {{ in: input.items, as: item }}
    tool: {{ name: debug.echo, args: {{ item: '{{{{ item }}}}' }} }}
    max_parallel: {items}
    save: {{ done: size(output) }}
    then: end
",
        fan_name(items)
    )
}

/// Its input.
pub(super) fn fan_input(items: usize) -> Value {
    json!({"items": (0..items).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use baton_engine::spec;

    #[test]
    fn every_graph_is_valid() {
        for text in [super::single(), super::suspended(), super::fan(100)] {
            if let Err(errors) = spec::parse(&spec::Source::new("bench.yaml", text.as_str())) {
                panic!("{errors:?}\n{text}");
            }
        }
    }
}
