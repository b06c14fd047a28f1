//! KEEP_SCHEDULE: writes a schedule with its due entry where it is still as it was seen. What
//! a schedule fires is decided before, on the row that is named here: of two that decide at
//! once, one writes. A run is submitted only after the row that intends it is durable.

use crate::ids::{Actor, TenantId};
use crate::records::{Body, ScheduleId};
use crate::{Digest, Timestamp};

/// Writes, makes or removes a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepSchedule {
    /// Which.
    pub id: ScheduleId,
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The `rev` it was seen with; `None` where there was none.
    pub seen: Option<u64>,
    /// Names this write, so that repeating it changes nothing.
    pub op: Digest,
    /// What is kept of it; `None` removes it.
    pub body: Option<Body>,
    /// When it is to be looked at; `None` for never.
    pub due: Option<Timestamp>,
    /// Where a person did this: who and what, for the audit.
    pub note: Option<ScheduleNote>,
}

/// Who did what to a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleNote {
    /// Who.
    pub actor: Actor,
    /// What: `schedule_create`.
    pub operation: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepScheduleAnswer {
    /// Written, with that `rev`.
    Kept {
        /// The new one.
        rev: u64,
    },
    /// The same operation wrote it before.
    Already {
        /// The `rev` it has.
        rev: u64,
    },
    /// Another wrote it since it was seen.
    Conflict {
        /// The `rev` it has now; `None` where it is gone.
        rev: Option<u64>,
    },
}
