//! What cases promise: the shipped machine, in virtual time, with a table for the world.

use std::time::{Duration, Instant};

use baton_embedded::rehearsal::{Played, differences, play};
use baton_engine::spec::cases::{self, Case};
use baton_engine::spec::{self, Source};
use serde_json::json;

/// A play takes a fraction of this; machines may be slow.
const SOON: Duration = Duration::from_secs(30);

const DAY_MS: u64 = 86_400_000;

fn read(graph: &str, cases: &str) -> (spec::Source, baton_engine::graph::Graph, Vec<Case>) {
    let source = Source::new("g.yaml", graph);
    let graph = spec::parse(&source).unwrap_or_else(|problems| panic!("{problems:?}"));
    let file = Source::new("g.test.yaml", format!("graph: ./g.yaml\ncases:\n{cases}"));
    let cases = cases::parse(&file, &graph).unwrap_or_else(|problems| panic!("{problems:?}"));
    (source, graph, cases)
}

/// Plays all cases, which must be as they expect.
#[track_caller]
fn holds(graph: &str, cases: &str) -> Vec<Played> {
    let (source, graph, cases) = read(graph, cases);
    let played = cases.iter().map(|case| {
        let played = play(&graph, &source, case).unwrap();
        assert_eq!(differences(&case.expect, &played), [], "{}: {played:#?}", case.name);
        assert_eq!(played.problems, [""; 0], "{}", case.name);
        played
    });
    played.collect()
}

const APPROVAL: &str = r#"
baton: 1
graph: approval
output: { by: state.by }
state: { by: string }
start: write
nodes:
  write: { tool: { name: notes.write, args: {} }, then: approve }
  approve:
    ask: { title: "Go on?", edit: "'x'", expires: 60d }
    save: { by: output.action }
    then: [ { when: "output.action == 'approve'", to: count }, { to: write } ]
  count: { then: end }
"#;

#[test]
fn an_approval_of_thirty_days_takes_a_moment() {
    let started = Instant::now();
    let played = holds(
        APPROVAL,
        r#"
  - name: after a month
    results: { write: { output: } }
    answers: { approve: { after: 30d, decision: approve } }
    expect: { output: { by: approve }, visited: [write, approve, count], took: 30d }
"#,
    );
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert!((30 * DAY_MS..30 * DAY_MS + 100).contains(&played[0].took_ms), "{}", played[0].took_ms);
}

#[test]
fn a_question_expires_and_answers_are_for_activations_in_order() {
    holds(
        APPROVAL,
        r#"
  - name: nobody answers
    results: { write: { output: } }
    expect: { failure: { code: expired, node: approve }, took: 60d }
  - name: nobody answers the second time
    results: { write: { output: } }
    answers: { approve: [ { after: 2d, decision: reject } ] }
    expect: { failure: { code: expired, node: approve }, visited: [write, approve, write, approve], took: 62d }
  - name: the second time
    results: { write: [ { output: }, { output: } ] }
    answers: { approve: [ reject, { after: 1h, decision: approve } ] }
    expect: { output: { by: approve }, took: 1h }
"#,
    );
}

const WAITS: &str = r#"
baton: 1
graph: waits
output: { order: state.order }
state: { order: integer }
start: paid
nodes:
  paid:
    wait: { signal: payment, match: event.order == 7 }
    save: { order: output.order }
    then: rest
  rest: { wait: { for: 3d }, then: end }
"#;

#[test]
fn signals_come_when_the_case_says_and_what_never_comes_is_waited_for() {
    holds(
        WAITS,
        r#"
  - name: the second is the one
    signals: [ { after: 1d, name: payment, value: { order: 6 } }, { after: 2d, name: payment, value: { order: 7 } } ]
    expect: { output: { order: 7 }, took: 5d }
  - name: nobody pays
    expect: { status: waiting }
  - name: it is called off
    signals: [ { name: payment, value: { order: 7 } } ]
    cancel_after: 1d
    expect: { status: cancelled, took: 1d }
"#,
    );
}

