//! Graphs that are fine, and what becomes of them.

use serde_json::json;

use super::super::{Source, includes, parse, parse_canonical};
use super::{examples, shown};
use crate::graph::{AskForm, Graph, OnItemError, Target, Work};

fn graph(text: &str) -> Graph {
    parse(&Source::new("g.yaml", text)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn example(name: &str) -> Graph {
    graph(&examples().into_iter().find(|(file, _)| file == name).unwrap().1)
}

#[test]
fn every_example_is_a_graph() {
    for (file, text) in examples() {
        assert_eq!(shown(&text), "fine\n", "{file}");
    }
}

#[test]
fn the_canonical_text_gives_the_same_graph() {
    for (file, text) in examples() {
        let first = graph(&text);
        let second = parse_canonical(&first.source).unwrap_or_else(|problems| panic!("{file}: {problems:#?}"));
        assert_eq!(format!("{first:#?}"), format!("{second:#?}"), "{file}");
    }
}

#[test]
fn layout_and_comments_do_not_change_the_version() {
    let one = graph("baton: 1\ngraph: g\nstart: a\nnodes:\n  a: { then: end }\n");
    let two = graph("# c\nnodes: { a: { 'then': \"end\" } }\nstart: a\n\ngraph: g\nbaton: 1\n");
    assert_eq!(one.hash, two.hash);
    let three = graph("baton: 1\ngraph: h\nstart: a\nnodes:\n  a: { then: end }\n");
    assert_ne!(one.hash, three.hash);
}

#[test]
fn a_chat_is_a_job_of_the_tool_chat() {
    let graph = graph(
        "baton: 1\ngraph: g\ninput: { q: string }\nstart: a\nstate: { ok: boolean }\nnodes:\n  a:\n    chat: { route: w, user: \"{{ input.q }}\", fields: { ok: boolean, why: { type: string, default: '-' } }, temperature: 0.5, max_tokens: 9 }\n    save: { ok: output.json.ok }\n    then: end\n",
    );
    let Work::Tool(call) = &graph.nodes.values().next().unwrap().work else { panic!() };
    assert_eq!(call.name, "chat");
    let expected = json!({
        "route": "w", "user": "{{ input.q }}", "temperature": 0.5, "max_tokens": 9,
        "output_schema": {
            "type": "object", "required": ["ok"], "additionalProperties": false,
            "properties": {"ok": {"type": "boolean"}, "why": {"type": "string", "default": "-"}},
        },
    });
    assert_eq!(call.args.source(), &expected);
}

#[test]
fn the_digest_is_what_it_says() {
    let digest = example("digest.yaml");
    assert_eq!(digest.name, "digest");
    assert_eq!(digest.limits.steps, 50);
    let extract = &digest.nodes.values().find(|node| node.path.as_str() == "extract").unwrap();
    let each = extract.each.as_ref().unwrap();
    assert_eq!((each.item_name.as_str(), each.max_parallel, each.on_item_error), ("file", 8, OnItemError::Collect));
    let approve = digest.nodes.values().find(|node| node.path.as_str() == "approve").unwrap();
    let Work::Ask(ask) = &approve.work else { panic!() };
    assert_eq!(ask.expires_ms, Some(86_400_000));
    assert!(matches!(&ask.form, AskForm::Approval { allow, .. } if allow.len() == 3));
    assert!(matches!(approve.then.arms[2].target, Target::Fail(_)));
    let successors: Vec<_> = digest.successors[&approve.path].iter().map(|path| path.as_str()).collect();
    assert_eq!(successors, ["draft", "report"]);
}

#[test]
fn input_gets_its_defaults_and_is_checked() {
    let hello = example("hello.yaml");
    assert_eq!(hello.check_input(&json!(null)).unwrap(), json!({"name": "world"}));
    let digest = example("digest.yaml");
    for (input, why) in [
        (json!({"folder": "x"}), "\"question\" is a required property"),
        (json!({"foldr": "x", "question": "y"}), "there is no foldr, did you mean folder?"),
        (json!({"folder": 7, "question": "y"}), "/folder: value is not of type \"string\""),
        (json!([]), "value is not of type \"object\""),
    ] {
        let failure = digest.check_input(&input).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("invalid_input", why));
    }
}

#[test]
fn included_texts_are_part_of_the_graph() {
    let text = "baton: 1\ngraph: g\nstart: a\nnodes:\n  a:\n    chat: { route: w, user: hi, system: { file: prompts/w.md } }\n    then: end\n";
    assert_eq!(includes(&Source::new("g.yaml", text)), ["prompts/w.md"]);
    let mut source = Source::new("g.yaml", text);
    source.includes.insert("prompts/w.md".to_owned(), "Be brief, {{ run.id }}.\n".to_owned());
    let graph = parse(&source).unwrap();
    assert!(graph.source.contains("Be brief, {{ run.id }}.\\n"), "{}", graph.source);
    assert_eq!(parse_canonical(&graph.source).unwrap().hash, graph.hash);
    source.includes.insert("prompts/w.md".to_owned(), "Be long.".to_owned());
    assert_ne!(parse(&source).unwrap().hash, graph.hash);
}

#[test]
fn branches_may_meet_at_joins_and_loops_may_turn() {
    let with = |nodes: &str| shown(&format!("baton: 1\ngraph: g\nstart: [a, b]\nnodes:\n{nodes}"));
    for nodes in [
        "  a: { then: c }\n  b: { then: c }\n  c: { join: all, then: end }\n",
        "  a: { then: end }\n  b: { then: end }\n",
        "  a: { then: j }\n  b: { then: j }\n  j: { join: all, then: c }\n  c: { then: end }\n",
        "  a: { then: [c, d] }\n  b: { then: j }\n  c: { then: j }\n  d: { then: j }\n  j: { join: all, then: end }\n",
        "  a: { tool: { name: t }, then: [ { when: output.again, to: a }, { to: j } ] }\n  b: { then: j }\n  j: { join: all, then: end }\n",
        "  a: { on_error: j, then: j }\n  b: { on_error: end, then: j }\n  j: { join: all, then: end }\n",
        "  a: { then: i }\n  b: { then: i }\n  i: { join: all, then: [c, d] }\n  c: { then: j }\n  d: { then: j }\n  j: { join: all, then: end }\n",
    ] {
        assert_eq!(with(nodes), "fine\n", "{nodes}");
    }
}
