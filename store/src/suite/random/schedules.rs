//! Writes of a few schedules, now and then with a stale view.

use baton_common::ids::{Actor, RunId, TenantId};
use baton_common::records::ScheduleId;
use baton_common::transition::{KeepSchedule, Op, ScheduleNote};
use baton_common::{Digest, Timestamp};
use rand::Rng;
use uuid::Uuid;

use super::super::differential::PARTITION;
use super::Generator;
use crate::Schedules as _;
use crate::memory::MemoryStore;

impl Generator {
    pub(super) async fn schedule_op(&mut self, store: &MemoryStore, now: Timestamp) -> Op {
        let number = self.rng.random_range(0..3_u64);
        let id = ScheduleId(RunId { partition: PARTITION, uuid: Uuid::from_u64_pair(5, number) });
        let known = store.schedule(id).await.ok().flatten().map(|row| row.rev);
        let seen = match self.rng.random_range(0..10) {
            0 => None,
            1 => known.map(|rev| rev + 1),
            _ => known,
        };
        let note = ScheduleNote { actor: Actor::local(), operation: "schedule_edit".to_owned() };
        Op::KeepSchedule(Box::new(KeepSchedule {
            id,
            tenant: TenantId::local(),
            name: format!("s{number}"),
            seen,
            op: Digest::of(self.rng.random_range(0..1_000_u32).to_le_bytes()),
            body: self.rng.random_bool(0.85).then(|| format!("{{\"at\":{now}}}")),
            due: self.rng.random_bool(0.7).then(|| now.plus_ms(self.rng.random_range(0..3_000))),
            note: self.rng.random_bool(0.5).then_some(note),
        }))
    }
}
