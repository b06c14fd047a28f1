//! Opens what a node needs when a branch arrives: a group of jobs, questions, waits or
//! children, or nothing.
//!
//! A node that needs no task, whose children are computed at once, or whose arguments fail,
//! ends at once and is folded by the next superstep of the same call.

use std::collections::BTreeMap;

use baton_common::commit::{NewGroup, NewTask};
use baton_common::records::TaskKind;
use baton_common::tool::ToolSpec;
use baton_common::{Digest, Failure, GroupId, NodePath};
use serde_json::{Value, json};

use super::advance::Surroundings;
use super::fold::short_of;
use super::group::{Kind, Opening, group, window};
use super::items::{Items, dependency_failed, of_item};
use super::outcomes::Outcomes;
use super::scope::at_snapshot;
use super::tasks::{self, Draft, Keeps, Origin};
use super::{approve, child, via};
use crate::expr::Scope;
use crate::graph::{Node, OnItemError, ToolCall, Work};
use crate::state::{Open, RunState, Values};

/// Where and when nodes are activated.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) around: &'a Surroundings<'a>,
    /// The run as it is now: who it is.
    pub(super) run: &'a RunState,
    /// Channels of the checkpoint the activation is made from, as far as it has kept none.
    pub(super) values: &'a Values,
    /// That checkpoint's content hash.
    pub(super) hash: Digest,
    /// Whether even local nodes have a task, so that one call does not run on for ever.
    pub(super) pauses: bool,
}

/// What an activation comes to.
#[derive(Debug)]
pub(super) enum Activated {
    /// It waits for this group: its own, or the one that asks for approval first.
    Waits(NewGroup),
    /// It waits for this group of questions, which the other tells people of.
    Asks(NewGroup, Box<NewGroup>),
    /// It goes on at once, leaving this group behind.
    GoesOn(Option<NewGroup>),
    /// Its children were computed.
    Computed(Outcomes),
    /// It failed before any work.
    Failed(Failure),
}

/// An activation in the making.
pub(super) struct Making<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) node: &'a Node,
    pub(super) id: &'a GroupId,
    pub(super) items: Option<Items>,
    pub(super) scope: Scope<'a>,
    no_deps: Value,
}

impl Place<'_> {
    /// Activates a node. What failed before any work, and what is asked first, is noted in `open`.
    pub(super) fn activate(&self, node: &Node, id: &GroupId, open: &mut Open) -> Activated {
        self.open(node, id, open).unwrap_or_else(Activated::Failed)
    }

    fn open(&self, node: &Node, id: &GroupId, open: &mut Open) -> Result<Activated, Failure> {
        let graph = self.around.graph;
        let seen = Open { kept: open.kept.clone(), ..Open::at(open.base) };
        let values = at_snapshot(graph, self.values, Some(&seen), &graph.known().reads(&node.path).at_activation);
        let scope = self.around.base.scope(&values);
        let items = node.each.as_ref().map(|each| Items::of(each, &scope)).transpose()?;
        if let (Some(each), Some(items)) = (&node.each, &items) {
            if let OnItemError::Quorum(needed) = each.on_item_error
                && items.len() < needed
            {
                let why = format!("{needed} successes are needed of {} items", items.len());
                return Err(Failure::permanent("quorum", why));
            }
            if items.list.is_empty() {
                return Ok(Activated::GoesOn(None));
            }
        }
        Making { place: self, node, id, items, scope, no_deps: json!({}) }.activate(open)
    }
}

