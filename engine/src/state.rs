//! The state of a run as the engine sees it: channel values and the control beside them,
//! and how a loader makes it again from a checkpoint.
//!
//! What changes it is `step`; where the records lie is the store's business.

mod activations;
mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use baton_common::commit::NodeFailure;
use baton_common::records::{Body, Checkpoint, RunInfo, Span};
use baton_common::tool::Priority;
use baton_common::{
    Actor, ChannelName, Digest, Failure, Gen, GroupId, InterruptId, NodePath, RequestId, RunId, Seq, Shared, ThreadKey,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use activations::Activations;
pub use parts::Parts;

/// Channel values by name; unset channels are absent.
pub type Values = BTreeMap<ChannelName, Shared>;

/// Everything a step decides by, beside the graph and the event.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// Its thread.
    pub thread: ThreadKey,
    /// The caller's name for the submit, for `run.request_id`.
    pub request_id: Option<String>,
    /// Its generation.
    pub r#gen: Gen,
    /// Which of a class's queues its jobs wait in unless a node says otherwise.
    pub priority: Priority,
    /// What the runs it calls take over from it.
    pub lineage: Arc<Lineage>,
    /// The checkpoint this state is of; 0 before the first of the thread.
    pub head: Seq,
    /// The last seq that was used on the thread, where that lies beyond the head because the
    /// thread was set back: the next checkpoint comes behind it. For the loader to set; 0
    /// where the head is the last.
    pub used: Seq,
    /// That checkpoint's content hash.
    pub hash: Digest,
    /// Supersteps of this run so far.
    pub superstep: u64,
    /// The input.
    pub input: Arc<Value>,
    /// What channels hold of it.
    pub parts: Parts,
    /// Channel values; unset channels are absent.
    pub values: Values,
    /// Pieces of append-like channels.
    pub segments: BTreeMap<ChannelName, Span>,
    /// What the engine remembers beside the channels.
    pub control: Control,
}

/// What the runs that a run calls take over from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Who submitted it.
    pub actor: Actor,
    /// The oldest program that may advance it.
    pub reader: u32,
    /// When it fails unless it has ended.
    pub deadline: Option<Timestamp>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Whether the results it is computed from are kept.
    pub record: bool,
    /// How many tasks of one group may be under way at once at most.
    pub parallel: Option<u32>,
    /// For a child: the run that nobody calls, and its thread.
    pub root: Option<(RunId, ThreadKey)>,
}

impl Lineage {
    fn of(info: &RunInfo) -> Self {
        Self {
            actor: info.actor.clone(),
            reader: info.reader,
            deadline: info.deadline,
            traceparent: info.traceparent.clone(),
            record: info.record,
            parallel: info.parallel,
            root: info.parent.as_ref().map(|parent| (parent.root, parent.root_thread.clone())),
        }
    }
}

/// What the engine remembers beside the channels; part of each checkpoint. Here and in what it holds,
/// fields stand in the order of their names: records begin alike then, which stores that shorten
/// them know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Control {
    /// How often each node was activated: the next activation is one more.
    pub activations: Activations,
    /// Nodes that wait at their join because somebody arrived.
    pub arrived: BTreeSet<NodePath>,
    /// Cost so far, in billionths of a US dollar, against `limits.cost_usd`.
    #[serde(skip_serializing_if = "is_zero")]
    pub cost_nano_usd: u64,
    /// Pieces with numbers below this one may be of states that were dropped when the thread
    /// was set back.
    #[serde(skip_serializing_if = "is_zero")]
    pub floor: u64,
    /// Bytes of the last full checkpoint.
    pub full_bytes: u64,
    /// The run's input, where its record does not hold it: [`baton_common::records::Parent::needs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Of the nodes in `arrived`, what they are too late for: see [`Open::late`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<NodePath, BTreeSet<NodePath>>,
    /// Activations that have not been folded.
    pub open: BTreeMap<GroupId, Open>,
    /// Bytes of replace-like writes since the last full checkpoint.
    pub since_full: u64,
    /// Activations so far, against `limits.steps`.
    pub steps: u64,
    /// Tokens so far, against `limits.tokens`.
    pub tokens: u64,
    /// That the run takes back what it did, once it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Box<Undo>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An activation that has not been folded, and the snapshot it was made from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Open {
    /// How its calls stand with who approves them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
    /// Whether it has no group: it ended within the call that activated it, or that call
    /// failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
    /// The checkpoint it was made from.
    pub base: Seq,
    /// Of a map: items that failed before any work. They have no task.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<u32, Failure>,
    /// Of the channels its expressions read, those that changed since, as they were then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<ChannelName, Kept>,
    /// The `join: any` nodes that its branch would reach too late: they ran without it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub late: BTreeSet<NodePath>,
    /// The first of its questions, where people were told of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<InterruptId>,
}

