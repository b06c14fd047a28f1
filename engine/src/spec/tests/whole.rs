//! The parts of the language beyond tools, chats and questions, as graphs that are fine.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::{Known, Source, calls, includes, parse, parse_canonical, parse_with};
use super::shown;
use crate::graph::{AskForm, Graph, Join, Wait, Work};

fn graph(text: &str) -> Graph {
    parse(&Source::new("g.yaml", text)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn nodes(text: &str) -> Graph {
    graph(&format!(
        "baton: 1\ngraph: g\ninput: {{ due: string, items: array }}\nstate: {{ n: integer, t: string, o: object, l: array }}\nstart: a\nnodes:\n{text}"
    ))
}

fn work<'g>(graph: &'g Graph, name: &str) -> &'g Work {
    &graph.nodes.values().find(|node| node.path.as_str() == name).unwrap().work
}

#[test]
fn waits_are_for_times_and_signals() {
    let graph = nodes(
        "  a: { wait: { for: 30m }, then: b }\n  b: { wait: { until: input.due }, then: c }\n  c: { wait: { signal: paid, match: event.id == input.due, expires: 3d }, save: { o: output }, on_error: end, then: end }\n",
    );
    assert!(matches!(work(&graph, "a"), Work::Wait(Wait::For(1_800_000))));
    assert!(matches!(work(&graph, "b"), Work::Wait(Wait::Until(moment)) if moment.text() == "input.due"));
    let Work::Wait(Wait::Signal { name, matches, expires_ms }) = work(&graph, "c") else { panic!() };
    assert_eq!((name.as_str(), matches.as_ref().unwrap().text()), ("paid", "event.id == input.due"));
    assert_eq!(*expires_ms, Some(259_200_000));
}

