//! A graph as a validated value: what `spec` makes of a text and `step` walks along.
//!
//! Nothing here can be wrong any more: names resolve, expressions are compiled, joins
//! stand where branches meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::failure::ErrorClass;
use baton_common::tool::{Effect, Priority, QueueClass};
use baton_common::transition::OnBusy;
use baton_common::{ChannelName, GraphHash, NodePath};
use serde_json::Value;

use crate::expr::{Expr, Template};
use crate::step::Facts;

/// A graph, whole.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// H of everything it includes.
    pub hash: GraphHash,
    /// The canonical text the hash is of: `file:` includes inlined. Parsing it gives this graph.
    pub source: String,
    /// What it takes: a JSON Schema of type object, with defaults.
    pub input: Value,
    /// What it gives, evaluated once on the final state, by name.
    pub output: BTreeMap<String, Expr>,
    /// JSON Schema of what it gives.
    pub output_schema: Value,
    /// Its channels.
    pub channels: BTreeMap<ChannelName, Channel>,
    /// Where it starts.
    pub start: Vec<NodePath>,
    /// When it must stop.
    pub limits: Limits,
    /// What happens to a run on a busy thread.
    pub on_busy: OnBusy,
    /// Its nodes.
    pub nodes: BTreeMap<NodePath, Node>,
    /// Graphs that its `graph` nodes call, by the name they call them by.
    pub children: BTreeMap<String, Arc<Graph>>,
    /// For each node with `join`, what is needed to tell whether active work can still
    /// reach it: every node's successors over `then` and `on_error`.
    pub successors: BTreeMap<NodePath, Vec<NodePath>>,
    /// What follows from all of this, found once when it is first needed.
    pub facts: Facts,
}

/// One channel of the state.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// JSON Schema of its values.
    pub schema: Value,
    /// How writes join what is there.
    pub reducer: Reducer,
    /// What it reads as before it is written; `[]` for arrays and null for all else unless given.
    pub default: Value,
    /// Whether it lives on over the runs of its thread.
    pub keep: bool,
}

/// How writes join what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reducer {
    /// The write is the value; two at once are refused at validation.
    Replace,
    /// The write is the value; of two at once the later in order stays.
    Last,
    /// A list adds its elements, anything else one element.
    Append,
    /// As append, without what is there already.
    Union,
    /// Numbers add up.
    Sum,
    /// Shallow merge of objects.
    Merge,
    /// As append; a message replaces the one with its `id`, `{id, remove: true}` removes it.
    Messages,
}

impl Reducer {
    /// Whether a write is the value, whatever was there.
    #[must_use]
    pub fn replaces(self) -> bool {
        matches!(self, Self::Replace | Self::Last)
    }

    /// Whether its values are kept as pieces that only grow.
    #[must_use]
    pub fn is_append_like(self) -> bool {
        matches!(self, Self::Append | Self::Union | Self::Messages)
    }
}

/// When a run must stop. Exceeding any is the failure `limit_exceeded`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Activations of nodes; a map counts one.
    pub steps: u64,
    /// From submit to end, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Tokens of its chat calls.
    pub tokens: Option<u64>,
    /// Cost of its chat calls, in US dollars.
    pub cost_usd: Option<f64>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub path: NodePath,
    /// What it does.
    pub work: Work,
    /// Writes: channel and expression, in order of the channels' names.
    pub save: BTreeMap<ChannelName, Expr>,
    /// Where its branch goes.
    pub then: Route,
    /// Where its branch goes when it fails; `None` fails the run.
    pub on_error: Option<Route>,
    /// Whether it waits for others.
    pub join: Option<Join>,
    /// Whether it runs once for each item of a list.
    pub each: Option<ForEach>,
    /// How attempts are made.
    pub retry: Retry,
    /// What one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// What the node as a whole may take, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// Which of a class's queues its jobs wait in.
    pub priority: Option<Priority>,
    /// A job that is called again until its output says that it is done.
    pub poll: Option<Poll>,
    /// What takes its success back when the graph fails or is cancelled. Its arguments are
    /// fixed at the success.
    pub undo: Option<ToolCall>,
    /// Results that are kept for a while under a key.
    pub cache: Option<Cache>,
    /// A call that a person may have to approve first.
    pub approve: Option<Approve>,
}

impl Node {
    /// The calls of tools in it: its work, what tells of its questions, what takes it back.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        let work = match &self.work {
            Work::Tool(call) | Work::Notify(call) => Some(call),
            Work::Ask(ask) => ask.via.as_ref(),
            Work::Wait(_) | Work::Graph(_) | Work::Local => None,
        };
        work.into_iter().chain(&self.undo)
    }
}

/// A job that is called again until its output says that it is done.
#[derive(Debug, Clone)]
pub struct Poll {
    /// Whether it is done, in the scope of its output.
    pub until: Expr,
    /// The first pause, in milliseconds; it doubles from there.
    pub every_min_ms: u64,
    /// The longest pause, in milliseconds.
    pub every_max_ms: u64,
}

/// Results that are kept for a while under a key.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The key, within the tenant and the tool.
    pub key: Template,
    /// How long a result counts, in milliseconds.
    pub ttl_ms: u64,
}