impl Open {
    /// An activation made from that checkpoint.
    #[must_use]
    pub fn at(base: Seq) -> Self {
        Self { base, ..Self::default() }
    }
}

/// How the calls of an activation stand with who approves them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Approval {
    /// The items that were asked about, in the order of the questions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<u32>,
    /// Arguments that were edited, by item.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub edited: BTreeMap<u32, Value>,
    /// Whether all of them were decided.
    pub given: bool,
    /// The content hash of the checkpoint the activation was made from.
    pub hash: Digest,
}

/// A run that takes back what it did before it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// Compensations that were begun.
    pub begun: u64,
    /// What became of those that failed for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Why it failed; `None` when it was cancelled.
    pub failure: Option<NodeFailure>,
    /// The checkpoint it turned at: an earlier state to go on from is at most this one.
    pub from: Seq,
    /// Compensations that were recorded by then; later ones run before them.
    pub recorded: u64,
    /// The one under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<GroupId>,
}

/// A channel as it was when a node was activated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A list that only grew since: so many of its first elements.
    Length(u64),
    /// Its value; null when it was unset.
    Value(Shared),
}

/// What a loader reads of the channels at one checkpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Channels {
    /// Replace-like values; null stands for unset.
    pub values: Values,
    /// The pieces of append-like channels that count, in order: `base..end` of the checkpoint's spans.
    pub pieces: BTreeMap<ChannelName, Vec<Body>>,
}

