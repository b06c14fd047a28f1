//! Random groups: of every kind, narrow and wide, with windows, quorums, times and needs.

use baton_common::Timestamp;
use baton_common::records::TaskKind;
use baton_common::tool::Effect;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::super::world::GroupPlan;
use super::Generator;
use crate::RunDetail;

impl Generator {
    pub(super) fn plan(&mut self, node: &str, detail: &RunDetail, now: Timestamp) -> GroupPlan {
        let (info, state) = (&detail.run.info, &detail.run.state);
        let mut plan = match self.rng.random_range(0..100) {
            0..20 => GroupPlan::ask(node),
            20..35 => GroupPlan::wait(node),
            35..47 if self.runs.len() < 60 => GroupPlan::child(node, info, state.r#gen),
            _ => GroupPlan::job(node),
        };
        let next = u32::try_from(state.superstep).unwrap_or(0) + 1;
        // After a retry from an earlier state names are used again.
        plan.activation = if self.rng.random_bool(0.3) { 1 } else { next };
        plan.count = match self.rng.random_range(0..20) {
            0..10 => 1,
            10..19 => self.rng.random_range(2..6),
            _ if plan.kind == TaskKind::Child => 3,
            _ => self.rng.random_range(61..140),
        };
        plan.window = self.rng.random_range(1..=plan.count);
        plan.need_ok = if self.rng.random_bool(0.7) { plan.count } else { self.rng.random_range(1..=plan.count) };
        plan.max_failed = if self.rng.random_bool(0.5) { 0 } else { self.rng.random_range(0..=plan.count) };
        plan.attempts_max = self.rng.random_range(1..4);
        plan.effect = [Effect::Pure, Effect::Idempotent, Effect::Once][self.rng.random_range(0..3)];
        if plan.kind == TaskKind::Job && self.rng.random_bool(0.1) {
            plan.detached = true;
            plan.count = 1;
            (plan.window, plan.need_ok, plan.max_failed) = (1, 1, 0);
        }
        if self.rng.random_bool(0.2) {
            plan.deadline = Some(now.plus_ms(self.rng.random_range(10..4_000)));
        }
        self.times(&mut plan, now);
        if plan.kind != TaskKind::Child && plan.count > 1 && self.rng.random_bool(0.3) {
            plan.needs = (0..plan.count).map(|index| self.needs(index)).collect();
        }
        plan
    }

    /// When questions expire and waits are over, and the signal these are for.
    fn times(&mut self, plan: &mut GroupPlan, now: Timestamp) {
        let timed = matches!(plan.kind, TaskKind::Ask | TaskKind::Wait);
        if timed && self.rng.random_bool(0.5) {
            plan.expires_ms = Some(self.rng.random_range(10..4_000));
        }
        if timed && self.rng.random_bool(0.2) {
            plan.expires_at = Some(now.plus_ms(self.rng.random_range(0..4_000)));
        }
        if plan.kind == TaskKind::Wait && self.rng.random_bool(0.6) {
            plan.signal = ["go", "stop"].choose(&mut self.rng).copied();
        }
    }

    /// Up to two of the indexes before this one.
    fn needs(&mut self, index: u32) -> Vec<u32> {
        let count = if index == 0 { 0 } else { self.rng.random_range(0..3) };
        (0..count).map(|_| self.rng.random_range(0..index)).collect()
    }
}
