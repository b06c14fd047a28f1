//! What the planes know of a tool: its name, class, effect and schema.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which kind of worker runs a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueClass {
    /// Waits for others: HTTP, models, files. Runs on Tokio slots.
    Io,
    /// Computes. Runs on a rayon pool.
    Cpu,
}

impl QueueClass {
    /// The name used in graphs and routing keys.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Cpu => "cpu",
        }
    }
}

/// Which of a class's queues a job waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before others.
    High,
    /// As it comes.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The name used in graphs and routing keys.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// The routing key of a class and priority, which is also its queue's name: `io.normal`.
#[must_use]
pub fn queue_name(class: QueueClass, priority: Priority) -> String {
    format!("{}.{}", class.name(), priority.name())
}

/// Whether an execution may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing outside; may run again.
    Pure,
    /// Recognises a repetition by its idempotency key; may run again after a worker is lost.
    Idempotent,
    /// Never runs again after a claim: an unknown outcome becomes a question to a person.
    Once,
}

impl Effect {
    /// The name used in graphs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

/// A tool as workers announce it and the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Dotted name: `doc.extract`.
    pub name: String,
    /// Major version: a job pinned to another is not claimed.
    pub major: u32,
    /// Which workers run it.
    pub class: QueueClass,
    /// Whether an execution may be repeated.
    pub effect: Effect,
    /// One sentence for people and models.
    pub description: String,
    /// JSON Schema of its arguments.
    pub args_schema: Value,
}
