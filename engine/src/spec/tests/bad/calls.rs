//! Calls of graphs and tools that cannot work, and what stands beside them.

use std::collections::BTreeMap;

use baton_common::tool::{Effect, QueueClass, ToolSpec};
use expect_test::{Expect, expect};
use serde_json::json;

use super::super::super::{Known, Source, parse_with};
use super::super::line;
use super::{HEAD, check, node};

/// One node `a`, where workers have the tools `mail.send` and `file.list`.
fn with_tools(body: &str, expected: Expect) {
    let tool = |name: &str, effect, args_schema| ToolSpec {
        name: name.to_owned(),
        major: 1,
        class: QueueClass::Io,
        effect,
        description: String::new(),
        args_schema,
    };
    let mail = json!({
        "type": "object", "required": ["to", "text"], "additionalProperties": false,
        "properties": {
            "to": {"type": "array", "items": {"type": "string"}}, "text": {"type": "string"},
            "copies": {"type": "integer", "minimum": 1}, "when": {"enum": ["now", "later"]},
            "extra": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "additionalProperties": {"type": "number"}},
        },
    });
    let tools = [
        tool("mail.send", Effect::Once, mail),
        tool("file.list", Effect::Pure, json!({"type": "object", "properties": {"path": {"type": "string"}}})),
    ];
    let tools: BTreeMap<_, _> = tools.into_iter().map(|tool| (tool.name.clone(), tool)).collect();
    let known = Known { tools: Some(tools), ..Known::default() };
    let text = format!("{HEAD}nodes:\n  a:\n    {body}\n");
    let shown = match parse_with(&Source::new("g.yaml", text.clone()), &known) {
        Ok(_) => "fine\n".to_owned(),
        Err(problems) => problems.iter().map(|problem| line(&text, problem)).collect(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn arguments_are_held_to_the_schemas_of_tools() {
    with_tools(
        "tool: { name: mail.send, args: { to: [\"{{ input.q }}\"], text: hi, copies: 2, when: now, extra: { ok: true, x: 1.5 } } }\n    then: end",
        expect![[r#"
            fine
        "#]],
    );
    with_tools(
        "tool: { name: mail.send, args: { to: \"{{ input.q }}\", txt: hi, copies: \"2\", when: soon, extra: { ok: \"{{ state.n }}\" } } }\n    then: end",
        expect![[r#"
            8:36 missing_argument `{`
                mail.send needs text
                help: args: { text: … }
            8:42 type_mismatch `"{{ input.q }}"`
                to of mail.send is an array, not a string
                help: give it the type that is wanted, or declare another
            8:59 unknown_argument `txt`
                mail.send takes no txt
                help: did you mean text?
            8:76 type_mismatch `"2"`
                copies of mail.send is an integer, not a string
                help: write it without quotes: 2
            8:87 type_mismatch `soon`
                when of mail.send: value is not one of "now" or "later"
                help: give it the type that is wanted, or declare another
            8:106 type_mismatch `"{{ state.n }}"`
                ok of extra of mail.send is a boolean, not an integer
                help: give it the type that is wanted, or declare another
        "#]],
    );
    with_tools(
        "tool: { name: mail.sent, args: {} }\n    then: end",
        expect![[r#"
        8:19 unknown_tool `mail.sent`
            no worker that was seen lately has the tool mail.sent
            help: did you mean mail.send?
    "#]],
    );
    with_tools(
        "tool: { name: mail.send, effect: idempotent }\n    then: end",
        expect![[r#"
        8:11 missing_argument `{`
            mail.send needs to, text
            help: args: { to: … }
        8:38 wrong_effect `idempotent`
            mail.send declares effect once, which idempotent would loosen
            help: a graph may only make an effect stricter: pure, then idempotent, then once
    "#]],
    );
    with_tools(
        "tool: { name: file.list, args: { path: 7 } }\n    approve: { when: args.pth == 'x', allow: [edt] }\n    undo: { tool: { name: mail.send, args: { to: [a], text: \"{{ output.x }}\", copies: 0 } } }\n    then: end",
        expect![[r#"
            8:44 type_mismatch `7`
                path of file.list is a string, not an integer
                help: put it in quotes: "7"
            9:47 unknown_word `edt`
                allow is one of approve, edit, reject, respond, not edt
                help: did you mean edit?
            10:87 type_mismatch `0`
                copies of mail.send: value is less than the minimum of 1
                help: give it the type that is wanted, or declare another
        "#]],
    );
}

#[test]
fn calls_of_graphs_are_held_to_their_contract() {
    check(
        "baton: 1
graph: g
state: { n: integer, t: string }
start: a
graphs:
  child:
    input: { topic: string, depth: { type: integer, default: 1 } }
    output: { text: state.text }
    state: { text: string }
    start: c
    nodes:
      c: { save: { text: input.topc }, then: end }
  idle: { start: c, nodes: { c: { then: end } } }
nodes:
  a:
    graph: { name: child, args: { topc: x, depth: \"{{ state.t }}\" } }
    save: { n: output.text, t: output.txt }
    then: b
  b: { graph: { name: chld }, then: c }
  c: { graph: { args: {} }, then: d }
  d: { graph: { name: ./nowhere.yaml }, then: e }
  e: { graph: { name: ./../x.yaml }, then: end }
",
        expect![[r#"
            12:26 unknown_input `input.topc`
                input has no field topc
                help: did you mean topic?
            13:3 unreachable_graph `idle`
                no node calls idle
                help: call it with graph: { name: idle }, or delete it
            16:33 missing_argument `{`
                graph child needs topic
                help: args: { topic: … }
            16:35 unknown_argument `topc`
                graph child takes no topc
                help: did you mean topic?
            16:51 type_mismatch `"{{ state.t }}"`
                depth of graph child is an integer, not a string
                help: give it the type that is wanted, or declare another
            17:16 type_mismatch `output.text`
                channel n takes an integer, not a string
                help: give it the type that is wanted, or declare another
            17:32 unknown_output `output.txt`
                output has no txt here
                help: did you mean text?
            19:23 unknown_graph `chld`
                there is no graph chld
                help: did you mean child?
            20:15 missing_key `{`
                graph needs a name
                help: name: research
            21:23 no_file `./nowhere.yaml`
                nowhere.yaml was not found
                help: paths are relative to the graph
            22:23 no_file `./../x.yaml`
                ./../x.yaml leads out of the graph's folder
                help: paths are relative to the graph, with / between names and without ..
        "#]],
    );
}

#[test]
fn arguments_are_held_to_the_input_of_a_graph() {
    check(
        "baton: 1
graph: g
state: { n: integer, t: string }
start: a
graphs:
  child:
    input: { topic: string, depth: { type: integer, default: 1 } }
    output: { text: state.text }
    state: { text: string }
    start: c
    nodes:
      c: { save: { text: input.topic }, then: end }
nodes:
  a:
    graph: { name: child, args: { topc: x, depth: \"{{ state.t }}\" } }
    save: { n: output.text, t: output.txt }
    then: end
",
        expect![[r#"
            15:33 missing_argument `{`
                graph child needs topic
                help: args: { topic: … }
            15:35 unknown_argument `topc`
                graph child takes no topc
                help: did you mean topic?
            15:51 type_mismatch `"{{ state.t }}"`
                depth of graph child is an integer, not a string
                help: give it the type that is wanted, or declare another
            16:16 type_mismatch `output.text`
                channel n takes an integer, not a string
                help: give it the type that is wanted, or declare another
            16:32 unknown_output `output.txt`
                output has no txt here
                help: did you mean text?
        "#]],
    );
}

#[test]
fn a_graph_that_calls_itself_is_refused() {
    check(
        "baton: 1
graph: g
start: a
graphs:
  one: { start: a, nodes: { a: { graph: { name: two }, then: end } } }
  two: { start: a, nodes: { a: { graph: { name: one }, then: end } } }
nodes:
  a: { graph: { name: one }, then: end }
",
        expect![[r#"
            6:49 recursive_graph `one`
                one calls itself: one → two → one
                help: make a loop of it: a node may lead back to an earlier one
        "#]],
    );
}

#[test]
fn problems_of_files_name_their_file() {
    let mut source = Source::new(
        "graphs/g.yaml",
        "baton: 1\ngraph: g\nstart: a\nnodes:\n  a: { graph: { name: ./parts/p.yaml }, then: b }\n  b: { graph: { name: ./g.yaml }, then: edn }\n",
    );
    let part = "baton: 1\ngraph: p\nstart: a\nnodes:\n  a: { graph: { name: ./q.yaml }, thn: end }\n";
    source.includes.insert("parts/p.yaml".to_owned(), part.to_owned());
    source.includes.insert("g.yaml".to_owned(), source.text.clone());
    let problems = parse_with(&source, &Known::default()).unwrap_err();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    expect![[r#"
        graphs/g.yaml:6:23: recursive_graph: ./g.yaml calls itself: ./g.yaml → ./g.yaml (make a loop of it: a node may lead back to an earlier one)
        graphs/g.yaml:6:41: unknown_node: there is no node edn (did you mean end?)
        graphs/parts/p.yaml:5:3: no_then: a has no then (write then: end where a branch ends)
        graphs/parts/p.yaml:5:23: no_file: parts/q.yaml was not found (paths are relative to the graph)
        graphs/parts/p.yaml:5:35: unknown_key: a node has no key thn (did you mean then?)"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn waits_have_a_form() {
    for (body, expected) in [
        (
            "wait: {}\n    then: end",
            expect![[r#"
            8:11 missing_key `{`
                wait needs for, until or signal
                help: wait: { for: 30m }, { until: input.due } or { signal: paid, expires: 3d }
        "#]],
        ),
        (
            "wait: { for: 30, until: state.text }\n    then: end",
            expect![[r#"
            8:22 two_forms `until`
                wait has for or until, not both
                help: for is a duration, until a moment, signal what a system sends; expires limits the last
        "#]],
        ),
        (
            "wait: { until: state.n, expires: 3d }\n    then: end",
            expect![[r#"
                8:20 type_mismatch `state.n`
                    until is a string, not an integer
                    help: give it the type that is wanted, or declare another
                8:29 no_use `expires`
                    expires goes with signal
                    help: leave it out
            "#]],
        ),
        (
            "wait: { for: 3d }\n    save: { text: output.x }\n    then: end",
            expect![[r#"
            9:19 not_visible `output.x`
                output is not visible in save and then
                help: visible are input, state, run
        "#]],
        ),
        (
            "wait: { signal: \"paid {{ input.q }}\", match: evnt.id == 1 }\n    timeout: 3s\n    then: end",
            expect![[r#"
            8:21 wrong_name `"paid {{ input.q }}"`
                "paid {{ input.q }}" is no name of a signal
                help: names are made of letters, digits, _, - and .; what tells signals of one name apart goes into match
            8:50 unknown_name `evnt.id == 1`
                evnt is not known
                help: did you mean event?
            9:5 no_use `timeout`
                a node that waits has no use for timeout
                help: expires limits how long it waits
        "#]],
        ),
        (
            "wait: { signal: paid, match: event.id }\n    save: { text: event.id }\n    then: end",
            expect![[r#"
            9:19 not_visible `event.id`
                event is not visible in save and then
                help: only match of a wait sees it
        "#]],
        ),
    ] {
        node(body, expected);
    }
}

#[test]
fn what_stands_beside_a_job_has_a_form() {
    for (body, expected) in [
        (
            "tool: { name: t }\n    poll: { every: 10m..30s }\n    then: end",
            expect![[r#"
            9:11 missing_key `{`
                poll needs until
                help: until: output.status == 'done'
            9:20 wrong_duration `10m..30s`
                every goes from a shorter to a longer duration, not "10m..30s"
                help: write it as 2s..1m
        "#]],
        ),
        (
            "tool: { name: t }\n    poll: { until: output }\n    undo: { name: x }\n    cache: 1h\n    then: end",
            expect![[r#"
            10:11 missing_key `{`
                undo needs a tool
                help: undo: { tool: { name: …, args: { id: "{{ output.id }}" } } }
            10:13 unknown_key `name`
                undo has no key name
                help: there are tool
            11:12 wrong_type `1h`
                cache is a map, not a text
                help: its keys are key, ttl
        "#]],
        ),
        (
            "tool: { name: t }\n    undo: { tool: { name: x, args: { a: \"{{ item }}\" } } }\n    approve: { when: amount > 3 }\n    then: end",
            expect![[r#"
            9:41 not_visible `"{{ item }}"`
                item is not visible in undo
                help: only work and keep of a node with for_each see it
            10:22 unknown_name `amount > 3`
                amount is not known
                help: visible are input, state, run, args; texts stand in quotes: 'amount'
        "#]],
        ),
    ] {
        node(body, expected);
    }
}

#[test]
fn keys_stand_where_they_are_of_use() {
    for (body, expected) in [
        (
            "ask: { title: t, edit: state.text, via: { name: mail.send } }\n    undo: { tool: { name: x } }\n    poll: { until: output.ok }\n    then: end",
            expect![[r#"
                9:5 no_use `undo`
                    a node that asks has no use for undo
                    help: leave it out
                10:5 no_use `poll`
                    a node that asks has no use for poll
                    help: leave it out
                10:20 unknown_output `output.ok`
                    output has no ok here
                    help: there are action, by, comment, value
            "#]],
        ),
        (
            "notify: { name: t, key: x }\n    then: end",
            expect![[r#"
            8:24 unknown_key `key`
                notify has no key key
                help: there are name, args
        "#]],
        ),
        (
            "chat: { route: w, user: u }\n    poll: { until: 'true' }\n    approve: {}\n    then: end",
            expect![[r#"
                9:5 no_use `poll`
                    a chat has no use for poll
                    help: leave it out
                10:5 no_use `approve`
                    a chat has no use for approve
                    help: leave it out
            "#]],
        ),
    ] {
        node(body, expected);
    }
}

#[test]
fn deps_are_seen_by_the_work_of_maps_with_after_alone() {
    for (body, expected) in [
        (
            "for_each: { in: state.l, after: item.needs }\n    tool: { name: t, args: { d: \"{{ deps }}\" } }\n    save: { o: deps }\n    then: end",
            expect![[r#"
            8:30 missing_key `after`
                after needs by: the name of each item
                help: for_each: { in: …, by: item.id, after: item.needs }
            10:16 not_visible `deps`
                deps is not visible in save and then
                help: only work and keep of a map with after see it
        "#]],
        ),
        (
            "for_each: { in: state.l, by: item, after: '[\"x\"]' }\n    tool: { name: t, key: \"{{ deps.x }}\", args: { d: \"{{ deps.x }}\" } }\n    cache: { key: \"{{ deps.x }}\", ttl: 1h }\n    poll: { until: deps.x == 1 }\n    approve: { when: deps.x == 1 }\n    then: end",
            expect![[r#"
                9:27 not_visible `"{{ deps.x }}"`
                    deps is not visible in a key
                    help: only work and keep of a map with after see it
                10:19 not_visible `"{{ deps.x }}"`
                    deps is not visible in a key
                    help: only work and keep of a map with after see it
                11:20 not_visible `deps.x == 1`
                    deps is not visible in until
                    help: only work and keep of a map with after see it
                12:14 not_visible `{`
                    deps is not visible in calls that a person approves
                    help: what is approved cannot depend on other items: ask in a node of its own
                12:22 not_visible `deps.x == 1`
                    deps is not visible in when of an approve
                    help: only work and keep of a map with after see it
            "#]],
        ),
        (
            "for_each: { in: state.l, by: item, after: '[\"x\"]' }\n    ask: { title: \"{{ deps.x }}\", fields: { a: string } }\n    then: end",
            expect![[r#"
                9:19 not_visible `"{{ deps.x }}"`
                    deps is not visible in the work of a node
                    help: only work and keep of a map with after see it
            "#]],
        ),
        (
            "for_each: { in: state.l, by: size(item) }\n    tool: { name: t, args: { d: \"{{ deps }}\" } }\n    then: end",
            expect![[r#"
                8:34 type_mismatch `size(item)`
                    by is a string, not an integer
                    help: give it the type that is wanted, or declare another
                9:33 not_visible `"{{ deps }}"`
                    deps is not visible in the work of a node
                    help: only work and keep of a map with after see it
            "#]],
        ),
    ] {
        node(body, expected);
    }
}