impl Channels {
    /// Replace-like values after these checkpoints, of which the first is a full one and
    /// each other's parent is the one before it.
    #[must_use]
    pub fn values_of(history: &[Checkpoint]) -> Values {
        let mut values = BTreeMap::new();
        for checkpoint in history {
            if checkpoint.full {
                values.clear();
            }
            values.extend(checkpoint.writes.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        values.retain(|_, value| !value.is_null());
        values
    }

    fn join(self) -> Result<Values, Error> {
        let mut values = BTreeMap::new();
        for (channel, value) in self.values {
            if !value.is_null() {
                values.insert(channel, value);
            }
        }
        for (channel, pieces) in self.pieces {
            let mut list = Vec::new();
            for piece in &pieces {
                let Ok(Value::Array(mut elements)) = serde_json::from_str(piece) else {
                    return Err(Error::Piece { channel });
                };
                list.append(&mut elements);
            }
            if !pieces.is_empty() {
                values.insert(channel, Value::Array(list).into());
            }
        }
        Ok(values)
    }
}

impl RunState {
    /// The state before a run's first step: `previous` is the thread's head, made by an
    /// earlier run, if there is one. What is not kept over runs goes at [`crate::step::Event::Started`].
    ///
    /// # Errors
    /// When the input or a record is no JSON of its form.
    pub fn first(info: &RunInfo, r#gen: Gen, previous: Option<(&Checkpoint, Channels)>) -> Result<Self, Error> {
        let Some((checkpoint, channels)) = previous else {
            return Self::blank(info, r#gen);
        };
        let before = Control::read(checkpoint)?;
        Ok(Self {
            head: checkpoint.seq,
            hash: checkpoint.hash,
            values: channels.join()?,
            segments: checkpoint.segments.clone(),
            control: Control {
                since_full: before.since_full,
                full_bytes: before.full_bytes,
                floor: before.floor,
                ..Control::default()
            },
            ..Self::blank(info, r#gen)?
        })
    }

    /// The state of one of the run's own checkpoints.
    ///
    /// # Errors
    /// When the input or a record is no JSON of its form.
    pub fn restore(info: &RunInfo, r#gen: Gen, checkpoint: &Checkpoint, channels: Channels) -> Result<Self, Error> {
        let control = Control::read(checkpoint)?;
        let blank = Self::blank(info, r#gen)?;
        Ok(Self {
            head: checkpoint.seq,
            hash: checkpoint.hash,
            superstep: checkpoint.superstep,
            values: channels.join()?,
            segments: checkpoint.segments.clone(),
            input: control.input.clone().map_or(blank.input, Arc::new),
            control,
            ..blank
        })
    }

    /// It with the input that its record does not hold.
    #[must_use]
    pub(crate) fn begun(mut self, input: Value) -> Self {
        self.input = Arc::new(input.clone());
        self.parts = Parts::default();
        self.control.input = Some(input);
        self
    }

    /// The checkpoints that its open activations were made from: what
    /// [`crate::step::Event::Resumed`] wants the states of.
    #[must_use]
    pub fn bases(&self) -> BTreeSet<Seq> {
        self.control.open.values().map(|open| open.base).collect()
    }

    /// Makes it one that another version of the graph it was made with can go on from: what
    /// is told by nodes' places there is told by their names.
    pub fn leave(&mut self, graph: &crate::graph::Graph) {
        self.control.activations.name(graph.nodes.keys());
    }

    /// The channels as people see them: what the engine keeps beside them is left out.
    #[must_use]
    pub fn visible(&self) -> Values {
        let channels = self.values.iter().filter(|(name, _)| !name.starts_with('~'));
        channels.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The state of a run that a run computes within its own step, and that nobody sees.
    pub(crate) fn unseen(caller: &Self, input: Value, lineage: Arc<Lineage>) -> Self {
        Self {
            run: caller.run,
            thread: caller.thread.clone(),
            request_id: None,
            r#gen: Gen(0),
            priority: caller.priority,
            lineage,
            head: Seq(0),
            used: Seq(0),
            hash: Digest::default(),
            superstep: 0,
            input: Arc::new(input),
            parts: Parts::default(),
            values: BTreeMap::new(),
            segments: BTreeMap::new(),
            control: Control::default(),
        }
    }

    fn blank(info: &RunInfo, r#gen: Gen) -> Result<Self, Error> {
        let input = serde_json::from_str(&info.input).map_err(|error| Error::Input(error.to_string()))?;
        Ok(Self {
            run: info.id,
            thread: info.thread.clone(),
            request_id: info.request.as_ref().map(RequestId::to_string),
            r#gen,
            priority: info.priority,
            lineage: Arc::new(Lineage::of(info)),
            head: Seq(0),
            used: Seq(0),
            hash: Digest::default(),
            superstep: 0,
            input: Arc::new(input),
            parts: Parts::default(),
            values: BTreeMap::new(),
            segments: BTreeMap::new(),
            control: Control::default(),
        })
    }
}

impl Control {
    fn read(checkpoint: &Checkpoint) -> Result<Self, Error> {
        let control = checkpoint.control.read();
        control.map_err(|error| Error::Control { seq: checkpoint.seq, why: error.to_string() })
    }
}

/// A record is not of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The run's input.
    #[error("the run's input is no JSON: {0}")]
    Input(String),
    /// What the engine remembers beside the channels.
    #[error("the control of checkpoint {seq} does not read: {why}")]
    Control {
        /// The checkpoint.
        seq: Seq,
        /// What is wrong with it.
        why: String,
    },
    /// A piece of an append-like channel.
    #[error("a piece of channel {channel} is no JSON array")]
    Piece {
        /// The channel.
        channel: ChannelName,
    },
}