/// A call that a person may have to approve first.
#[derive(Debug, Clone)]
pub struct Approve {
    /// Whether, in a scope with `args`.
    pub when: Expr,
    /// `approve`, `edit`, `reject`, `respond`.
    pub allow: Vec<String>,
}

/// What a node does.
#[derive(Debug, Clone)]
pub enum Work {
    /// A job. A chat is one too, of the tool `chat`.
    Tool(ToolCall),
    /// A question to a person.
    Ask(Ask),
    /// A job that is not waited for and outlives the run.
    Notify(ToolCall),
    /// A time or a signal.
    Wait(Wait),
    /// A run of another graph.
    Graph(GraphCall),
    /// Only `save` and `then`.
    Local,
}

/// What a node waits for.
#[derive(Debug, Clone)]
pub enum Wait {
    /// So many milliseconds.
    For(u64),
    /// A moment: an RFC 3339 text or a CEL timestamp.
    Until(Expr),
    /// A signal of that name.
    Signal {
        /// The name.
        name: String,
        /// Whether it is the one, in a scope with `event`.
        matches: Option<Expr>,
        /// How long, in milliseconds; then it fails with `expired`.
        expires_ms: Option<u64>,
    },
}

/// A call of another graph.
#[derive(Debug, Clone)]
pub struct GraphCall {
    /// The name it is called by: a key of [`Graph::children`].
    pub name: String,
    /// Its input: a template that renders to an object.
    pub args: Template,
}

/// A call of a tool.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments: a template that renders to an object.
    pub args: Template,
    /// A queue class of its own, where the graph names one.
    pub class: Option<QueueClass>,
    /// An effect class, where the graph tightens it.
    pub effect: Option<Effect>,
    /// The capability it needs, where the graph names a queue beyond io and cpu.
    pub capability: Option<String>,
    /// A business key: the same tool with the same key gives the recorded result.
    pub key: Option<Template>,
}

impl ToolCall {
    /// What a chat offers its model, in order: names of tools that workers have, and
    /// descriptions, `{ name, description, input_schema }`. Nothing for other tools.
    pub fn offered(&self) -> impl Iterator<Item = &Value> {
        let tools = self.args.source().get("tools").filter(|_| self.name == "chat").and_then(Value::as_array);
        tools.into_iter().flatten()
    }

    /// Those of them that workers are to have, by name.
    pub fn offers(&self) -> impl Iterator<Item = &str> {
        self.offered().filter_map(Value::as_str)
    }
}

/// A question to a person.
#[derive(Debug, Clone)]
pub struct Ask {
    /// One line.
    pub title: Template,
    /// What to show beside it: expression text and expression.
    pub show: Vec<(String, Expr)>,
    /// What an answer must look like.
    pub form: AskForm,
    /// How long it stays open, in milliseconds.
    pub expires_ms: Option<u64>,
    /// The call that tells people where to answer, in a scope with `ask`.
    pub via: Option<ToolCall>,
}

/// What an answer must look like.
#[derive(Debug, Clone)]
pub enum AskForm {
    /// An approval of the value.
    Approval {
        /// What is to be approved.
        edit: Expr,
        /// `approve`, `edit`, `reject`, `respond`.
        allow: Vec<String>,
        /// JSON Schema of an edited value.
        schema: Value,
    },
    /// A value of this JSON Schema.
    Schema(Value),
}

/// Where a branch goes.
#[derive(Debug, Clone)]
pub struct Route {
    /// Tried in order; the first whose condition holds is taken.
    pub arms: Vec<Arm>,
}

/// One way of a route.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Always taken when `None`.
    pub when: Option<Expr>,
    /// Where to.
    pub target: Target,
    /// The code of its failure; `failed` unless given.
    pub code: Option<String>,
}

/// The end of a way.
#[derive(Debug, Clone)]
pub enum Target {
    /// These nodes; none twice. Empty: the branch ends.
    Nodes(Vec<NodePath>),
    /// The run fails with this message.
    Fail(Template),
}

/// Whether a node waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Runs once somebody arrived and nothing active can still reach it.
    All,
    /// Runs at the first arrival; who leads nowhere else is cancelled.
    Any,
}

/// A node that runs once for each item of a list.
#[derive(Debug, Clone)]
pub struct ForEach {
    /// The list.
    pub list: Expr,
    /// The item's name in the scope: `item` unless given.
    pub item_name: String,
    /// What is kept of each output, in the scope of the item.
    pub keep: Option<Expr>,
    /// What happens when items fail.
    pub on_item_error: OnItemError,
    /// Items under way at once.
    pub max_parallel: u32,
    /// Each item's name: the output is an object then.
    pub by: Option<Expr>,
    /// The names an item needs: it starts when those are done.
    pub after: Option<Expr>,
}

/// What happens when items of a map fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnItemError {
    /// The first final failure cancels the rest and fails the node.
    Fail,
    /// They are collected.
    Collect,
    /// So many successes are enough; fewer fail the node.
    Quorum(u32),
}

/// How attempts are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in all; at least 1.
    pub attempts: u32,
    /// The first pause, in milliseconds.
    pub backoff_min_ms: u64,
    /// The longest pause, in milliseconds.
    pub backoff_max_ms: u64,
    /// Classes that are tried again.
    pub classes: Vec<ErrorClass>,
    /// Codes that are tried again.
    pub codes: Vec<String>,
}
