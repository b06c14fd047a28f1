//! The state of a run as the engine sees it: channel values and the control beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::records::Span;
use baton_common::{Gen, RunId, Seq, ThreadKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// The checkpoint this state is of; 0 before the first.
    pub head: Seq,
    /// Supersteps so far.
    pub superstep: u64,
    /// Bytes of replace-like writes since the last full checkpoint, which decide about the next.
    pub bytes_since_full: u64,
    /// The input.
    pub input: Arc<Value>,
    /// Channel values; unset channels are absent.
    pub values: BTreeMap<String, Arc<Value>>,
    /// Pieces of append-like channels.
    pub segments: BTreeMap<String, Span>,
    /// What the engine remembers beside the channels.
    pub control: Control,
}

/// What the engine remembers beside the channels; part of each checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Control {
    /// How often each node was activated: the next activation is one more.
    pub activations: BTreeMap<String, u32>,
    /// Open groups and the checkpoint each was opened at.
    pub open: BTreeMap<String, Seq>,
    /// Nodes that wait at their join because somebody arrived.
    pub arrived: Vec<String>,
    /// Activations so far, against `limits.steps`.
    pub steps: u64,
    /// Tokens so far, against `limits.tokens`.
    pub tokens: u64,
}
