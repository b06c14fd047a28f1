//! Compensations: fixed when something succeeded, and kept as elements of an append-like
//! channel of their own, so that nothing is stored twice however many they become.
//!
//! When they run is [`super::undoing`]'s business.

use std::collections::BTreeSet;

use baton_common::commit::{Input, NewGroup, NewTask, STORED_INPUT_BYTES_MAX};
use baton_common::job::Outcome;
use baton_common::records::{GroupInfo, Policy, TaskKind};
use baton_common::tool::{Effect, QueueClass};
use baton_common::{Failure, GroupId, NodePath, Seq, canonical_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::advance::Surroundings;
use super::arguments::arguments;
use super::delta::Delta;
use super::fold;
use super::group::{Kind, policy};
use super::items::{Items, of_item};
use super::outcomes::{Ended, How, Outcomes, value_of};
use super::scope::at_snapshot;
use super::tasks::{Origin, body};
use super::via;
use crate::expr::{Scope, SecretRef};
use crate::graph::{Graph, Node, ToolCall, Work};
use crate::state::{Open, RunState};

/// The channel that compensations are kept in. No graph can name it.
pub(super) const OWED: &str = "~owed";
/// What the path of a compensation's group has behind its node's.
pub(super) const SUFFIX: &str = "/undo";

/// A call that takes a success back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Compensation {
    /// The activation whose success it takes back.
    group: GroupId,
    /// Its place among those of that activation: later ones run first.
    place: u32,
    /// The node, behind those that called its graph.
    node: String,
    tool: String,
    major: u32,
    class: QueueClass,
    queue: String,
    effect: Effect,
    policy: Policy,
    args: Value,
}

/// What is to be taken back of an activation that ended, in the order of its success.
///
/// # Errors
/// When the arguments of a compensation fail: the node's failure.
pub(super) fn owed_by(
    around: &Surroundings<'_>,
    state: &RunState,
    node: &Node,
    ended: &Ended,
    open: Option<&Open>,
    owed: &mut Vec<Compensation>,
) -> Result<(), Failure> {
    if ended.id.node != node.path || !super::facts::owes(around.graph, node) {
        return Ok(());
    }
    let values = at_snapshot(around.graph, &state.values, open, &around.graph.known().reads(&node.path).at_fold);
    let scope = around.base.scope(&values);
    let items = node.each.as_ref().map(|each| Items::of(each, &scope)).transpose()?;
    let count = items.as_ref().map_or(1, Items::len);
    let outcomes = match &ended.how {
        How::Inline if matches!(node.work, Work::Local) => Outcomes::nulls(count),
        How::Closed(_) if matches!(node.work, Work::Local) => Outcomes::nulls(count),
        How::Closed(group) => Outcomes { all: group.outcomes.clone(), owed: group.owed.clone(), had_deadline: false },
        How::Computed(made) => Outcomes { all: made.all.clone(), owed: made.owed.clone(), had_deadline: false },
        How::Inline | How::Failed(_) => return Ok(()),
    };
    let outcomes = outcomes.by_item(count, open);
    let went_well = |item: &u32| matches!(outcomes.all.get(*item as usize), Some(Some(Outcome::Ok(_))));
    let done: BTreeSet<u32> = (0..count).filter(went_well).collect();
    let mut order = items.as_ref().map_or_else(|| done.iter().copied().collect(), |items| items.backwards(&done));
    order.reverse();
    let Some(undo) = &node.undo else {
        let mut place = 0;
        for item in order {
            passed_on(outcomes.owed.get(item as usize).and_then(Option::as_ref), &ended.id, &mut place, owed);
        }
        return Ok(());
    };
    let others = match (&node.each, &items) {
        (Some(each), Some(items)) if undo.args.roots().contains("deps") => {
            fold::kept(each, items, outcomes.clone(), &scope)
        }
        _ => Vec::new(),
    };
    let map = items.as_ref().zip(node.each.as_ref());
    let mut failed = None;
    for (place, item) in (0..).zip(order) {
        let Some(outcome) = outcomes.all.get(item as usize).cloned() else { continue };
        let kept = |need: u32| others.get(need as usize)?.as_ref().ok().cloned();
        let deps = map.and_then(|(items, each)| items.deps(each, item, kept));
        let scope = map.map_or(scope, |(items, each)| items.scope(each, item, &scope));
        let made = value_of(outcome, false).and_then(|output| {
            let scope = Scope { output: Some(&output), deps: deps.as_ref(), ..scope };
            compensation(around, state, node, undo, &ended.id, place, &scope)
        });
        match made {
            Ok(one) => owed.push(one),
            // The others are to be taken back all the same.
            Err(failure) => _ = failed.get_or_insert_with(|| of_undo(items.as_ref(), item, failure)),
        }
    }
    failed.map_or(Ok(()), Err)
}