#[test]
fn what_stands_beside_a_job_is_read() {
    let graph = nodes(
        "  a:
    tool: { name: batch.get, args: { id: \"{{ state.t }}\" }, key: \"k-{{ input.due }}\", queue: cap.gpu, effect: once }
    poll: { until: output.status == 'done', every: 5s..1m }
    undo: { tool: { name: batch.drop, args: { id: \"{{ output.id }}\", key: \"{{ secret.k }}\" } } }
    cache: { key: \"{{ input.due }}\", ttl: 1h }
    approve: { when: args.amount > 100, allow: [edit, reject] }
    priority: high
    deadline: 2h
    then: end
",
    );
    let node = graph.nodes.values().next().unwrap();
    let Work::Tool(call) = &node.work else { panic!() };
    assert_eq!(call.capability.as_deref(), Some("gpu"));
    assert_eq!(call.key.as_ref().unwrap().source(), &json!("k-{{ input.due }}"));
    let poll = node.poll.as_ref().unwrap();
    assert_eq!((poll.every_min_ms, poll.every_max_ms), (5_000, 60_000));
    assert_eq!(node.undo.as_ref().unwrap().name, "batch.drop");
    assert_eq!(node.cache.as_ref().unwrap().ttl_ms, 3_600_000);
    assert_eq!(node.approve.as_ref().unwrap().allow, ["approve", "edit", "reject"]);
}

#[test]
fn items_may_name_and_need_each_other() {
    let graph = nodes(
        "  a:
    for_each: { in: input.items, as: job, by: job.id, after: job.needs, keep: output.text }
    tool: { name: t, args: { done: \"{{ deps }}\", of: \"{{ deps.first }}\", job: \"{{ job }}\" } }
    save: { o: output, n: size(errors) }
    then: end
",
    );
    let each = graph.nodes.values().next().unwrap().each.as_ref().unwrap();
    assert_eq!(each.by.as_ref().unwrap().text(), "job.id");
    assert_eq!(each.after.as_ref().unwrap().text(), "job.needs");
}

#[test]
fn the_head_is_read() {
    let graph = graph(
        "baton: 1\ngraph: g\nlimits: { steps: 5, cost_usd: 0.50, tokens: 9, duration: 2d }\non_busy: rollback\nstate: { chat: { type: array, reduce: messages, keep: true } }\nstart: [a, b]\nnodes:\n  a: { then: j }\n  b: { then: j }\n  j: { join: any, then: end }\n",
    );
    assert_eq!(graph.limits.cost_usd, Some(0.5));
    assert_eq!(graph.on_busy, baton_common::transition::OnBusy::Rollback);
    assert!(graph.channels["chat"].keep);
    assert_eq!(graph.nodes.values().last().unwrap().join, Some(Join::Any));
}

#[test]
fn an_edited_value_has_the_type_of_what_is_edited() {
    let graph = graph(
        "baton: 1\ngraph: g\nstate: { o: { type: object, required: [n], properties: { n: { type: integer } } } }\nstart: a\nnodes:\n  a: { ask: { title: t, edit: state.o }, then: b }\n  b: { ask: { title: t, edit: state.o.n + 1 }, then: end }\n",
    );
    let schema = |name| match work(&graph, name) {
        Work::Ask(ask) => match &ask.form {
            AskForm::Approval { schema, .. } => schema.clone(),
            AskForm::Schema(_) => panic!(),
        },
        _ => panic!(),
    };
    assert_eq!(schema("a"), graph.channels["o"].schema);
    assert_eq!(schema("b"), json!({"type": "integer"}));
}

const CALLER: &str = "baton: 1
graph: g
input: { topic: string }
output: { text: state.text }
state: { text: string, found: array }
start: a
graphs:
  research:
    input: { topic: string, depth: { type: integer, default: 2 } }
    output: { text: state.text, score: state.score }
    state: { text: string, score: number }
    start: b
    nodes:
      b:
        graph: { name: deeper, args: { topic: \"{{ input.topic }}\" } }
        save: { text: output.text }
        then: end
  deeper:
    input: { topic: string }
    output: { text: input.topic }
    start: c
    nodes: { c: { then: end } }
nodes:
  a:
    graph: { name: research, args: { topic: \"{{ input.topic }}\" } }
    save: { text: output.text }
    then: b
  b:
    graph: { name: ./parts/summary.yaml, args: { text: \"{{ state.text }}\" } }
    then: c
  c:
    graph: { name: applied, args: {} }
    then: end
";

fn caller() -> (Source, Known) {
    let mut source = Source::new("graphs/g.yaml", CALLER);
    assert_eq!(includes(&source), ["parts/summary.yaml"]);
    let summary = "baton: 1\ngraph: summary\ninput: { text: string }\nstart: s\nnodes:\n  s:\n    chat: { route: w, user: { file: prompts/s.md } }\n    then: t\n  t: { graph: { name: ./tail.yaml }, then: end }\n";
    source.includes.insert("parts/summary.yaml".to_owned(), summary.to_owned());
    assert_eq!(includes(&source), ["parts/prompts/s.md", "parts/summary.yaml", "parts/tail.yaml"]);
    source.includes.insert("parts/prompts/s.md".to_owned(), "Sum up {{ input.text }}".to_owned());
    let tail = "baton: 1\ngraph: tail\nstart: z\nnodes: { z: { then: end } }\n";
    source.includes.insert("parts/tail.yaml".to_owned(), tail.to_owned());
    assert_eq!(calls(&source), ["applied"]);
    let applied = graph("baton: 1\ngraph: applied\nstart: z\nnodes: { z: { then: end } }\n").source;
    (source, Known { graphs: BTreeMap::from([("applied".to_owned(), applied)]), ..Known::default() })
}

#[test]
fn graphs_call_graphs_of_the_same_file_of_others_and_applied_ones() {
    let (source, known) = caller();
    let graph = parse_with(&source, &known).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let names: Vec<_> = graph.children.iter().map(|(name, child)| (name.as_str(), child.name.as_str())).collect();
    assert_eq!(names, [("./parts/summary.yaml", "summary"), ("applied", "applied"), ("research", "research")]);
    let research = &graph.children["research"];
    assert_eq!(research.children.keys().collect::<Vec<_>>(), ["deeper"]);
    assert_eq!(
        research.output_schema,
        json!({"type": "object", "required": ["score", "text"], "properties": {"score": {"type": ["number", "null"]}, "text": {"type": ["string", "null"]}}})
    );
}

#[test]
fn the_canonical_text_holds_every_graph_that_is_called() {
    let (source, known) = caller();
    let graph = parse_with(&source, &known).unwrap();
    let again = parse_canonical(&graph.source).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(format!("{graph:#?}"), format!("{again:#?}"));
    // A child stands on its own as well: that is what a child run is started from.
    let child = &graph.children["research"];
    assert_eq!(parse_canonical(&child.source).unwrap().hash, child.hash);
    assert!(graph.source.contains("Sum up {{ input.text }}"), "{}", graph.source);
}

#[test]
fn a_change_of_a_called_graph_is_a_new_version() {
    let (mut source, known) = caller();
    let before = parse_with(&source, &known).unwrap().hash;
    source.includes.insert("parts/prompts/s.md".to_owned(), "Otherwise".to_owned());
    assert_ne!(parse_with(&source, &known).unwrap().hash, before);
}

#[test]
fn the_first_of_several_branches_may_be_enough() {
    let with = |nodes: &str| {
        shown(&format!("baton: 1\ngraph: g\nstate: {{ t: string, u: string }}\nstart: [a, b]\nnodes:\n{nodes}"))
    };
    for nodes in [
        "  a: { save: { t: \"'a'\" }, then: j }\n  b: { then: j }\n  j: { join: any, save: { t: \"'j'\" }, then: end }\n",
        "  a: { then: [ { when: state.t == 'x', to: end }, { to: j } ] }\n  b: { then: c }\n  c: { then: j }\n  j: { join: any, then: d }\n  d: { then: end }\n",
        "  a: { then: j }\n  b: { then: [j, e] }\n  j: { join: any, then: end }\n  e: { then: end }\n",
    ] {
        assert_eq!(with(nodes), "fine\n", "{nodes}");
    }
    // e runs on after the join, so it may write while j does.
    let both = "  a: { then: j }\n  b: { then: [j, e] }\n  j: { join: any, save: { t: \"'j'\" }, then: end }\n  e: { save: { t: \"'e'\" }, then: end }\n";
    assert!(
        with(both).contains("e and j may write t at once") || with(both).contains("j and e may write"),
        "{}",
        with(both)
    );
}

#[test]
fn loops_whose_way_out_may_change_are_fine() {
    let with = |nodes: &str| {
        shown(&format!(
            "baton: 1\ngraph: g\nstate: {{ n: {{ type: integer, reduce: sum }}, t: string }}\nstart: a\nnodes:\n{nodes}"
        ))
    };
    for nodes in [
        "  a: { save: { n: '1' }, then: [ { when: state.n > 3, to: end }, { to: a } ] }\n",
        "  a: { tool: { name: t }, then: [ { when: output.ok, to: end }, { to: a } ] }\n",
        "  a: { tool: { name: t }, on_error: end, then: a }\n",
        "  a: { then: [b, c] }\n  b: { wait: { for: 1m }, then: [ { when: state.t == 'done', to: end }, { to: b } ] }\n  c: { save: { t: \"'done'\" }, then: end }\n",
    ] {
        assert_eq!(with(nodes), "fine\n", "{nodes}");
    }
}
