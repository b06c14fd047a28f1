//! The agent that calls tools: its graph, and what is wrong with one. That it runs is shown by
//! the command line's tests.

use baton_engine::graph::{Graph, Work};
use baton_engine::spec::{Known, Problem, Source, parse, parse_canonical, parse_with};
use expect_test::expect_file;
use serde_json::{Value, json};

const HEAD: &str = "\
baton: 1
graph: g
input: { q: string }
output: { text: state.text }
state: { text: string, said: { type: array, reduce: messages, keep: true }, kept: string }
start: a
nodes:
  a:
";

fn read(text: &str) -> Result<Graph, Vec<Problem>> {
    let known = Known { agents: Some(baton_agents::graph), ..Known::default() };
    parse_with(&Source::new("g.yaml", text), &known)
}

/// A graph of one agent with these settings, and these keys beside it.
fn agent(settings: &str, beside: &str) -> Result<Graph, Vec<Problem>> {
    let beside = if beside.is_empty() { String::new() } else { format!("    {beside}\n") };
    read(&format!(
        "{HEAD}    agent: {{ kind: tools, route: r, user: \"{{{{ input.q }}}}\"{settings} }}\n{beside}    then: end\n"
    ))
}

#[track_caller]
fn sound(settings: &str, beside: &str) -> Graph {
    agent(settings, beside).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[track_caller]
fn made(graph: &Graph) -> Value {
    serde_json::from_str(&graph.children["a.agent"].source).unwrap()
}

/// What is wrong: code, line, what is marked.
fn told(settings: &str, beside: &str) -> Vec<String> {
    let problems = agent(settings, beside).err().unwrap_or_default();
    problems
        .iter()
        .map(|problem| format!("{}:{} {}: {}", problem.line, problem.column, problem.code, problem.message))
        .collect()
}

#[test]
fn an_agent_is_a_call_of_a_graph_that_stands_in_the_canonical_text() {
    let graph = sound(", tools: [file.list, file.read], history: said", "save: { text: output.text }");
    let node = graph.nodes.values().next().unwrap();
    let Work::Graph(call) = &node.work else { panic!("{node:#?}") };
    let args = json!({"user": "{{ input.q }}", "history": "{{ state.said }}"});
    assert_eq!((call.name.as_str(), call.args.source()), ("a.agent", &args));
    assert_eq!(node.save["said"].text(), "output.messages");
    // Neither this nor the graph alone needs whoever made it.
    let again = parse_canonical(&graph.source).unwrap();
    assert_eq!((again.hash, format!("{again:#?}")), (graph.hash, format!("{graph:#?}")));
    let child = &graph.children["a.agent"];
    assert_eq!(parse_canonical(&child.source).unwrap().hash, child.hash);
    assert_eq!(parse(&Source::new("g.json", graph.source.clone())).unwrap().hash, graph.hash);
}

#[test]
fn the_graph_of_an_agent_asks_calls_and_tells() {
    let graph = sound(
        ", system: be brief, tools: [file.list, file.read], history: said, rounds: 4, temperature: 0.5",
        "approve: { when: args.path == '/', allow: [reject] }\n    retry: { attempts: 2, backoff: 1s }\n    timeout: 1m",
    );
    let shown = serde_json::to_string_pretty(&made(&graph)).unwrap() + "\n";
    expect_file!["tools.json"].assert_eq(&shown);
}

#[test]
fn an_agent_without_tools_is_asked_once() {
    let graph = made(&sound("", ""));
    assert_eq!(graph["nodes"]["model"]["chat"]["tools"], json!([]));
    assert_eq!(graph["nodes"].as_object().unwrap().keys().collect::<Vec<_>>(), ["begin", "model", "results"]);
}

#[test]
fn an_answer_may_have_a_form() {
    let graph = sound(", fields: { sure: boolean }", "save: { text: \"output.json.sure ? output.text : ''\" }");
    assert_eq!(made(&graph)["output"]["json"], "state.json");
    assert_eq!(made(&sound("", ""))["output"]["json"], "null");
}

#[test]
fn tools_whose_nodes_would_have_one_name_have_two() {
    let graph = made(&sound(", tools: [a.b, a-b]", ""));
    assert_eq!(graph["nodes"]["call-a-b"]["tool"]["name"], "a.b");
    assert_eq!(graph["nodes"]["call-a-b_"]["tool"]["name"], "a-b");
}

#[test]
fn an_agent_within_a_called_graph_is_made_too() {
    let graph = read(
        "baton: 1\ngraph: g\nstart: a\nnodes:\n  a: { graph: { name: inner }, then: end }\ngraphs:\n  inner:\n    start: b\n    nodes:\n      b: { agent: { kind: tools, route: r, user: hi }, then: end }\n",
    );
    assert!(graph.unwrap().children["inner"].children.contains_key("b.agent"));
}

#[test]
fn what_is_wrong_with_an_agent_is_told_at_its_place() {
    for (settings, beside, expected) in [
        (", skills: [x]", "", "9:"),
        (", rounds: 0", "", "9:"),
        (", tools: file.list", "", "9:"),
        (", tools: [file.list, file.list]", "", "9:"),
        (", history: sad", "", "9:"),
        (", history: text", "", "9:"),
        (", history: said", "save: { said: output.messages }", "10:"),
        (", history: said", "for_each: \"[1]\"", "10:"),
        ("", "approve: { when: state.kept == 'x' }", "10:"),
        ("", "timeout: 5", "10:"),
        ("", "cache: { key: k, ttl: 1h }", "10:"),
        ("", "chat: { route: r, user: u }", "9:"),
        ("", "save: { text: output.txt }", "10:"),
        (", system: \"{{ input.x }}\"", "", "9:"),
    ] {
        let told = told(settings, beside);
        assert!(
            !told.is_empty() && told.iter().all(|line| line.starts_with(expected)),
            "{settings} {beside}: {told:#?}"
        );
    }
    let codes = |text: &str| {
        let problems = read(&format!("{HEAD}    {text}\n    then: end\n")).unwrap_err();
        problems.into_iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("agent: { kind: tool, route: r, user: u }"), ["unknown_word"]);
    assert_eq!(codes("agent: {}"), ["missing_key", "missing_key", "missing_key"]);
    assert_eq!(codes("agent: { kind: tools, route: r, user: u, tool: [x] }"), ["unknown_key"]);
}

#[test]
fn without_whoever_makes_them_agents_are_not_supported() {
    let text = format!("{HEAD}    agent: {{ kind: tools, route: r, user: u }}\n    then: end\n");
    let problems = parse(&Source::new("g.yaml", text)).unwrap_err();
    assert_eq!(problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), ["unsupported_yet"]);
}
