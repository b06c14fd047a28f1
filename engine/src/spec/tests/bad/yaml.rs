//! Traps of YAML.

use expect_test::expect;

use super::{check, head, node};

#[test]
fn what_is_no_yaml_says_where() {
    check(
        "",
        expect![[r#"
            1:1 empty ``
                the graph is empty
                help: begin with baton: 1 and graph: NAME
        "#]],
    );
    check(
        "just a text",
        expect![[r#"
            1:1 wrong_type `just a text`
                a graph is a map, not a text
                help: its keys are baton, graph, input, output, state, start, limits, on_busy, nodes, graphs
        "#]],
    );
    check(
        "baton: 1\ngraph: [g\nnodes: {}\n",
        expect![[r#"
            3:6 yaml_syntax `:`
                no YAML: illegal placement of ':' indicator
                help: an expression or text that contains : # , ' [ or { stands in double quotes
        "#]],
    );
    check(
        "baton: 1\n	graph: g\n",
        expect![[r#"
            1:8 yaml_syntax `1`
                no YAML: while scanning a plain scalar, found a tab
                help: indent with spaces, not tabs
        "#]],
    );
    check(
        "a: 1\n---\nb: 2\n",
        expect![[r#"
            2:1 yaml_syntax `---`
                a second document
                help: one graph to a file
        "#]],
    );
    check(
        "? [a, b]\n: 1\n",
        expect![[r#"
            1:3 yaml_key `[`
                a list or map stands where a key is expected
                help: a text that begins with { or [ stands in quotes
        "#]],
    );
}

#[test]
fn keys_stand_once() {
    head(
        "graph: h\n",
        expect![[r#"
            6:1 duplicate_key `graph`
                graph stands here twice
                help: keep one of them
        "#]],
    );
}

#[test]
fn tags_and_anchors_are_refused() {
    node(
        "then: [ { when: !state.ok, to: end }, { to: end } ]",
        expect![[r#"
            8:21 yaml_tag `!state.ok`
                !state.ok is a YAML tag
                help: put the expression or text in quotes: "!state.ok …"
            8:30 unquoted_expression `,`
                when is an expression, not nothing
                help: write an expression, such as output.text
        "#]],
    );
    node(
        "save: &all { text: output.text }\n    then: end",
        expect![[r#"
            8:16 yaml_anchor `{`
                graphs have no YAML anchors or aliases
                help: write the value out; a text that begins with & or * stands in quotes
            8:24 not_visible `output.text`
                output is not visible in save and then
                help: visible are input, state, run
        "#]],
    );
    node(
        "save: *all\n    then: end",
        expect![[r#"
            8:11 yaml_anchor `*all`
                graphs have no YAML anchors or aliases
                help: write the value out; a text that begins with & or * stands in quotes
        "#]],
    );
}

#[test]
fn expressions_that_yaml_splits_are_refused() {
    node(
        "tool: { name: t }\n    then: [ { when: startsWith(state.text, 'a'), to: end }, { to: end } ]",
        expect![[r#"
            9:47 yaml_syntax `),`
                no YAML: invalid trailing content after single-quoted scalar
                help: an expression or text that contains : # , ' [ or { stands in double quotes
        "#]],
    );
    node(
        "ask: { title: t, edit: state.text, show: [size(state.l), f(1, 2)] }\n    then: end",
        expect![[r#"
            8:62 split_expression `f(1`
                YAML splits the expression of show at its comma
                help: put the whole expression in quotes
            8:67 wrong_expression `2)`
                show: ) does not belong at character 3
                help: docs/graphs.md shows what expressions are made of
        "#]],
    );
}

#[test]
fn an_expression_with_a_comma_is_known_by_its_halves() {
    node(
        "then: [ { when: matches(state.text, state.x), to: end }, { to: end } ]",
        expect![[r#"
            8:21 split_expression `matches(state.text`
                YAML splits the expression of when at its comma
                help: put it in quotes: "matches(state.text, state.x)"
        "#]],
    );
}

#[test]
fn unquoted_numbers_are_no_expressions() {
    node(
        "save: { n: 1 }\n    then: end",
        expect![[r#"
            8:16 unquoted_expression `1`
                save of n is an expression, not a number
                help: put it in quotes: "1"
        "#]],
    );
    node(
        "then: [ { when: true, to: end }, { to: end } ]",
        expect![[r#"
            8:21 unquoted_expression `true`
                when is an expression, not a truth value
                help: put it in quotes: "true"
        "#]],
    );
    node(
        "save: { text: }\n    then: end",
        expect![[r#"
            8:17 unquoted_expression `:`
                save of text is an expression, not nothing
                help: write an expression, such as output.text
        "#]],
    );
}

#[test]
fn texts_that_look_like_something_else_are_quoted() {
    head(
        "state: { s: { type: string, default: NO }, t: { type: string, default: 1.10 }, u: { type: string, default: 010 } }\n",
        expect![[r#"
            5:38 unquoted_text `NO`
                NO is a text here, a truth value to other readers of YAML
                help: put it in quotes: "NO"
            5:72 unquoted_text `1.10`
                the default is a text, not a number
                help: put it in quotes: "1.10"
            5:108 unquoted_text `010`
                010 is a text here, a number to other readers of YAML
                help: put it in quotes: "010"
        "#]],
    );
    node(
        "tool: { name: t, args: { country: NO, version: 1.10, id: 010, ok: 1.5 } }\n    then: end",
        expect![[r#"
            8:39 unquoted_text `NO`
                NO is a text here, a truth value to other readers of YAML
                help: put it in quotes for a text: "NO"
            8:52 unquoted_text `1.10`
                1.10 would lose digits as a number
                help: put it in quotes for a text: "1.10"
            8:62 unquoted_text `010`
                010 is a text here, a number to other readers of YAML
                help: put it in quotes for a text: "010"
        "#]],
    );
    node(
        "chat: { route: w, user: 5 }\n    then: end",
        expect![[r#"
            8:29 unquoted_text `5`
                user is a text, not a number
                help: put it in quotes: "5"
        "#]],
    );
}

#[test]
fn durations_have_units() {
    node(
        "tool: { name: t }\n    timeout: 30\n    then: end",
        expect![[r#"
            9:14 wrong_duration `30`
                timeout is a duration, not "30"
                help: give it a unit of ms, s, m, h or d: 30s
        "#]],
    );
    node(
        "tool: { name: t }\n    retry: { attempts: 2, backoff: 1m..2s }\n    then: end",
        expect![[r#"
            9:36 wrong_duration `1m..2s`
                backoff goes from a shorter to a longer duration, not "1m..2s"
                help: write it as 2s..1m
        "#]],
    );
    node(
        "ask: { title: t, expires: tomorrow }\n    then: end",
        expect![[r#"
            8:31 wrong_duration `tomorrow`
                expires is a duration, not "tomorrow"
                help: write numbers with the units ms, s, m, h and d: 30s, 1h30m
        "#]],
    );
}
