//! The records a store keeps. SQLite has exactly these as tables; Redis packs them.
//!
//! Bodies that no transition looks into (inputs, results, questions, checkpoints) are JSON
//! texts, so that every adapter keeps and measures the same bytes. What a transition
//! decides by is a field of its own.

mod audit;
mod checkpoint;
mod due;
mod event;
mod group;
mod interrupt;
mod key;
mod limit_text;
mod quota;
mod run;
mod schedule;
mod signal;
mod task;
mod thread;

pub use audit::{Audit, AuditHead};
pub use checkpoint::{Checkpoint, Span};
pub use due::{DueKey, DueKind};
pub use event::{Event, EventKind, group_or_empty};
pub use group::{Group, GroupInfo, GroupPhase, GroupState, Policy, TaskKind};
pub use interrupt::{Interrupt, InterruptState};
pub use key::{KeyRow, KeyState};
pub use limit_text::NoLimit;
pub use quota::{Beyond, BudgetPeriod, BudgetUnit, Quota, QuotaLimit, QuotaScope, Work};
pub use run::{Parent, Pin, Run, RunInfo, RunState, RunStatus};
pub use schedule::{ScheduleId, ScheduleRow};
pub use signal::{SIGNALS_MAX, Signal};
pub use task::{Task, TaskState, Terms, trouble};
pub use thread::{Lasting, Origin, SetBack, Thread};

/// A JSON text that transitions carry and never look into.
pub type Body = String;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
