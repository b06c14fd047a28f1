//! The five workloads, each as a graph whose nodes compute in place and as one whose nodes
//! are jobs. `workloads.py` has the same shapes, node for node.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Nodes of the chain.
const CHAIN: usize = 1_000;
/// Items of the fan-out, each a run of a graph of its own.
const ITEMS: usize = 100;
/// Turns of each item's loop.
const BUMPS: usize = 10;
/// Tool calls of the agent loop.
const CALLS: usize = 100;
/// Channels of the wide state that carry a payload.
const KEYS: usize = 15;
/// Messages of the wide state until it ends.
const MESSAGES: usize = 300;
/// Calls of the nested graph.
const NESTED: usize = 100;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// It computes in place, within the step.
    Local,
    /// It is a job: handed over, claimed, recorded.
    Jobs,
}

impl Nodes {
    /// What a node says that it does, within braces; nothing where it only computes.
    fn work(self) -> &'static str {
        match self {
            Self::Local => "",
            Self::Jobs => "tool: { name: debug.echo, args: {} }, ",
        }
    }

    /// The same as a line of its own.
    fn work_line(self) -> &'static str {
        match self {
            Self::Local => "",
            Self::Jobs => "tool: { name: debug.echo, args: {} }\n    ",
        }
    }
}

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// A chain of nodes that do nothing.
    Sequential,
    /// A map over items, each a graph that loops.
    FanOut,
    /// A loop of model and tool whose messages, which have ids, grow.
    React,
    /// A loop over nodes that write many channels, with a join.
    WideState,
    /// A loop that calls a graph that calls a graph.
    Nested,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sequential, Self::FanOut, Self::React, Self::WideState, Self::Nested];

    /// Its name, in tables and in `workloads.py`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential_1000",
            Self::FanOut => "fan_out_100",
            Self::React => "react_100",
            Self::WideState => "wide_state_25x300",
            Self::Nested => "nested_100",
        }
    }

    /// Nodes that one run activates, those of called graphs among them.
    #[must_use]
    pub fn nodes(self) -> usize {
        match self {
            Self::Sequential => CHAIN,
            Self::FanOut => ITEMS * (2 + BUMPS) + 1,
            Self::React => 2 * CALLS + 1,
            Self::WideState => MESSAGES / 25 * 7,
            Self::Nested => NESTED * 4,
        }
    }

    /// The input of a run.
    #[must_use]
    pub fn input(self) -> Value {
        match self {
            Self::Sequential | Self::React | Self::Nested => json!({}),
            Self::FanOut => json!({"subjects": (0..ITEMS).map(|n| format!("{n:03}").repeat(300)).collect::<Vec<_>>()}),
            Self::WideState => {
                let cell = json!(["hi ".repeat(10), true, 1, 6_327_816_386_138_u64, null]);
                json!({"payload": (0..25).map(|n| (format!("key-{n:02}"), cell.clone())).collect::<serde_json::Map<_, _>>()})
            }
        }
    }

    /// The graph, as YAML.
    #[must_use]
    pub fn graph(self, nodes: Nodes) -> String {
        match self {
            Self::Sequential => sequential(nodes),
            Self::FanOut => fan_out(nodes),
            Self::React => react(nodes),
            Self::WideState => wide_state(nodes),
            Self::Nested => nested(nodes),
        }
    }
}

fn sequential(nodes: Nodes) -> String {
    let mut text = format!("baton: 1\ngraph: sequential\nlimits: {{ steps: {} }}\nstart: n0\nnodes:\n", CHAIN + 1);
    for number in 0..CHAIN {
        let next = if number + 1 == CHAIN { "end".to_owned() } else { format!("n{}", number + 1) };
        let _ = writeln!(text, "  n{number}: {{ {}then: {next} }}", nodes.work());
    }
    text
}

