//! Keys and words that are not known, missing, or do not fit each other.

use expect_test::expect;

use super::{check, head, node};

#[test]
fn unknown_keys_name_the_nearest() {
    head(
        "limts: { steps: 3 }\n",
        expect![[r#"
            6:1 unknown_key `limts`
                a graph has no key limts
                help: did you mean limits?
        "#]],
    );
    node(
        "tool: { name: t, arg: {} }\n    thne: end",
        expect![[r#"
            7:3 no_then `a`
                a has no then
                help: write then: end where a branch ends
            8:22 unknown_key `arg`
                tool has no key arg
                help: did you mean args?
            9:5 unknown_key `thne`
                a node has no key thne
                help: did you mean then?
        "#]],
    );
    node(
        "chat: { route: w, user: x, outputschema: {} }\n    then: end",
        expect![[r#"
            8:32 unknown_key `outputschema`
                chat has no key outputschema
                help: did you mean output_schema?
        "#]],
    );
    head(
        "limits: { step: 3, cost_usd: 0.5 }\n",
        expect![[r#"
            6:11 unknown_key `step`
                limits has no key step
                help: did you mean steps?
        "#]],
    );
}

#[test]
fn codes_of_failures_and_offers_of_chats_are_checked() {
    node(
        "then: [ { fail: never, code: Too-Late } ]",
        expect![[r#"
            8:34 wrong_name `Too-Late`
                "Too-Late" is no code of a failure
                help: codes are made of small letters, digits and _: too_late
        "#]],
    );
    node(
        "then: [ { to: end, code: late } ]",
        expect![[r#"
        8:30 wrong_arm `late`
            code goes with fail
            help: { fail: "…", code: too_late }
    "#]],
    );
    node(
        "chat: { route: r, user: u, tools: file.list }\n    then: end",
        expect![[r#"
        8:39 wrong_type `file.list`
            tools is a list, not a text
            help: tools: [file.list]
    "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [ 'file list' ] }\n    then: end",
        expect![[r#"
        8:41 wrong_name `'file list'`
            "file list" is no name of a tool
            help: tools have dotted names: doc.extract
    "#]],
    );
}

#[test]
fn tools_of_a_chats_own_are_checked() {
    node(
        "chat: { route: r, user: u, tools: [ { name: find, description: d } ] }\n    then: end",
        expect![[r#"
            8:41 missing_key `{`
                a tool of your own needs input_schema
                help: { name: find, description: "finds a word", input_schema: { type: object, properties: { word: { type: string } } } }
        "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [ { name: find, description: d, input_schema: { type: object }, args: {} } ] }\n    then: end",
        expect![[r#"
            8:103 unknown_key `args`
                a tool of your own has no key args
                help: there are name, description, input_schema
        "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [ { name: find, description: d, input_schema: { type: object, properties: 7 } } ] }\n    then: end",
        expect![[r#"
            8:85 wrong_schema `{`
                no JSON Schema: 7 is not of type "object"
                help: correct the schema; references stay within it
        "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [ { name: find, description: d, input_schema: string } ] }\n    then: end",
        expect![[r#"
            8:85 wrong_schema `string`
                what a tool takes is an object
                help: input_schema: { type: object, properties: { word: { type: string } } }
        "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [ find, { name: find, description: d, input_schema: object } ] }\n    then: end",
        expect![[r#"
            8:47 duplicate_key `{`
                find stands here twice
                help: keep one of them
        "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [ file.list, { name: find, description: \"{{ x\", input_schema: { type: object, additionalProperties: { type: string } } } ] }\n    then: end",
        expect![[r#"
            fine
        "#]],
    );
    node(
        "chat: { route: r, user: u, tools: [file.list] }\n    save: { l: \"has(output.tool_calls) ? output.tool_calls : []\" }\n    then: end",
        expect![[r#"
        fine
    "#]],
    );
    node(
        "chat: { route: r, user: u }\n    save: { l: output.tool_calls }\n    then: end",
        expect![[r#"
        9:16 unknown_output `output.tool_calls`
            output has no tool_calls here
            help: there are finish, json, model, text, usage
    "#]],
    );
}

#[test]
fn pictures_of_a_chat_are_a_list() {
    node(
        "chat: { route: w, user: u, images: ['{{ input.q }}', logo.png] }\n    then: end",
        expect![[r#"
        fine
    "#]],
    );
    node(
        "chat: { route: w, user: u, images: \"{{ state.l }}\" }\n    then: end",
        expect![[r#"
        fine
    "#]],
    );
    node(
        "chat: { route: w, user: u, images: logo.png }\n    then: end",
        expect![[r#"
        8:40 wrong_type `logo.png`
            images is a list or one {{ expression }}, not a text
            help: write it in the form that is named
    "#]],
    );
    node(
        "chat: { route: w, user: u, images: ['{{ state.gone }}'] }\n    then: end",
        expect![[r#"
        8:41 unknown_channel `'{{ state.gone }}'`
            state has no channel gone
            help: there are l, n, o, text, x
    "#]],
    );
}

#[test]
fn what_tells_of_a_question_is_a_call() {
    node(
        "ask: { title: t, via: { name: slack.post, args: { text: '{{ ask.id }} {{ ask.run }} {{ ask.path }} {{ ask.title }} {{ ask.expires_at }} {{ state.text }}', token: '{{ secret.x }}' } } }\n    then: end",
        expect![[r#"
            fine
        "#]],
    );
    node(
        "ask: { title: '{{ ask.id }}', via: slack.post }\n    then: end",
        expect![[r#"
        8:19 not_visible `'{{ ask.id }}'`
            ask is not visible in the work of a node
            help: only via of an ask sees it
        8:40 wrong_type `slack.post`
            via is a map, not a text
            help: its keys are name, args
    "#]],
    );
    node(
        "ask: { title: t, via: { args: { text: '{{ ask.link }}', by: '{{ item }}' }, key: x } }\n    then: end",
        expect![[r#"
            8:27 missing_key `{`
                via needs a name
                help: name: file.list
            8:43 unknown_name `'{{ ask.link }}'`
                ask has no link
                help: there are expires_at, id, path, run, title
            8:65 not_visible `'{{ item }}'`
                item is not visible in via of an ask
                help: only work and keep of a node with for_each see it
            8:81 unknown_key `key`
                via has no key key
                help: there are name, args
        "#]],
    );
}

#[test]
fn keys_of_the_full_language_are_named() {
    node(
        "agent: { kind: tools }\n    save: { text: output.text }\n    then: end",
        expect![[r#"
            8:5 unsupported_yet `agent`
                agent is not supported yet
                help: docs/graphs.md lists what this version supports
        "#]],
    );
    node(
        "tool: { name: t, key: k }\n    cache: { ttl: 1h }\n    join: any\n    then: end",
        expect![[r#"
            9:12 missing_key `{`
                cache needs key
                help: key: "{{ input.query }}"
        "#]],
    );
    node(
        "for_each: { in: state.l, by: item.id }\n    tool: { name: t }\n    then: end",
        expect![[r#"
            fine
        "#]],
    );
    head(
        "on_busy: rollback\ntriggers: []\n",
        expect![[r#"
            7:1 unsupported_yet `triggers`
                triggers is not supported yet
                help: docs/graphs.md lists what this version supports
        "#]],
    );
}

#[test]
fn what_is_missing_is_named() {
    check(
        "graph: g\n",
        expect![[r#"
            1:1 missing_key `graph:`
                the graph has no nodes
                help: add it; docs/graphs.md lists all keys
            1:1 missing_key `graph:`
                the graph has no start
                help: start: NAME of the first node
            1:1 missing_key `graph:`
                the language version is missing
                help: begin with baton: 1
        "#]],
    );
    check(
        "baton: 2\ngraph: g h\nstart: end\nnodes: {}\n",
        expect![[r#"
            1:8 wrong_version `2`
                this version of Baton reads graphs of language version 1
                help: write baton: 1
            2:8 wrong_name `g h`
                "g h" is no name of a graph
                help: names are made of letters, digits, _, - and .
            3:1 wrong_target `start`
                a graph cannot start at its end
                help: name each node once, and end alone
            4:1 missing_key `nodes`
                the graph has no nodes
                help: add it; docs/graphs.md lists all keys
        "#]],
    );
    node(
        "tool: { args: {} }\n    then: end",
        expect![[r#"
            8:11 missing_key `{`
                tool needs a name
                help: name: file.list
        "#]],
    );
}

#[test]
fn what_a_node_misses_is_named() {
    node(
        "chat: { system: s }\n    then: end",
        expect![[r#"
            8:11 missing_key `{`
                chat needs a route
                help: route: writer
            8:11 missing_key `{`
                chat needs user or messages
                help: user: "{{ input.question }}"
        "#]],
    );
    node(
        "ask: { allow: [approve] }\n    then: end",
        expect![[r#"
            8:10 missing_key `{`
                ask needs a title
                help: title: "Publish {{ input.issue }}?"
            8:12 missing_key `allow`
                allow needs edit: the value that is to be approved
                help: edit: state.draft
        "#]],
    );
    node(
        "tool: { name: t }",
        expect![[r#"
            7:3 no_then `a`
                a has no then
                help: write then: end where a branch ends
        "#]],
    );
    node(
        "retry: {}\n    tool: { name: t }\n    then: end",
        expect![[r#"
            8:12 missing_key `{`
                retry needs attempts, the first included
                help: retry: { attempts: 3 }
        "#]],
    );
}

#[test]
fn one_thing_at_a_time() {
    node(
        "tool: { name: t }\n    chat: { route: w, user: u }\n    then: end",
        expect![[r#"
            9:5 two_works `chat`
                a node does one thing: tool and chat
                help: make two nodes of it
        "#]],
    );
    node(
        "ask: { title: t, edit: state.text, fields: { a: string } }\n    then: end",
        expect![[r#"
            8:40 two_forms `fields`
                ask has edit or fields, not both
                help: edit asks for an approval, fields or schema for values
        "#]],
    );
    node(
        "chat: { route: w, user: u, fields: { a: string }, output_schema: {} }\n    then: end",
        expect![[r#"
            8:70 two_forms `{`
                chat has fields or output_schema, not both
                help: keep one of them
        "#]],
    );
    node(
        "then: [ { to: end, fail: no } ]",
        expect![[r#"
            8:24 wrong_arm `fail`
                an arm has to or fail, not both
                help: { when: …, to: NAME } or { when: …, fail: "…" }
        "#]],
    );
}

#[test]
fn what_has_no_use_is_refused() {
    node(
        "tool: { name: t }\n    max_parallel: 3\n    on_item_error: collect\n    then: end",
        expect![[r#"
            9:5 needs_for_each `max_parallel`
                max_parallel needs for_each
                help: add for_each, or leave the key out
            10:5 needs_for_each `on_item_error`
                on_item_error needs for_each
                help: add for_each, or leave the key out
        "#]],
    );
    node(
        "retry: { attempts: 2 }\n    then: end",
        expect![[r#"
            8:5 no_use `retry`
                a node without work has no use for retry
                help: leave it out
        "#]],
    );
    node(
        "ask: { title: t }\n    timeout: 1h\n    for_each: state.l\n    then: end",
        expect![[r#"
            9:5 no_use `timeout`
                a node that asks has no use for timeout
                help: expires limits how long it waits
        "#]],
    );
    node(
        "tool: { name: t }\n    retry: { attempts: 2, errors: [invalid, trasient, http_500] }\n    then: end",
        expect![[r#"
            9:36 no_use `invalid`
                errors of class invalid are never tried again
                help: leave it out
            9:45 unknown_word `trasient`
                there is no class of errors trasient
                help: did you mean transient?
        "#]],
    );
}

#[test]
fn words_are_checked() {
    node(
        "tool: { name: t, queue: gpu, effect: onec }\n    priority: urgent\n    then: end",
        expect![[r#"
            8:29 unknown_word `gpu`
                queue is io, cpu or cap.NAME, not gpu
                help: cap.gpu is the queue of workers that announce the capability gpu
            8:42 unknown_word `onec`
                effect is one of pure, idempotent, once, not onec
                help: did you mean once?
            9:15 unknown_word `urgent`
                priority is one of high, normal, low, not urgent
                help: write one of those that are named
        "#]],
    );
    node(
        "for_each: state.l\n    tool: { name: t }\n    on_item_error: colect\n    max_parallel: 0\n    then: end",
        expect![[r#"
            10:20 unknown_word `colect`
                on_item_error is one of fail, collect, not colect
                help: did you mean collect?
            11:19 wrong_number `0`
                max_parallel is a whole number from 1 to 100000
                help: write a number within the bounds, without quotes
        "#]],
    );
    node(
        "ask: { title: t, edit: state.text, allow: [aprove] }\n    then: end",
        expect![[r#"
            8:48 unknown_word `aprove`
                allow is one of approve, edit, reject, respond, not aprove
                help: did you mean approve?
        "#]],
    );
    node(
        "tool: { name: 'no name', args: [] }\n    then: end",
        expect![[r#"
            8:19 wrong_name `'no name'`
                "no name" is no name of a tool
                help: tools have dotted names: doc.extract
            8:36 wrong_type `[`
                args is a map or one {{ expression }}, not a list
                help: write it in the form that is named
        "#]],
    );
}
