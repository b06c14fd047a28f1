//! The tools a chat offers its model, and failures with codes of their own.

use serde_json::json;

use super::world::World;

#[test]
fn a_model_is_told_what_the_tools_are_that_a_chat_offers() {
    let graph = "baton: 1\ngraph: g\ninput: { q: string }\nstart: a\nnodes:\n  a: { chat: { route: r, user: '{{ input.q }}', tools: [t.sum, t.echo] }, then: end }\n";
    // Short arguments are kept, long ones are made again when the job is claimed.
    for length in [1, 5_000] {
        let world = World::started(graph, json!({"q": "x".repeat(length)}));
        let args = world.args(&world.open[&"a#1".parse().unwrap()], 0);
        let tool = |name: &str| json!({"name": name, "description": "for tests", "parameters": {"type": "object"}});
        assert_eq!(args["tools"], json!([tool("t.sum"), tool("t.echo")]), "{length}");
    }
}

#[test]
fn a_chat_may_describe_tools_of_its_own_beside_those_of_workers() {
    let own = json!({
        "name": "find", "description": "finds {{ input.q }}",
        "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}},
    });
    let graph = json!({"baton": 1, "graph": "g", "input": {"q": "string"}, "start": "a", "nodes": {"a": {
        "chat": {"route": "r", "user": "{{ input.q }}", "tools": [own, "t.echo"]}, "then": "end",
    }}});
    let world = World::started(&graph.to_string(), json!({"q": "x"}));
    let args = world.args(&world.open[&"a#1".parse().unwrap()], 0);
    assert_eq!(
        args["tools"][0],
        json!({
            "name": "find", "description": "finds {{ input.q }}", "parameters": own["input_schema"],
        })
    );
    assert_eq!(args["tools"][1]["name"], "t.echo");
}

#[test]
fn a_tool_that_is_offered_and_not_there_fails_the_chat() {
    let world = World::started(
        "baton: 1\ngraph: g\nstart: a\nnodes:\n  a: { chat: { route: r, user: u, tools: [t.none] }, then: end }\n",
        json!({}),
    );
    assert_eq!(world.failure().1, "unknown_tool");
}

#[test]
fn the_arguments_of_a_tool_may_be_one_value() {
    let graph = "baton: 1\ngraph: g\ninput: { of: object }\nstart: a\nnodes:\n  a: { tool: { name: t.echo, args: '{{ input.of }}' }, then: end }\n";
    let world = World::started(graph, json!({"of": {"n": 1, "text": "{{ input }}"}}));
    assert_eq!(world.args(&world.open[&"a#1".parse().unwrap()], 0), json!({"n": 1, "text": "{{ input }}"}));
}

#[test]
fn a_route_fails_with_a_code_of_its_own() {
    let graph = "baton: 1\ngraph: g\nstart: a\nnodes:\n  a: { then: [ { when: \"run.thread == 'other'\", fail: never }, { fail: 'too late', code: too_late } ] }\n";
    let world = World::started(graph, json!({}));
    assert_eq!(world.failure(), ("a".to_owned(), "too_late".to_owned()));
}