fn of_undo(items: Option<&Items>, item: u32, failure: Failure) -> Failure {
    let failure = Failure { message: format!("undo: {}", failure.message), ..failure };
    match items {
        Some(items) => of_item(&items.label(item), failure),
        None => failure,
    }
}

fn compensation(
    around: &Surroundings<'_>,
    state: &RunState,
    node: &Node,
    undo: &ToolCall,
    group: &GroupId,
    place: u32,
    scope: &Scope<'_>,
) -> Result<Compensation, Failure> {
    let unknown = || Failure::invalid("unknown_tool", format!("no worker announced the tool {}", undo.name));
    let spec = around.tools.get(&undo.name).ok_or_else(unknown)?;
    let Kind { tool, tool_major: major, class, queue, effect, .. } =
        Kind::jobs(undo, spec, node.priority.unwrap_or(state.priority));
    let args = arguments(undo, scope)?;
    let (group, node, policy) = (group.clone(), node.path.to_string(), policy(node));
    Ok(Compensation { group, place, node, tool, major, class, queue, effect, policy, args })
}

/// Takes over what a child left to its caller.
fn passed_on(left: Option<&Value>, caller: &GroupId, place: &mut u32, owed: &mut Vec<Compensation>) {
    for one in left.and_then(Value::as_array).into_iter().flatten() {
        let Ok(one) = Compensation::deserialize(one) else { continue };
        let node = format!("{}/{}", caller.node, one.node);
        owed.push(Compensation { group: caller.clone(), place: *place, node, ..one });
        *place += 1;
    }
}

/// Adds compensations to what a superstep writes.
pub(super) fn record(delta: &mut Delta, owed: Vec<Compensation>) {
    let elements = owed.iter().filter_map(|one| serde_json::to_value(one).ok()).collect::<Vec<_>>();
    if !elements.is_empty() {
        delta.extend(&OWED.into(), elements);
    }
}

/// How many were recorded.
pub(super) fn count(state: &RunState) -> u64 {
    recorded(state).len() as u64
}

/// What a child that succeeded leaves to its caller.
pub(super) fn left(state: &RunState) -> Option<Value> {
    let is_child = state.lineage.root.is_some();
    state.values.get(OWED).filter(|_| is_child).map(|owed| Value::clone(owed))
}

fn recorded(state: &RunState) -> &[Value] {
    state.values.get(OWED).and_then(|owed| owed.as_array()).map(Vec::as_slice).unwrap_or_default()
}

/// The compensation that is the `number`-th to run, from 0: those that were not folded when
/// the run turned back come before all others, and of each the latest first.
pub(super) fn nth(state: &RunState, number: u64) -> Option<Compensation> {
    let undo = state.control.undo.as_ref()?;
    let all = recorded(state);
    let (folded, late) = all.split_at_checked(usize::try_from(undo.recorded).ok()?)?;
    let number = usize::try_from(number).ok()?;
    if number >= late.len() {
        return Compensation::deserialize(folded.iter().rev().nth(number - late.len())?).ok();
    }
    let mut late: Vec<Compensation> = late.iter().filter_map(|one| Compensation::deserialize(one).ok()).collect();
    late.sort_by(|left, right| (&right.group, right.place).cmp(&(&left.group, left.place)));
    late.into_iter().nth(number)
}