impl Making<'_> {
    fn activate(&self, open: &mut Open) -> Result<Activated, Failure> {
        match &self.node.work {
            Work::Local if self.place.pauses => {
                let task = NewTask { after_ms: Some(0), ..NewTask::new(self.origin().digest("", "", 0), "{}".into()) };
                self.group(Kind::without_worker(TaskKind::Wait), vec![task], open).map(Activated::Waits)
            }
            Work::Local => Ok(Activated::GoesOn(None)),
            Work::Tool(call) => self.call(call, open),
            Work::Notify(call) => {
                let spec = self.spec(call)?;
                let tasks = self.jobs(spec, self.drafts(open)?)?;
                let opening = self.opening(open);
                let kind = Kind::jobs(call, spec, self.node.priority.unwrap_or(self.place.run.priority));
                let group = group(self.node, self.id.clone(), kind, tasks, opening, true)?;
                Ok(Activated::GoesOn(Some(group).filter(|group| group.info.count > 0)))
            }
            Work::Ask(_) => self.ask(open),
            Work::Wait(_) => self.wait(open),
            Work::Graph(call) => child::activate(self, &call.name, open),
        }
    }

    /// Jobs, once those that need it are approved.
    fn call(&self, call: &ToolCall, open: &mut Open) -> Result<Activated, Failure> {
        let spec = self.spec(call)?;
        let drafts = self.drafts(open)?;
        if let Some(asked) = approve::questions(self, spec, &drafts, open)? {
            let id = GroupId { node: beneath(&self.node.path, approve::SUFFIX)?, activation: self.id.activation };
            let kind = Kind::without_worker(TaskKind::Ask);
            let opening = self.opening(open);
            return Ok(Activated::Waits(group(self.node, id, kind, asked, opening, false)?));
        }
        let tasks = self.jobs(spec, drafts)?;
        let kind = Kind::jobs(call, spec, self.node.priority.unwrap_or(self.place.run.priority));
        self.waits(kind, tasks, open)
    }

    /// Questions, and the calls that tell people of them.
    fn ask(&self, open: &mut Open) -> Result<Activated, Failure> {
        let drafts = self.drafts(open)?;
        let numbers = numbers(&drafts);
        let mut made = Vec::with_capacity(drafts.len());
        let mut asked = Vec::with_capacity(drafts.len());
        for (item, draft) in drafts {
            let Draft::Question(question, expires_ms) = draft else { continue };
            let task = self.origin().question(&question, expires_ms)?;
            made.push(NewTask { needs: self.needs(item, &numbers).into_values().collect(), ..task });
            asked.push((item, *question, expires_ms));
        }
        let told = via::calls(self, &asked, open)?;
        match (self.waits(Kind::without_worker(TaskKind::Ask), made, open)?, told) {
            (Activated::Waits(questions), Some(told)) => Ok(Activated::Asks(questions, Box::new(told))),
            (activated, _) => Ok(activated),
        }
    }

    fn wait(&self, open: &mut Open) -> Result<Activated, Failure> {
        let drafts = self.drafts(open)?;
        let numbers = numbers(&drafts);
        let mut made = Vec::with_capacity(drafts.len());
        for (item, draft) in drafts {
            let Draft::Wait(task) = draft else { continue };
            made.push(NewTask { needs: self.needs(item, &numbers).into_values().collect(), ..*task });
        }
        self.waits(Kind::without_worker(TaskKind::Wait), made, open)
    }

    fn jobs(&self, spec: &ToolSpec, drafts: BTreeMap<u32, Draft>) -> Result<Vec<NewTask>, Failure> {
        let numbers = numbers(&drafts);
        let mut made = Vec::with_capacity(drafts.len());
        for (item, draft) in drafts {
            let Draft::Call { args, is_edited, keys } = draft else { continue };
            let needs = self.needs(item, &numbers);
            let indexes = needs.values().copied().collect();
            let needs = if args.is_none() { needs } else { BTreeMap::new() };
            let value = self.items.as_ref().and_then(|items| items.list.get(item as usize));
            let keeps = match (is_edited, self.node.poll.is_some() && value.is_some()) {
                (true, _) => Keeps::Args,
                (false, true) => Keeps::Recipe,
                (false, false) => Keeps::Either,
            };
            let task = self.origin().call(spec, (args, keeps), keys, value, needs)?;
            made.push(NewTask { needs: indexes, ..task });
        }
        Ok(made)
    }

    /// A group that is waited for; nothing is where all items failed before any work.
    pub(super) fn waits(&self, kind: Kind, tasks: Vec<NewTask>, open: &Open) -> Result<Activated, Failure> {
        if tasks.is_empty() {
            return Ok(Activated::Computed(Outcomes::default()));
        }
        self.group(kind, tasks, open).map(Activated::Waits)
    }

    fn group(&self, kind: Kind, tasks: Vec<NewTask>, open: &Open) -> Result<NewGroup, Failure> {
        let opening = self.opening(open);
        group(self.node, self.id.clone(), kind, tasks, opening, false)
    }

    pub(super) fn opening(&self, open: &Open) -> Opening {
        let window = window(self.node.each.as_ref(), self.place.run.lineage.parallel);
        Opening { base: open.base, now: self.place.around.now, window }
    }

    /// The work of each item that has not failed before it.
    pub(super) fn drafts(&self, open: &mut Open) -> Result<BTreeMap<u32, Draft>, Failure> {
        let mut drafts = BTreeMap::new();
        let order = self.items.as_ref().map_or_else(|| vec![0], Items::order);
        for item in order {
            if open.failed.contains_key(&item) {
                continue;
            }
            let needs = self.items.as_ref().and_then(|items| items.needs(item));
            if needs.is_some_and(|needs| needs.values().any(|need| open.failed.contains_key(need))) {
                open.failed.insert(item, dependency_failed());
                continue;
            }
            match self.draft(item, needs.is_some(), open) {
                Ok(draft) => _ = drafts.insert(item, draft),
                Err(failure) => self.tolerate(item, failure, open)?,
            }
        }
        self.check_quorum(&drafts, open)?;
        Ok(drafts)
    }

    /// Notes that an item failed, in a map that goes on without it.
    ///
    /// # Errors
    /// The failure, in any other.
    pub(super) fn tolerate(&self, item: u32, failure: Failure, open: &mut Open) -> Result<(), Failure> {
        match (&self.node.each, &self.items) {
            (Some(each), Some(items)) if each.on_item_error == OnItemError::Fail => {
                Err(of_item(&items.label(item), failure))
            }
            (Some(_), Some(_)) => {
                open.failed.insert(item, failure);
                Ok(())
            }
            _ => Err(failure),
        }
    }

    /// # Errors
    /// `quorum` when too many items failed before any work.
    pub(super) fn check_quorum(&self, drafts: &BTreeMap<u32, Draft>, open: &Open) -> Result<(), Failure> {
        let left = u32::try_from(drafts.len()).unwrap_or(u32::MAX);
        match self.node.each.as_ref().map(|each| each.on_item_error) {
            Some(OnItemError::Quorum(needed)) if left < needed => {
                Err(short_of(left, needed, open.failed.values().next().cloned()))
            }
            _ => Ok(()),
        }
    }

    fn draft(&self, item: u32, needs_others: bool, open: &Open) -> Result<Draft, Failure> {
        let scope = self.scope_of(item, needs_others);
        match &self.node.work {
            Work::Tool(call) | Work::Notify(call) => {
                let edited = open.approval.as_ref().and_then(|approval| approval.edited.get(&item));
                tasks::call(self.node, (call, self.place.around.tools), &scope, needs_others, edited)
            }
            Work::Ask(ask) => tasks::question(ask, &scope),
            Work::Wait(wait) => self.origin().wait(wait, &scope).map(|task| Draft::Wait(Box::new(task))),
            Work::Graph(call) => match self.place.around.graph.children.get(&call.name) {
                Some(graph) => tasks::child(call, graph, &scope, needs_others),
                None => Err(Failure::invalid("unknown_graph", format!("there is no graph {}", call.name))),
            },
            Work::Local => Ok(Draft::Child(Value::Null)),
        }
    }

    /// An item's scope; with no others it needs, what they gave is nothing.
    pub(super) fn scope_of(&self, item: u32, needs_others: bool) -> Scope<'_> {
        let Some((each, items)) = self.node.each.as_ref().zip(self.items.as_ref()) else { return self.scope };
        let deps = (each.after.is_some() && !needs_others).then_some(&self.no_deps);
        Scope { deps, ..items.scope(each, item, &self.scope) }
    }

    /// What an item needs, by the numbers of its tasks.
    pub(super) fn needs(&self, item: u32, numbers: &BTreeMap<u32, u32>) -> BTreeMap<String, u32> {
        let needs = self.items.as_ref().and_then(|items| items.needs(item)).into_iter().flatten();
        needs.filter_map(|(name, need)| Some((name.clone(), *numbers.get(need)?))).collect()
    }

    pub(super) fn origin(&self) -> Origin {
        Origin { hash: self.place.hash }
    }

    pub(super) fn spec(&self, call: &ToolCall) -> Result<&ToolSpec, Failure> {
        let unknown = || Failure::invalid("unknown_tool", format!("no worker announced the tool {}", call.name));
        self.place.around.tools.get(&call.name).ok_or_else(unknown)
    }
}

/// The numbers of items' tasks: those that failed before any work have none.
pub(super) fn numbers(drafts: &BTreeMap<u32, Draft>) -> BTreeMap<u32, u32> {
    drafts.keys().copied().zip(0..).collect()
}

/// A path beneath a node's, for groups beside its own.
///
/// # Errors
/// When it would be too long.
pub(super) fn beneath(node: &NodePath, suffix: &str) -> Result<NodePath, Failure> {
    NodePath::parse(&format!("{node}{suffix}")).map_err(|error| Failure::invalid("wrong_name", error.to_string()))
}

/// The node that a group belongs to: its own, or the one it is beside.
pub(super) fn owner(path: &NodePath) -> NodePath {
    let node = path.as_str().strip_suffix(approve::SUFFIX).and_then(|node| NodePath::parse(node).ok());
    node.unwrap_or_else(|| path.clone())
}
