//! What files with cases are accepted, and what those that are not get told.

use serde_json::json;

use super::*;
use crate::spec::{Source, parse as parse_graph};

const GRAPH: &str = r#"
baton: 1
graph: shop
start: each
nodes:
  each: { for_each: "['a', 'b']", graph: { name: part, args: {} }, then: pay }
  pay: { tool: { name: pay, args: {} }, undo: { tool: { name: refund, args: {} } }, then: sure }
  sure: { ask: { title: "Sure?", edit: "'x'" }, then: count }
  count: { then: end }
graphs:
  part:
    start: work
    nodes: { work: { tool: { name: work, args: {} }, then: end } }
"#;

fn read(cases: &str) -> Result<Vec<Case>, Vec<String>> {
    let graph = parse_graph(&Source::new("shop.yaml", GRAPH)).unwrap();
    let source = Source::new("shop.test.yaml", format!("graph: ./shop.yaml\ncases:\n{cases}"));
    assert_eq!(graph_of(&source).unwrap(), "./shop.yaml");
    parse(&source, &graph).map_err(|problems| {
        problems.iter().map(|one| format!("{}:{} {} {:?}", one.line, one.column, one.message, one.help)).collect()
    })
}

#[track_caller]
fn refused(case: &str, message: &str) {
    let told = read(&format!("  - name: one\n    expect: {{ status: failed }}\n    {case}\n")).unwrap_err();
    assert!(told.iter().any(|one| one.contains(message)), "{told:?}");
}

#[test]
fn every_part_of_a_case_is_read() {
    let cases = read(
        r#"
  - name: one
    input: { n: 1 }
    results:
      each/work: [ { output: 1 }, [ { error: { code: busy, class: transient } }, { output: 2, after: 5m } ] ]
      each[1]/work: { output: 3 }
      pay: { output: }
      pay/undo: { output: done }
    answers: { sure: [ { after: 30d, decision: approve }, { action: reject } ] }
    signals: [ { after: 2h, name: paid, value: 7 } ]
    cancel_after: 40d
    expect: { failure: { code: busy, node: each }, visited: [each, each/work], took: 30d..31d }
"#,
    )
    .unwrap();
    let case = &cases[0];
    assert_eq!((case.name.as_str(), &case.input, case.cancel_after_ms), ("one", &json!({"n": 1}), Some(3_456_000_000)));
    let work = &case.results["each/work"];
    assert_eq!(work.pick(Some(0), 4).unwrap().outcome, Ok(json!(1)));
    assert_eq!(work.pick(Some(1), 0).unwrap().outcome.as_ref().unwrap_err().code, "busy");
    assert_eq!(work.pick(Some(1), 1), Some(&Scripted { after_ms: 300_000, outcome: Ok(json!(2)) }));
    assert_eq!(work.pick(Some(1), 2), None);
    assert_eq!(case.results["pay"].pick(None, 9).unwrap().outcome, Ok(Value::Null));
    let sure = &case.answers["sure"];
    assert_eq!(
        sure.pick(None, 0).unwrap(),
        &Decided { after_ms: 2_592_000_000, decision: json!({"action": "approve"}) }
    );
    assert_eq!(sure.pick(None, 1).unwrap().decision, json!({"action": "reject"}));
    assert_eq!(case.signals, [Told { after_ms: 7_200_000, name: "paid".to_owned(), value: json!(7) }]);
    assert_eq!((case.expect.status.as_str(), case.expect.code.as_deref()), ("failed", Some("busy")));
    assert_eq!(case.expect.took_ms, Some((2_592_000_000, 2_678_400_000)));
}

#[test]
fn unknown_keys_name_the_nearest() {
    refused("result: {}", "did you mean results?");
    refused("results: { pay: { outptu: 1 } }", "did you mean output?");
    refused("results: { pya: { output: 1 } }", "did you mean pay?");
    refused("results: { each/wrk: { output: 1 } }", "did you mean work?");
    refused("results: { pay: { error: { code: x, class: transent } } }", "did you mean transient?");
}

#[test]
fn rows_for_what_needs_none_are_refused() {
    refused("results: { count: { output: 1 } }", "count runs no job");
    refused("results: { each: { output: 1 } }", "each runs no job");
    refused("answers: { pay: approve }", "pay asks nobody");
    refused("results: { \"pay[1]\": { output: 1 } }", "pay has no items");
    refused("results: { pay/more: { output: 1 } }", "pay calls no graph");
    refused("results: { pay: [ [ { output: 1 } ] ] }", "a result is a map");
    refused("results: { pay: {} }", "a result has an output or an error");
    refused("signals: [ { after: 3, name: x } ]", "after is a duration");
}

#[test]
fn a_file_without_a_graph_or_a_case_without_a_name_is_refused() {
    let told = graph_of(&Source::new("x.test.yaml", "cases: []")).unwrap_err();
    assert_eq!((told[0].code.as_str(), told[0].line), ("missing_key", 1));
    assert!(read("  - { expect: { status: failed } }").unwrap_err()[0].contains("a case needs a name"));
    assert!(read("  - { name: x }").unwrap_err()[0].contains("a case needs expect"));
    let twice = "  - { name: x, expect: {} }\n  - { name: x, expect: {} }";
    assert!(read(twice).unwrap_err()[0].contains("two cases are named x"));
}