impl Compensation {
    /// Its group, made from that checkpoint.
    pub(super) fn group(&self, state: &mut RunState, base: Seq) -> Result<NewGroup, Failure> {
        let path = self.path();
        let activation = state.control.activations.next(None, &path);
        let id = GroupId { node: path, activation };
        let text = canonical_json(&self.args);
        let digest = Origin { hash: state.hash }.digest(&text, &self.tool, self.major);
        let is_short = text.len() <= STORED_INPUT_BYTES_MAX;
        let recipe = || Input::Recipe { item: None, needs: std::collections::BTreeMap::new() };
        let input = if is_short { Input::Args(self.args.clone()) } else { recipe() };
        let info = GroupInfo {
            id,
            kind: TaskKind::Job,
            count: 1,
            window: 1,
            need_ok: 1,
            max_failed: 0,
            detached: false,
            undo: true,
            tool: self.tool.clone(),
            tool_major: self.major,
            class: self.class,
            queue: self.queue.clone(),
            effect: self.effect,
            policy: self.policy.clone(),
            base,
            deadline: None,
            graph: None,
            traceparent: None,
            segment: None,
        };
        Ok(NewGroup { info: info.into(), tasks: vec![NewTask::new(digest, body(&input)?)] })
    }

    /// What it takes back, for messages.
    pub(super) fn name(&self) -> &str {
        &self.node
    }

    /// A path that tells which node's `undo` it is, of this graph or one it calls.
    fn path(&self) -> NodePath {
        let whole = NodePath::parse(&format!("{}{SUFFIX}", self.node));
        whole.or_else(|_| NodePath::parse(SUFFIX)).unwrap_or_else(|_| self.group.node.clone())
    }
}

/// The arguments of the compensation under way.
///
/// # Errors
/// When the state is not one it was opened on.
pub(super) fn args_of(state: &RunState, group: &GroupId) -> Result<Value, Failure> {
    let undo = state.control.undo.as_ref().filter(|undo| undo.running.as_ref() == Some(group));
    let found = undo.and_then(|undo| nth(state, undo.begun.checked_sub(1)?));
    let missing = || Failure::permanent("arguments_failed", format!("{group} is not the compensation under way"));
    found.map(|one| one.args).ok_or_else(missing)
}

/// Where the graph's own text names secrets in the arguments of a group's jobs: those of its
/// node, or of the compensation it is.
#[must_use]
pub fn secrets_of(graph: &Graph, group: &GroupInfo) -> Vec<SecretRef> {
    if !group.undo {
        let node = graph.nodes.get(&group.id.node);
        return match node.map(|node| &node.work) {
            Some(Work::Tool(call) | Work::Notify(call)) => call.args.secrets().to_vec(),
            Some(_) => Vec::new(),
            None => {
                let asks = via::asker(&group.id.node).and_then(|node| graph.nodes.get(&node));
                asks.and_then(via::call_of).map(|call| call.args.secrets().to_vec()).unwrap_or_default()
            }
        };
    }
    let node = group.id.node.as_str().strip_suffix(SUFFIX).unwrap_or_default();
    call_of(graph, node).map(|undo| undo.args.secrets().to_vec()).unwrap_or_default()
}

/// The `undo` of a node, which may stand behind those that call its graph.
pub(super) fn call_of<'a>(mut graph: &'a Graph, node: &str) -> Option<&'a ToolCall> {
    let mut names = node.split('/').peekable();
    loop {
        let node = graph.nodes.get(&NodePath::parse(names.next()?).ok()?)?;
        match (names.peek(), &node.work) {
            (None, _) => return node.undo.as_ref(),
            (Some(_), Work::Graph(call)) => graph = graph.children.get(&call.name)?,
            _ => return None,
        }
    }
}

/// The nodes whose successes may have to be taken back, each with the tool that does it.
pub(super) fn owed_nodes(state: &RunState) -> impl Iterator<Item = (String, String)> {
    let all = recorded(state).iter().filter_map(|one| Compensation::deserialize(one).ok());
    all.map(|one| (one.node, one.tool))
}