const RETRY: &str = r#"
baton: 1
graph: retry
output: { n: state.n }
state: { n: integer }
start: shaky
nodes:
  shaky:
    tool: { name: shaky, args: {} }
    retry: { attempts: 3, backoff: 1h..2h }
    timeout: 10m
    save: { n: output.n }
    then: end
"#;

#[test]
fn attempts_take_one_row_each_and_the_pauses_between_them() {
    let played = holds(
        RETRY,
        r#"
  - name: the third goes well
    results:
      shaky:
        - { error: { code: away, class: transient } }
        - { error: { code: away, class: transient } }
        - { output: { n: 3 } }
    expect: { output: { n: 3 }, took: 1h30m..3h }
  - name: three are all there are
    results: { shaky: { error: { code: away, class: transient } } }
    expect: { failure: { code: away, node: shaky } }
  - name: an attempt runs past its time
    results: { shaky: { after: 1h, output: { n: 1 } } }
    expect: { failure: { code: timeout, node: shaky }, took: 10m }
"#,
    );
    assert!(played[0].took_ms >= 3_600_000, "{}", played[0].took_ms);
}

const MAP: &str = r#"
baton: 1
graph: map
output: { kept: state.kept, failed: state.failed }
state: { kept: array, failed: array }
start: each
nodes:
  each:
    for_each: "['a', 'b', 'c']"
    on_item_error: collect
    retry: { attempts: 2, backoff: 1s }
    tool: { name: work, args: { name: "{{ item }}" } }
    save: { kept: output, failed: "errors.map(e, e.index)" }
    then: end
"#;

#[test]
fn rows_of_a_map_are_for_its_items() {
    holds(
        MAP,
        r#"
  - name: the second fails
    results: { each: [ { output: 1 }, { error: { code: bad } }, { output: 3 } ] }
    expect: { output: { kept: [1, null, 3], failed: [1] } }
  - name: one item by its number, one with two attempts
    results:
      each: [ { output: 1 }, { output: 2 }, [ { error: { code: away, class: transient } }, { output: 3 } ] ]
      each[0]: { output: 9 }
    expect: { output: { kept: [9, 2, 3], failed: [] } }
"#,
    );
}

const CHILDREN: &str = r#"
baton: 1
graph: caller
output: { all: state.all }
state: { all: array }
start: ready
nodes:
  ready: { then: both }
  both:
    for_each: "['x', 'y']"
    graph: { name: part, args: { name: "{{ item }}" } }
    save: { all: output }
    then: end
graphs:
  part:
    input: { name: string }
    output: { text: state.text }
    state: { text: string }
    start: ask
    nodes:
      ask: { ask: { title: "{{ input.name }}?", fields: { ok: boolean } }, then: work }
      work: { tool: { name: work, args: {} }, save: { text: output }, then: end }
"#;

#[test]
fn nodes_of_called_graphs_stand_behind_their_callers() {
    holds(
        CHILDREN,
        r#"
  - name: each item has its own
    results: { both/work: [ { output: one }, { output: two } ] }
    answers: { both/ask: { after: 2d, decision: { ok: true } }, "both[1]/ask": { after: 4d, decision: { ok: false } } }
    expect:
      output: { all: [ { text: one }, { text: two } ] }
      visited: [ready, both, "both[0]/ask", "both[0]/work", "both[1]/ask", "both[1]/work"]
      took: 4d
"#,
    );
}

const SAGA: &str = r#"
baton: 1
graph: saga
start: first
nodes:
  first: { tool: { name: book, args: {} }, undo: { tool: { name: unbook, args: {} } }, then: second }
  second: { tool: { name: book, args: {} }, undo: { tool: { name: unbook, args: {} } }, then: third }
  third: { tool: { name: book, args: { key: "{{ secret.shop }}" } }, then: end }
"#;

