//! Graphs made by hand, so that the driver is tested without the language.

use std::collections::BTreeMap;

use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::transition::OnBusy;
use baton_common::{Digest, ErrorClass, GraphHash, NodePath};
use baton_engine::expr::{Expr, Template};
use baton_engine::graph::{
    Arm, Ask, AskForm, Channel, ForEach, Graph, Limits, Node, OnItemError, Reducer, Retry, Route, Target, ToolCall,
    Wait, Work,
};
use serde_json::{Value, json};

use crate::graphs::Compiled;

pub(crate) fn path(name: &str) -> NodePath {
    NodePath::parse(name).unwrap()
}

fn route(to: &[&str]) -> Route {
    Route {
        arms: vec![Arm { when: None, target: Target::Nodes(to.iter().map(|name| path(name)).collect()), code: None }],
    }
}

fn node(name: &str, work: Work, save: &[(&str, &str)], then: &[&str]) -> Node {
    Node {
        path: path(name),
        work,
        save: save.iter().map(|(channel, text)| ((*channel).into(), Expr::compile(text).unwrap())).collect(),
        then: route(then),
        on_error: None,
        join: None,
        each: None,
        retry: Retry {
            attempts: 1,
            backoff_min_ms: 1_000,
            backoff_max_ms: 60_000,
            classes: vec![ErrorClass::Transient],
            codes: Vec::new(),
        },
        timeout_ms: 60_000,
        deadline_ms: None,
        priority: None,
        poll: None,
        undo: None,
        cache: None,
        approve: None,
    }
}

pub(crate) fn tool(name: &str, args: &Value, save: &[(&str, &str)], then: &[&str]) -> Node {
    let args = Template::compile(args).unwrap();
    let call = ToolCall { name: "t.echo".to_owned(), args, class: None, effect: None, capability: None, key: None };
    node(name, Work::Tool(call), save, then)
}

pub(crate) fn waits(name: &str, wait: Wait, then: &[&str]) -> Node {
    node(name, Work::Wait(wait), &[], then)
}

pub(crate) fn retried(mut node: Node, attempts: u32) -> Node {
    node.retry.attempts = attempts;
    node
}

pub(crate) fn each(mut node: Node, list: &str, max_parallel: u32) -> Node {
    node.each = Some(ForEach {
        list: Expr::compile(list).unwrap(),
        item_name: "item".to_owned(),
        keep: None,
        on_item_error: OnItemError::Fail,
        max_parallel,
        by: None,
        after: None,
    });
    node
}

pub(crate) fn approval(name: &str, edit: &str, save: &[(&str, &str)], then: &[&str]) -> Node {
    let ask = Ask {
        title: Template::compile(&json!("Go on?")).unwrap(),
        show: Vec::new(),
        form: AskForm::Approval {
            edit: Expr::compile(edit).unwrap(),
            allow: ["approve", "edit", "reject"].map(str::to_owned).to_vec(),
            schema: json!({}),
        },
        expires_ms: None,
        via: None,
    };
    node(name, Work::Ask(ask), save, then)
}

/// A graph of these nodes that starts at the first, with one channel `out` and that as output.
pub(crate) fn graph(name: &str, nodes: Vec<Node>) -> Compiled {
    let start = vec![nodes[0].path.clone()];
    let successors = nodes.iter().map(|node| {
        let targets = node.then.arms.iter().filter_map(|arm| match &arm.target {
            Target::Nodes(nodes) => Some(nodes.clone()),
            Target::Fail(_) => None,
        });
        (node.path.clone(), targets.flatten().collect())
    });
    let successors = successors.collect();
    let channel = Channel { schema: json!({}), reducer: Reducer::Replace, default: Value::Null, keep: false };
    let graph = Graph {
        name: name.to_owned(),
        hash: GraphHash(Digest::of(name)),
        source: name.to_owned(),
        input: json!({"type": "object"}),
        output: BTreeMap::from([("out".to_owned(), Expr::compile("state.out").unwrap())]),
        output_schema: json!({}),
        children: BTreeMap::new(),
        channels: BTreeMap::from([("out".into(), channel)]),
        start,
        limits: Limits { steps: 1_000, duration_ms: None, tokens: None, cost_usd: None },
        on_busy: OnBusy::Reject,
        nodes: nodes.into_iter().map(|node| (node.path.clone(), node)).collect(),
        successors,
        facts: Default::default(),
    };
    let spec = ToolSpec {
        name: "t.echo".to_owned(),
        major: 1,
        class: QueueClass::Io,
        effect: Effect::Idempotent,
        description: String::new(),
        args_schema: json!({}),
    };
    Compiled { graph, tools: BTreeMap::from([(spec.name.clone(), spec)]) }
}
