//! Expressions, templates and types that cannot work.

use expect_test::{Expect, expect};

use super::{head, node};

#[test]
fn expressions_are_compiled() {
    node(
        "save: { n: state.n + }\n    then: end",
        expect![[r#"
            8:16 wrong_expression `state.n +`
                save of n: the expression breaks off
                help: docs/graphs.md shows what expressions are made of
        "#]],
    );
    node(
        r#"save: { text: "{{ input.q }}" }
    then: end"#,
        expect![[r#"
            8:19 wrong_expression `"{{ input.q }}"`
                save of text: } does not belong at character 13
                help: an expression stands without {{ }}: they belong to templates
        "#]],
    );
    node(
        "then: [ { when: siez(state.l) > 0, to: end }, { to: end } ]",
        expect![[r#"
            8:21 wrong_expression `siez(state.l) > 0`
                when: there is no function siez
                help: did you mean size?
        "#]],
    );
    node(
        "then: [ { when: state.n = 1, to: end }, { to: end } ]",
        expect![[r#"
            8:21 wrong_expression `state.n = 1`
                when: = does not belong at character 10
                help: == compares
        "#]],
    );
}

#[test]
fn operators_of_other_languages_are_known() {
    node(
        "then: [ { when: 'state.n > 1 & state.n < 3', to: end }, { to: end } ]",
        expect![[r#"
            8:21 wrong_expression `'state.n > 1 & state.n < 3'`
                when: & does not belong at character 14
                help: write && and ||
        "#]],
    );
    node(
        "save: { l: '[state.n, , 2]' }\n    then: end",
        expect![[r#"
            8:16 wrong_expression `'[state.n, , 2]'`
                save of l: , does not belong at character 12
                help: docs/graphs.md shows what expressions are made of
        "#]],
    );
    node(
        "for_each: state.l\n    tool: { name: t }\n    on_item_error: { quorm: 3 }\n    then: end",
        expect![[r#"
            10:20 missing_key `{`
                on_item_error needs quorum
                help: on_item_error: { quorum: 3 }
            10:22 unknown_key `quorm`
                on_item_error has no key quorm
                help: did you mean quorum?
        "#]],
    );
}

#[test]
fn templates_are_compiled() {
    node(
        r#"chat: { route: w, user: "{{ input.q " }
    then: end"#,
        expect![[r#"
            8:29 wrong_template `"{{ input.q "`
                user: {{ is not closed by }}
                help: literal braces stand in {% raw %}…{% endraw %}
        "#]],
    );
    node(
        r#"chat: { route: w, user: "{{ input.q | uper }}", system: "{% include 'x' %}" }
    then: end"#,
        expect![[r#"
            8:29 wrong_template `"{{ input.q | uper }}"`
                user: there is no filter uper
                help: did you mean upper?
            8:61 wrong_template `"{% include 'x' %}"`
                system: templates have no {% include %}
                help: there are if, elif, else, endif, for, endfor, raw, endraw
        "#]],
    );
    node(
        r#"tool: { name: t, args: { a: ["{{ state.l * 3 }}"] } }
    then: end"#,
        expect![[r#"
            8:34 wrong_template `"{{ state.l * 3 }}"`
                args: templates do not multiply
                help: compute it in a save, with an expression
        "#]],
    );
}

#[test]
fn types_are_checked_where_they_are_certain() {
    node(
        "save: { n: state.text }\n    then: end",
        expect![[r#"
            8:16 type_mismatch `state.text`
                channel n takes an integer, not a string
                help: give it the type that is wanted, or declare another
        "#]],
    );
    node(
        "save: { n: state.x }\n    then: end",
        expect![[r#"
            8:16 type_mismatch `state.x`
                channel n takes an integer, not a number
                help: convert it: int(x)
        "#]],
    );
    node(
        "save: { text: state.n + 1 }\n    then: end",
        expect![[r#"
            8:19 type_mismatch `state.n + 1`
                channel text takes a string, not an integer
                help: convert it: string(x)
        "#]],
    );
    node(
        "then: [ { when: state.n, to: end }, { to: end } ]",
        expect![[r#"
            8:21 type_mismatch `state.n`
                when is a boolean, not an integer
                help: give it the type that is wanted, or declare another
        "#]],
    );
}

#[test]
fn what_never_compares_or_adds_is_refused() {
    node(
        "then: [ { when: state.text > 3, to: end }, { to: end } ]",
        expect![[r#"
            8:21 type_mismatch `state.text > 3`
                a string and an integer do not compare
                help: give it the type that is wanted, or declare another
        "#]],
    );
    node(
        "then: [ { when: state.text == 3, to: end }, { to: end } ]",
        expect![[r#"
            8:21 type_mismatch `state.text == 3`
                a string never equals an integer
                help: give it the type that is wanted, or declare another
        "#]],
    );
    node(
        "save: { text: state.text + state.n }\n    then: end",
        expect![[r#"
            8:19 type_mismatch `state.text + state.n`
                + does not take a string and an integer
                help: convert the other: string(x)
        "#]],
    );
    node(
        "save: { x: state.x + 1 }\n    then: end",
        expect![[r#"
            8:16 type_mismatch `state.x + 1`
                + does not take a number and an integer
                help: convert the integer: double(x)
        "#]],
    );
    node(
        "save: { text: state.text.title }\n    then: end",
        expect![[r#"
            8:19 type_mismatch `state.text.title`
                state.text is a string: it has no member title
                help: give it the type that is wanted, or declare another
        "#]],
    );
}

#[test]
fn maps_are_over_lists_and_give_lists() {
    node(
        "for_each: state.text\n    tool: { name: t }\n    then: end",
        expect![[r#"
            8:15 type_mismatch `state.text`
                for_each is an array, not a string
                help: give it the type that is wanted, or declare another
        "#]],
    );
    node(
        "for_each: state.l\n    tool: { name: t }\n    save: { text: output.text }\n    then: end",
        expect![[r#"
            10:19 type_mismatch `output.text`
                output is an array: it has no member text
                help: take an element, output[0].text, or all: output.map(x, x.text)
        "#]],
    );
}

#[test]
fn declarations_make_sense() {
    head(
        "state: { a: strng, b: { type: nubmer } }\n",
        expect![[r#"
            5:13 unknown_type `strng`
                there is no type strng
                help: did you mean string?
            5:31 unknown_type `nubmer`
                there is no type nubmer
                help: did you mean number?
        "#]],
    );
    head(
        "state: { a: { type: integer, default: x }, b: { type: string, reduce: sum }, c: { type: array, reduce: concat } }\n",
        expect![[r#"
            5:39 type_mismatch `x`
                the default does not fit its type: value is not of type "integer"
                help: give it the type that is wanted, or declare another
            5:71 type_mismatch `sum`
                this reducer needs a channel that is an integer or a number, not string
                help: give it the type that is wanted, or declare another
            5:104 unknown_word `concat`
                reduce is one of replace, last, append, union, sum, merge, messages, not concat
                help: write one of those that are named
        "#]],
    );
    head(
        "input: { a: { type: object, properties: { b: { $ref: 'http://x/y' } } }, c: [string] }\n",
        expect![[r#"
            5:13 wrong_schema `{`
                no JSON Schema: $ref leads outside of the schema: http://x/y
                help: correct the schema; references stay within it
            5:77 wrong_type `[`
                a type in input is a text, not a list
                help: write it in the form that is named
        "#]],
    );
    node(
        "chat: { route: w, user: u, fields: { ok: bool } }\n    save: { o: output.json.fine }\n    then: end",
        expect![[r#"
            8:46 unknown_type `bool`
                there is no type bool
                help: did you mean boolean?
            9:16 unknown_name `output.json.fine`
                output.json has no fine
                help: there are ok
        "#]],
    );
    node(
        "chat: { route: w, user: u, fields: { ok: boolean } }\n    save: { o: output.json.fine }\n    then: end",
        expect![[r#"
            9:16 unknown_name `output.json.fine`
                output.json has no fine
                help: there are ok
        "#]],
    );
}

/// One node `a` of a graph with a list of objects and a text of two words.
fn hits(body: &str, expected: Expect) {
    const STATE: &str = "{ hits: { type: array, items: { type: object, properties: { text: { type: string }, score: { type: number } }, additionalProperties: false } }, text: string, n: integer, level: { type: string, enum: [low, high] } }";
    super::check(&format!("baton: 1\ngraph: g\nstate: {STATE}\nstart: a\nnodes:\n  a:\n    {body}\n"), expected);
}

#[test]
fn what_lists_and_objects_hold_is_known() {
    for (body, expected) in [
        (
            "save: { text: 'state.hits[0].score' }\n    then: end",
            expect![[r#"
            7:19 type_mismatch `'state.hits[0].score'`
                channel text takes a string, not a number
                help: convert it: string(x)
        "#]],
        ),
        (
            "save: { text: 'state.hits.filter(h, h.score > 0.5).map(h, h.txt)[0]' }\n    then: end",
            expect![[r#"
            7:19 type_mismatch `'state.hits.filter(h, h.score > 0.5).map(h, h.txt)[0]'`
                h has no txt
                help: did you mean text?
        "#]],
        ),
        (
            "save: { n: 'state.hits.map(h, h.text)[0]' }\n    then: end",
            expect![[r#"
                7:16 type_mismatch `'state.hits.map(h, h.text)[0]'`
                    channel n takes an integer, not a string
                    help: give it the type that is wanted, or declare another
            "#]],
        ),
        (
            "save: { n: 'state.text.map(t, 1)[0]' }\n    then: end",
            expect![[r#"
                7:16 type_mismatch `'state.text.map(t, 1)[0]'`
                    a string has no elements
                    help: give it the type that is wanted, or declare another
            "#]],
        ),
        (
            "then: [ { when: 'state.hits.exists(h, h.score)', to: end }, { when: state.level == 'hgh', to: end }, { to: end } ]",
            expect![[r#"
                7:21 type_mismatch `'state.hits.exists(h, h.score)'`
                    || takes booleans, not a number
                    help: give it the type that is wanted, or declare another
                7:73 type_mismatch `state.level == 'hgh'`
                    state.level is never 'hgh'
                    help: did you mean high?
            "#]],
        ),
        (
            "then: [ { when: 'state.n.startsWith(\"x\")', to: end }, { to: end } ]",
            expect![[r#"
                7:21 type_mismatch `'state.n.startsWith("x")'`
                    startsWith takes a string, not an integer
                    help: give it the type that is wanted, or declare another
            "#]],
        ),
    ] {
        hits(body, expected);
    }
}

#[test]
fn what_nodes_give_is_known() {
    for (body, expected) in [
        (
            "ask: { title: t, edit: state.text }\n    then: [ { when: output.action == 'rejected', to: end }, { when: output.action == 'respond', to: end }, { to: end } ]",
            expect![[r#"
                8:21 type_mismatch `output.action == 'rejected'`
                    output.action is never 'rejected'
                    help: did you mean reject?
                8:69 type_mismatch `output.action == 'respond'`
                    output.action is never 'respond'
                    help: it is one of approve, edit, reject
            "#]],
        ),
        (
            "for_each: { in: state.hits, as: hit, keep: hit.score }\n    tool: { name: t, args: { t: \"{{ hit.txt }}\" } }\n    save: { n: 'output[0]', text: 'errors[0].error.mesage' }\n    then: end",
            expect![[r#"
                8:33 unknown_name `"{{ hit.txt }}"`
                    hit has no txt
                    help: did you mean text?
                9:16 type_mismatch `'output[0]'`
                    channel n takes an integer, not a number
                    help: convert it: int(x)
                9:35 type_mismatch `'errors[0].error.mesage'`
                    it has no mesage
                    help: did you mean message?
            "#]],
        ),
        (
            "save: { text: 'state.hits.filter(h, h.score > 0.5).map(h, h.text)[0]', n: 'size(state.hits.filter(h, h.text != state.text))' }\n    then: [ { when: 'state.hits.all(h, h.score > 0.5) && state.hits.exists_one(h, h.text == state.text)', to: end }, { to: end } ]",
            expect![[r#"
                fine
            "#]],
        ),
    ] {
        hits(body, expected);
    }
}