#[test]
fn what_was_done_is_taken_back_latest_first() {
    holds(
        SAGA,
        r#"
  - name: the third fails
    results: { first: { output: 1 }, second: { output: 2 }, third: { error: { code: full } }, second/undo: { after: 3m, output: } }
    expect: { failure: { code: full, node: third }, visited: [first, second, third, second/undo, first/undo], took: 3m }
"#,
    );
}

const GUARDED: &str = r#"
baton: 1
graph: guarded
output: { got: state.got, late: state.late }
state: { got: integer, late: string }
start: pay
nodes:
  pay:
    tool: { name: pay, args: { amount: 500 } }
    approve: { when: args.amount > 100, allow: [approve, reject] }
    then: export
  export:
    tool: { name: export, args: {} }
    poll: { until: output.done, every: 10m..10m }
    save: { got: output.n }
    then: slow
  slow:
    tool: { name: slow, args: {}, queue: cap.big }
    timeout: 20d
    deadline: 10d
    save: { got: "1" }
    on_error: late
    then: end
  late: { save: { late: "'late'" }, then: tell }
  tell: { notify: { name: tell, args: {} }, then: end }
"#;

#[test]
fn approved_calls_polls_and_deadlines_are_played_too() {
    let started = Instant::now();
    holds(
        GUARDED,
        r#"
  - name: long
    results:
      pay: { output: }
      export: [ { output: { done: false } }, { output: { done: false } }, { output: { done: true, n: 3 } } ]
      slow: { after: 15d, output: 1 }
    answers: { pay: { after: 1d, decision: approve } }
    expect:
      output: { got: 3, late: late }
      visited: [pay, export, slow, late, tell]
      took: 11d..11d30m
"#,
    );
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn a_mistaken_expectation_is_told_with_its_place_and_a_missing_result_with_its_node() {
    let (source, graph, cases) = read(
        MAP,
        r#"
  - name: mistaken
    results: { each: { output: 1 } }
    expect: { output: { kept: [1, 2, 1], failed: [] } }
  - name: lacking
    results: { each: [ { output: 1 }, { output: 2 } ] }
    expect: { output: { kept: [1, 2, 3], failed: [] } }
"#,
    );
    let played = play(&graph, &source, &cases[0]).unwrap();
    let found = differences(&cases[0].expect, &played);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].at.as_str(), &found[0].found), ("output.kept[1]", &Some(json!(1))));
    let lacking = play(&graph, &source, &cases[1]).unwrap();
    assert_eq!(lacking.problems, ["results has nothing for call 1 of each[2]"]);
}

#[test]
fn an_answer_that_does_not_fit_is_told() {
    let (source, graph, cases) =
        read(CHILDREN, "  - name: wrong\n    answers: { both/ask: { ok: 7 } }\n    expect: { status: waiting }\n");
    let played = play(&graph, &source, &cases[0]).unwrap();
    assert_eq!(played.status, "waiting", "{played:?}");
    assert!(played.problems[0].starts_with("the answer for both[0]/ask was refused"), "{played:?}");
}

#[test]
fn two_plays_of_a_case_are_the_same() {
    for graph in [RETRY, MAP] {
        let node = if graph == RETRY { "shaky" } else { "each" };
        let text = format!(
            "  - name: one\n    results: {{ {node}: {{ error: {{ code: away, class: transient }} }} }}\n    expect: {{}}\n"
        );
        let (source, graph, cases) = read(graph, &text);
        let first = play(&graph, &source, &cases[0]).unwrap();
        assert_eq!(first, play(&graph, &source, &cases[0]).unwrap());
    }
}

#[test]
fn an_input_that_does_not_fit_is_an_error() {
    let (source, graph, cases) = read(APPROVAL, "  - { name: one, input: { x: 1 }, expect: {} }\n");
    let error = play(&graph, &source, &cases[0]).unwrap_err().to_string();
    assert!(error.contains('x'), "{error}");
}