fn fan_out(nodes: Nodes) -> String {
    let work = nodes.work();
    format!(
        "baton: 1
graph: fan_out
input: {{ subjects: array }}
output: {{ jokes: state.jokes }}
state: {{ jokes: array }}
start: each
nodes:
  each:
    graph: {{ name: joke, args: {{ subject: '{{{{ item }}}}' }} }}
    for_each: input.subjects
    max_parallel: {ITEMS}
    save: {{ jokes: output }}
    then: end
graphs:
  joke:
    baton: 1
    graph: joke
    input: {{ subject: string }}
    output: {{ joke: state.joke }}
    state: {{ subject: string, joke: string, bumps: {{ type: integer, reduce: sum, default: 0 }} }}
    start: edit
    nodes:
      edit: {{ {work}save: {{ subject: \"input.subject + ' hohoho'\" }}, then: write }}
      write: {{ {work}save: {{ joke: \"'a joke about ' + state.subject\" }}, then: bump }}
      bump:
        {{ {work}save: {{ bumps: '1', joke: \"state.joke + '!'\" }},
          then: [ {{ when: state.bumps < {BUMPS}, to: bump }}, {{ to: end }} ] }}
"
    )
}

fn react(nodes: Nodes) -> String {
    let work = nodes.work_line();
    format!(
        "baton: 1
graph: react
output: {{ turns: state.turns }}
state:
  messages:
    type: array
    reduce: messages
    default: [ {{ id: question, role: user, content: what is the weather }} ]
  turns: {{ type: integer, reduce: sum, default: 0 }}
start: model
nodes:
  model:
    {work}save:
      messages: >-
        state.turns < {CALLS}
        ? {{'id': 'model-' + string(state.turns), 'role': 'assistant', 'content': '',
        'tool_calls': [{{'id': 'call-' + string(state.turns), 'name': 'weather', 'args': {{'place': 'here'}}}}]}}
        : {{'id': 'model-' + string(state.turns), 'role': 'assistant', 'content': 'it is sunny'}}
    then: [ {{ when: state.turns < {CALLS}, to: tool }}, {{ to: end }} ]
  tool:
    {work}save:
      messages: >-
        {{'id': 'tool-' + string(state.turns), 'role': 'tool', 'content': 'it is sunny',
        'tool_call_id': 'call-' + string(state.turns)}}
      turns: '1'
    then: model
"
    )
}

fn wide_state(nodes: Nodes) -> String {
    let work = nodes.work();
    let mut state = String::new();
    for key in 0..KEYS {
        let _ = writeln!(state, "  k{key}: {{ type: object, reduce: last }}");
    }
    let writes = |from: usize| {
        let keys = (0..KEYS).filter(|key| key % 5 == from);
        keys.map(|key| format!("k{key}: input.payload")).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "baton: 1
graph: wide_state
input: {{ payload: object }}
output: {{ count: state.count }}
state:
  messages: {{ type: array, reduce: append }}
  count: {{ type: integer, reduce: sum, default: 0 }}
{state}start: one
nodes:
  one: {{ {work}save: {{ messages: 'range25' }}, then: [two, three, four, five, six] }}
"
    )
    .replace("'range25'", &format!("\"[{}]\"", (0..25).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")));
    for (place, name) in ["two", "three", "four", "five", "six"].into_iter().enumerate() {
        let _ = writeln!(text, "  {name}: {{ {work}save: {{ {} }}, then: seven }}", writes(place));
    }
    let _ = writeln!(
        text,
        "  seven:\n    {{ join: all, {work}save: {{ count: '25' }}, then: [ {{ when: state.count < {MESSAGES}, to: one }}, {{ to: end }} ] }}"
    );
    text
}

fn nested(nodes: Nodes) -> String {
    let work = nodes.work();
    format!(
        "baton: 1
graph: nested
output: {{ count: state.count }}
state: {{ count: {{ type: integer, default: 0 }} }}
start: call
nodes:
  call:
    graph: {{ name: middle, args: {{ count: '{{{{ state.count }}}}' }} }}
    save: {{ count: output.count }}
    then: [ {{ when: state.count < {NESTED}, to: call }}, {{ to: end }} ]
graphs:
  middle:
    baton: 1
    graph: middle
    input: {{ count: integer }}
    output: {{ count: state.count }}
    state: {{ count: {{ type: integer, default: 0 }} }}
    start: call
    nodes:
      call:
        graph: {{ name: inner, args: {{ count: '{{{{ input.count }}}}' }} }}
        save: {{ count: output.count }}
        then: end
    graphs:
      inner:
        baton: 1
        graph: inner
        input: {{ count: integer }}
        output: {{ count: state.count }}
        state: {{ count: {{ type: integer, default: 0 }} }}
        start: one
        nodes:
          one: {{ {work}save: {{ count: input.count + 1 }}, then: two }}
          two: {{ {work}then: end }}
"
    )
}
