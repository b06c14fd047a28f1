//! Agents of all kinds: that the graphs they become are sound, how often their nodes may run,
//! and what is wrong with one. That they run is shown by the command line's tests.

use baton_engine::graph::Graph;
use baton_engine::spec::{Known, Problem, Source, calls, includes, parse_canonical, parse_with};
use serde_json::{Value, json};

/// A graph of one agent with these settings beside `route` and `user`, in YAML's flow style.
fn text(settings: &str, beside: &str) -> String {
    format!(
        "baton: 1
graph: g
input: {{ q: string }}
output: {{ text: state.text }}
state: {{ text: string, said: {{ type: array, reduce: messages, keep: true }} }}
start: a
graphs:
  find:
    input: {{ word: string }}
    output: {{ found: state.found }}
    state: {{ found: string }}
    start: n
    nodes: {{ n: {{ save: {{ found: input.word }}, then: end }} }}
nodes:
  a:
    agent: {{ route: r, user: \"{{{{ input.q }}}}\", {settings} }}
    {beside}
    then: end
  other: {{ graph: {{ name: find, args: {{ word: x }} }}, then: a }}
"
    )
    .replace("start: a\ngraphs", "start: other\ngraphs")
}

fn read(settings: &str, beside: &str) -> Result<Graph, Vec<Problem>> {
    let known = Known { agents: Some(baton_agents::graph), ..Known::default() };
    parse_with(&Source::new("g.yaml", text(settings, beside)), &known)
}

#[track_caller]
fn sound(settings: &str, beside: &str) -> Graph {
    read(settings, beside).unwrap_or_else(|problems| panic!("{settings}: {problems:#?}"))
}

/// The graph that the agent became.
#[track_caller]
fn made(graph: &Graph) -> Value {
    serde_json::from_str(&graph.children["a.agent"].source).unwrap()
}

const KINDS: [&str; 4] = [
    "kind: tools, tools: [{ graph: find, about: finds }, t.echo]",
    "kind: plan, plans: 2, max_parallel: 3, tools: [{ graph: find, about: 'finds {{ words' }, t.echo]",
    "kind: supervisor, max_parallel: 3, tools: [t.echo], team: { a: { about: x, system: 'You, {{ input.q }}', route: s, rounds: 2, tools: [t.echo, { graph: find, about: y }] }, b-c: { about: y, graph: find } }",
    "kind: review, reviews: 2, tools: [t.echo, { graph: find, about: y }], reviewer: { route: s, system: 'Be strict, {{ input.q }}' }",
];
const BESIDE: &str =
    "retry: { attempts: 2, backoff: 1s }\n    timeout: 1m\n    approve: { when: \"item.name == 't.echo'\" }";

#[test]
fn agents_of_all_kinds_take_all_settings_and_stand_in_the_canonical_text() {
    for kind in KINDS {
        for more in ["", ", system: s, history: said", ", fields: { sure: boolean }, temperature: 0.5, max_tokens: 100"]
        {
            let graph = sound(&format!("{kind}{more}"), BESIDE);
            let again = parse_canonical(&graph.source).unwrap();
            assert_eq!((again.hash, format!("{again:#?}")), (graph.hash, format!("{graph:#?}")), "{kind}");
            let made = made(&graph);
            let asks_for_json = if more.contains("fields") { "state.json" } else { "null" };
            assert_eq!(made["output"]["json"], asks_for_json, "{kind}");
            assert!(made["output"]["messages"].is_string() && made["output"]["text"].is_string());
        }
    }
}

/// All nodes of these graphs that do something.
fn at_work<'g>(graph: &'g Value, work: &str, found: &mut Vec<&'g Value>) {
    found.extend(
        graph["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values()).filter(|node| node[work].is_object()),
    );
    graph["graphs"]
        .as_object()
        .into_iter()
        .flat_map(|graphs| graphs.values())
        .for_each(|graph| at_work(graph, work, found));
}

#[test]
fn every_call_is_tried_again_and_every_call_of_a_tool_is_approved() {
    for kind in KINDS {
        let made = made(&sound(kind, BESIDE));
        let (mut chats, mut tools) = (Vec::new(), Vec::new());
        at_work(&made, "chat", &mut chats);
        at_work(&made, "tool", &mut tools);
        assert!(!chats.is_empty() && !tools.is_empty(), "{kind}");
        for call in chats.iter().chain(&tools) {
            assert_eq!((&call["retry"]["attempts"], &call["timeout"]), (&json!(2), &json!("1m")), "{kind}: {call}");
        }
        assert!(tools.iter().all(|tool| tool["approve"].is_object()), "{kind}: {tools:#?}");
    }
}

#[test]
fn a_graph_is_offered_with_what_it_takes() {
    let graph = sound("kind: tools, tools: [{ graph: find, name: word.find, about: finds }]", "");
    let child = &graph.children["a.agent"];
    let calls = child.nodes.values().find_map(|node| match &node.work {
        baton_engine::graph::Work::Tool(call) => Some(call.offered().cloned().collect::<Vec<_>>()),
        _ => None,
    });
    let offered = json!([{"name": "word.find", "description": "finds", "input_schema": child.children["find"].input}]);
    assert_eq!(json!(calls), offered);
}

#[test]
fn graphs_and_texts_that_agents_name_are_part_of_the_graph() {
    let settings = "kind: supervisor, tools: [{ graph: ./parts/one.yaml, about: x }], team: { a: { about: x, graph: two }, b: { about: y, system: { file: b.md }, tools: [{ graph: three@1, about: x }] } }";
    let source = Source::new("g.yaml", text(settings, ""));
    assert_eq!(includes(&source), ["b.md", "parts/one.yaml"]);
    assert_eq!(calls(&source), ["three@1", "two"]);
    let source = Source::new("g.yaml", text("kind: review, reviewer: { system: { file: r.md } }", ""));
    assert_eq!(includes(&source), ["r.md"]);
}

#[test]
fn what_is_wrong_with_a_kind_is_told_at_its_place() {
    let told = |settings: &str| {
        let problems = read(settings, "").err().unwrap_or_default();
        problems.iter().map(|problem| format!("{} {}", problem.code, problem.line)).collect::<Vec<_>>()
    };
    for (settings, code) in [
        ("kind: tools, team: { a: { about: x } }", "no_use"),
        ("kind: tools, max_parallel: 3", "no_use"),
        ("kind: plan, reviews: 3", "no_use"),
        ("kind: review, plans: 3", "no_use"),
        ("kind: supervisor, reviewer: { route: r }, team: { a: { about: x } }", "no_use"),
        ("kind: plan, plans: 0", "wrong_number"),
        ("kind: review, reviews: 101", "wrong_number"),
        ("kind: supervisor", "missing_key"),
        ("kind: supervisor, team: {}", "missing_key"),
        ("kind: supervisor, team: [a]", "wrong_type"),
        ("kind: supervisor, team: { a: {} }", "missing_key"),
        ("kind: supervisor, team: { a.b: { about: x } }", "wrong_name"),
        ("kind: supervisor, team: { a: { about: x, tool: [x] } }", "unknown_key"),
        ("kind: supervisor, team: { a: { about: x, graph: find, rounds: 3 } }", "no_use"),
        ("kind: supervisor, tools: [a], team: { a: { about: x } }", "duplicate_key"),
        ("kind: supervisor, team: { a: { about: x, graph: fnd } }", "unknown_graph"),
        ("kind: supervisor, team: { a: { about: x, system: '{{ input.x }}' } }", "unknown_input"),
        ("kind: review, reviewer: { system: '{{ output }}' }", "not_visible"),
        ("kind: review, reviewer: { about: x }", "unknown_key"),
        ("kind: tools, tools: [{ graph: find }]", "missing_key"),
        ("kind: tools, tools: [{ graph: find, about: x }, find]", "duplicate_key"),
        ("kind: tools, tools: [{ graph: './a b.yaml', about: x }]", "wrong_name"),
        ("kind: plan, tools: [{ name: own, description: d, input_schema: { type: object } }]", "unknown_key"),
    ] {
        let told = told(settings);
        assert!(told.contains(&format!("{code} 16")), "{settings}: {told:?}");
    }
}

#[test]
fn an_agent_keeps_within_what_the_graph_around_it_may_use() {
    for kind in KINDS {
        let text =
            text(kind, "").replace("start: other", "limits: { tokens: 500, cost_usd: 1, steps: 9 }\nstart: other");
        let known = Known { agents: Some(baton_agents::graph), ..Known::default() };
        let mut graphs = vec![made(&parse_with(&Source::new("g.yaml", text), &known).unwrap())];
        while let Some(graph) = graphs.pop() {
            let of_agent = graph["graph"].as_str().unwrap().ends_with(".agent");
            let limits = (graph["limits"]["tokens"].as_u64(), graph["limits"]["cost_usd"].as_f64());
            assert_eq!(limits, if of_agent { (Some(500), Some(1.0)) } else { (None, None) }, "{kind}: {graph}");
            graphs.extend(graph["graphs"].as_object().into_iter().flat_map(|graphs| graphs.values().cloned()));
        }
    }
}

#[test]
fn an_agents_graph_may_run_all_its_turns() {
    for (settings, steps) in [
        // The beginning; each round the model, its tools, and what they gave.
        ("kind: tools, rounds: 7, tools: [t.a, t.b]", 1 + 7 * 4),
        ("kind: supervisor, rounds: 7, tools: [t.a], team: { b: { about: x } }", 1 + 7 * 4),
        // The beginning; each time a plan, its steps, and what they gave; the answer.
        ("kind: plan, plans: 7", 1 + 7 * 3 + 1),
        // The beginning; each time a draft and a review.
        ("kind: review, reviews: 7", 1 + 7 * 2),
    ] {
        assert_eq!(made(&sound(settings, ""))["limits"]["steps"], steps, "{settings}");
    }
}
