//! Branches that cannot run as they are drawn.

use expect_test::expect;

use super::{check, flow};

#[test]
fn nodes_nobody_reaches() {
    flow(
        "start: a\nnodes:\n  a: { then: end }\n  b: { then: a }\n",
        expect![[r#"
            6:3 unreachable_node `b`
                nothing leads to b
                help: name it in start, then or on_error, or delete it
        "#]],
    );
}

#[test]
fn branches_without_an_end() {
    flow(
        "start: a\nnodes:\n  a: { then: b }\n  b: { then: a }\n",
        expect![[r#"
            5:3 never_ends `a`
                no way leads from a to an end
                help: give the loop an arm { when: …, to: end }
            6:3 never_ends `b`
                no way leads from b to an end
                help: give the loop an arm { when: …, to: end }
        "#]],
    );
}

#[test]
fn arms_behind_one_without_when() {
    flow(
        "start: a\nnodes:\n  a: { tool: { name: t }, then: [ { to: end }, { when: output.ok, to: a } ] }\n",
        expect![[r#"
            5:48 unreachable_arm `{`
                this arm of then is never reached: the one before it has no when
                help: the arm without when comes last
        "#]],
    );
}

#[test]
fn routes_have_a_shape() {
    flow(
        "start: a\nnodes:\n  a: { then: [], on_error: { fail: no } }\n",
        expect![[r#"
            5:14 no_then `[`
                then is empty
                help: write end where a branch ends
            5:28 wrong_type `{`
                on_error is a name, a list of names or a list of arms, not one arm
                help: put the arm in a list: [ { when: …, to: … } ]
        "#]],
    );
    flow(
        "start: a\nnodes:\n  a: { then: [ end, { to: end } ] }\n",
        expect![[r#"
            5:16 wrong_type `end`
                then mixes arms and a text
                help: write { to: NAME } for an arm without a condition
        "#]],
    );
    flow(
        "start: a\nnodes:\n  a: { then: [ { when: 'has(run.id)' } ] }\n",
        expect![[r#"
            5:16 wrong_arm `{`
                an arm needs to or fail
                help: { when: …, to: NAME } or { when: …, fail: "…" }
        "#]],
    );
    flow(
        "start: end\nnodes:\n  a: { then: end }\n",
        expect![[r#"
            3:1 wrong_target `start`
                a graph cannot start at its end
                help: name each node once, and end alone
            5:3 unreachable_node `a`
                nothing leads to a
                help: name it in start, then or on_error, or delete it
        "#]],
    );
}

#[test]
fn branches_that_meet_need_a_join() {
    flow(
        "start: [a, b]\nnodes:\n  a: { then: c }\n  b: { then: c }\n  c: { then: d }\n  d: { then: end }\n",
        expect![[r#"
            7:3 missing_join `c`
                branches that run at once meet at c, which would run twice
                help: give it join: all, or join the branches before it
        "#]],
    );
    flow(
        "start: s\nnodes:\n  s: { then: [a, b] }\n  a: { then: j }\n  b: { on_error: x, then: j }\n  j: { join: all, then: x }\n  x: { then: end }\n",
        expect![[r#"
            9:3 missing_join `x`
                branches that run at once meet at x, which would run twice
                help: give it join: all, or join the branches before it
        "#]],
    );
    flow(
        "start: [a, b]\nnodes:\n  a: { then: a2 }\n  a2: { tool: { name: t }, then: [ { when: output.again, to: a }, { to: c } ] }\n  b: { then: c }\n  c: { then: end }\n",
        expect![[r#"
            8:3 missing_join `c`
                branches that run at once meet at c, which would run twice
                help: give it join: all, or join the branches before it
        "#]],
    );
}

#[test]
fn writers_at_once_need_a_reducer() {
    flow(
        r#"state: { t: string, u: { type: string, reduce: last } }
start: [a, b]
nodes:
  a: { save: { t: "'a'", u: "'a'" }, then: end }
  b: { then: c }
  c: { save: { t: "'c'", u: "'c'" }, then: end }
"#,
        expect![[r#"
            8:3 concurrent_writers `c`
                a and c may write t at once
                help: declare the channel with reduce: last or append, or let one node write it
        "#]],
    );
}

#[test]
fn loops_that_cannot_end_otherwise() {
    flow(
        r#"input: { n: integer }
state: { n: { type: integer, reduce: sum } }
start: [a, z]
nodes:
  a: { then: b }
  b: { then: [ { when: input.n > 3, to: end }, { when: state.n > 3, to: end }, { to: a } ] }
  z: { then: [z, y] }
  y: { then: end }
"#,
        expect![[r#"
            7:3 endless_loop `a`
                the loop a → b → a changes nothing that its way out depends on
                help: let a node of it save what the condition looks at: turns: "1" in a channel with reduce: sum
            9:3 endless_loop `z`
                the loop z → z has no way out
                help: give a node of it an arm that leads out: { when: state.turns < 3, to: … }
        "#]],
    );
    flow(
        r#"state: { n: { type: integer, reduce: sum } }
start: a
nodes:
  a: { then: b }
  b: { then: [ { when: state.n > 3, to: c }, { to: a } ] }
  c: { save: { n: '1' }, then: [ { when: state.n > 9, to: end }, { to: a } ] }
"#,
        expect![[r#"
            6:3 endless_loop `a`
                the loop a → b → a changes nothing that its way out depends on
                help: let a node of it save what the condition looks at: turns: "1" in a channel with reduce: sum
        "#]],
    );
}

#[test]
fn every_problem_is_told_at_once() {
    check(
        "baton: 1\ngraph: g\nstate: { a: strng }\nstart: b\nnodes:\n  a:\n    tool: { nme: t }\n    timeout: 5\n    then: edn\n",
        expect![[r#"
            3:13 unknown_type `strng`
                there is no type strng
                help: did you mean string?
            4:8 unknown_node `b`
                there is no node b
                help: did you mean a?
            7:11 missing_key `{`
                tool needs a name
                help: name: file.list
            7:13 unknown_key `nme`
                tool has no key nme
                help: did you mean name?
            8:14 wrong_duration `5`
                timeout is a duration, not "5"
                help: give it a unit of ms, s, m, h or d: 5s
            9:11 unknown_node `edn`
                there is no node edn
                help: did you mean end?
        "#]],
    );
}
