//! Names that lead nowhere.

use expect_test::expect;

use super::{check, head, node};

#[test]
fn misspelt_nodes_get_a_suggestion() {
    node(
        "then: ennd",
        expect![[r#"
            8:11 unknown_node `ennd`
                there is no node ennd
                help: did you mean end?
        "#]],
    );
    node(
        "then: [b, c]",
        expect![[r#"
            8:12 unknown_node `b`
                there is no node b
                help: did you mean a?
            8:15 unknown_node `c`
                there is no node c
                help: did you mean a?
        "#]],
    );
    head(
        "start: aa\n",
        expect![[r#"
            5:8 unknown_node `aa`
                there is no node aa
                help: did you mean a?
        "#]],
    );
    node(
        "then: [a, end]",
        expect![[r#"
            8:15 wrong_target `end`
                end stands alone
                help: leave it out of the list
        "#]],
    );
    node(
        "then: [a, a]",
        expect![[r#"
            8:15 wrong_target `a`
                a stands here twice
                help: name each node once, and end alone
        "#]],
    );
}

#[test]
fn misspelt_channels_and_fields_get_a_suggestion() {
    node(
        r#"save: { txt: "'a'" }
    then: end"#,
        expect![[r#"
            8:13 unknown_channel `txt`
                state has no channel txt
                help: did you mean text?
        "#]],
    );
    node(
        "save: { text: state.txt }\n    then: end",
        expect![[r#"
            8:19 unknown_channel `state.txt`
                state has no channel txt
                help: did you mean text?
        "#]],
    );
    node(
        r#"tool: { name: t, args: { a: "{{ input.p }}", b: ["{{ state.texxt }}"] } }
    then: end"#,
        expect![[r#"
            8:33 unknown_input `"{{ input.p }}"`
                input has no field p
                help: did you mean n?
            8:54 unknown_channel `"{{ state.texxt }}"`
                state has no channel texxt
                help: did you mean text?
        "#]],
    );
    node(
        "chat: { route: w, user: u }\n    save: { text: output.txet }\n    then: end",
        expect![[r#"
            9:19 unknown_output `output.txet`
                output has no txet here
                help: did you mean text?
        "#]],
    );
    node(
        "ask: { title: t, edit: state.text }\n    save: { text: output.comments }\n    then: end",
        expect![[r#"
            9:19 unknown_output `output.comments`
                output has no comments here
                help: did you mean comment?
        "#]],
    );
}

#[test]
fn bare_names_get_a_suggestion() {
    node(
        "save: { text: q }\n    then: [ { when: n > 1, to: end }, { to: end } ]",
        expect![[r#"
            8:19 unknown_name `q`
                q is not known
                help: did you mean input.q?
            9:21 unknown_name `n > 1`
                n is not known
                help: did you mean state.n?
        "#]],
    );
    node(
        r#"chat: { route: w, user: "{{ text }}" }
    then: end"#,
        expect![[r#"
            8:29 unknown_name `"{{ text }}"`
                text is not known
                help: did you mean state.text?
        "#]],
    );
    node(
        "tool: { name: t }\n    then: [ { when: output.action == reject, to: end }, { to: end } ]",
        expect![[r#"
            9:21 unknown_name `output.action == reject`
                reject is not known
                help: visible are input, state, run, output; texts stand in quotes: 'reject'
        "#]],
    );
}

#[test]
fn names_are_seen_where_they_are_there() {
    node(
        "save: { text: output.text }\n    then: end",
        expect![[r#"
            8:19 not_visible `output.text`
                output is not visible in save and then
                help: visible are input, state, run
        "#]],
    );
    node(
        r#"for_each: { in: state.l, as: file }
    tool: { name: t, args: { a: "{{ item }}" } }
    save: { l: file }
    then: end"#,
        expect![[r#"
            9:33 not_visible `"{{ item }}"`
                item is not visible in the work of a node
                help: as names it file
            10:16 unknown_name `file`
                file is not known
                help: visible are input, state, run, errors, output; texts stand in quotes: 'file'
        "#]],
    );
    node(
        r#"tool: { name: t, args: { a: "{{ error.code }}" } }
    then: end"#,
        expect![[r#"
            8:33 not_visible `"{{ error.code }}"`
                error is not visible in the work of a node
                help: visible are input, state, run
        "#]],
    );
    node(
        r#"chat: { route: w, user: "{{ secret.key }}" }
    then: end"#,
        expect![[r#"
            8:29 not_visible `"{{ secret.key }}"`
                secret.key is not visible in the work of a node
                help: secrets stand in the arguments of tools only
        "#]],
    );
    node(
        r#"tool: { name: t, args: { a: "{{ secret.key }} {{ state.text }}" } }
    then: end"#,
        expect![[r#"
            8:33 wrong_template `"{{ secret.key }} {{ state.text }}"`
                args: a secret stands beside other placeholders
                help: give the secret an argument of its own, with literal text around it at most
        "#]],
    );
}

#[test]
fn names_of_the_author_can_be_spelt() {
    head(
        "input: { a-b: string }\n",
        expect![[r#"
            5:10 wrong_name `a-b`
                "a-b" is no name of a field of input
                help: names are made of letters, digits and _, and begin with no digit
        "#]],
    );
    check(
        "baton: 1\ngraph: g\nstart: a b\nnodes:\n  a b: { then: end }\n  end: { then: end }\n",
        expect![[r#"
            5:3 wrong_name `a b`
                "a b" is no name of a node
                help: names are made of letters, digits, _ and -
            6:3 wrong_name `end`
                end is the end of a branch, not the name of a node
                help: names are made of letters, digits and _
        "#]],
    );
    node(
        "for_each: { in: state.l, as: state }\n    tool: { name: t }\n    then: end",
        expect![[r#"
            8:34 wrong_name `state`
                state cannot be the name of an item
                help: names are made of letters, digits and _
        "#]],
    );
}

#[test]
fn included_files_lie_beside_the_graph() {
    node(
        "chat: { route: w, user: { file: ../secrets.md }, system: { file: w.md } }\n    then: end",
        expect![[r#"
            8:29 no_file `{`
                ../secrets.md leads out of the graph's folder
                help: paths are relative to the graph, with / between names and without ..
            8:62 no_file `{`
                w.md was not found
                help: paths are relative to the graph
        "#]],
    );
}
