//! Protocol timings: settings, so that tests can run the protocol at a twentieth.

use serde::{Deserialize, Serialize};

crate::described! {
    /// Every timing of the hand-over, in milliseconds, and its bounds.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Timings {
        /// Length of a lease; renewed at a third of it.
        pub lease_ms: u64,
        /// A closed group's run is looked at by a sweeper after this long.
        pub ready_after_ms: u64,
        /// A publishable task is looked at by a sweeper after this long.
        pub publish_after_ms: u64,
        /// A dispatched task is looked after this long.
        pub check_after_ms: u64,
        /// A dispatched task whose queue is empty is believed lost after this long.
        pub unclaimed_after_ms: u64,
        /// A dispatched task is published again after this long whatever the evidence.
        pub republish_after_ms: u64,
        /// A cancelled run ends by force after this long.
        pub cancel_after_ms: u64,
        /// Due entries that were taken are hidden this long.
        pub hide_ms: u64,
        /// Pause of the sweeper where something is near.
        pub tick_ms: u64,
        /// Pause of the sweeper elsewhere.
        pub idle_tick_ms: u64,
        /// Marks are collected this long.
        pub mark_after_ms: u64,
        /// Records of a run are kept this long after its end.
        pub retention_ms: u64,
        /// A thread that outlives its runs is kept this long after the end of its last one; no
        /// shorter than that run.
        pub thread_retention_ms: u64,
        /// The result of a business key is kept this long.
        pub key_retention_ms: u64,
        /// The pause before a job is handed out again when its worker was lost.
        pub infra_backoff_ms: u64,
        /// A fire of a schedule that nobody looked at for this long is one to catch up.
        pub fire_late_ms: u64,
        /// What waits for a schedule's run to end is looked at this often.
        pub fire_poll_ms: u64,
        /// Lost workers after which a job fails as poison.
        pub infra_attempts_max: u32,
        /// Times a run may be taken for computing without an advance before it is parked.
        pub advance_attempts_max: u32,
        /// Tasks of groups that one transition lets go, fails or stops at most beside the one it
        /// is about; the others follow, so that no transition keeps its store from others for long.
        pub share_max: u32,
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            lease_ms: 30_000,
            ready_after_ms: 2_000,
            publish_after_ms: 5_000,
            check_after_ms: 60_000,
            unclaimed_after_ms: 30_000,
            republish_after_ms: 6 * 3_600_000,
            cancel_after_ms: 60_000,
            hide_ms: 10_000,
            tick_ms: 250,
            idle_tick_ms: 1_000,
            mark_after_ms: 1_000,
            retention_ms: 7 * 24 * 3_600_000,
            thread_retention_ms: 30 * 24 * 3_600_000,
            key_retention_ms: 30 * 24 * 3_600_000,
            infra_backoff_ms: 500,
            fire_late_ms: 60_000,
            fire_poll_ms: 1_000,
            infra_attempts_max: 3,
            advance_attempts_max: 5,
            share_max: 256,
        }
    }
}

impl Timings {
    /// The same protocol, `divisor` times as fast. Retention and bounds stay.
    #[must_use]
    pub fn scaled(&self, divisor: u64) -> Self {
        let scale = |ms: u64| (ms / divisor.max(1)).max(1);
        Self {
            lease_ms: scale(self.lease_ms),
            ready_after_ms: scale(self.ready_after_ms),
            publish_after_ms: scale(self.publish_after_ms),
            check_after_ms: scale(self.check_after_ms),
            unclaimed_after_ms: scale(self.unclaimed_after_ms),
            republish_after_ms: scale(self.republish_after_ms),
            cancel_after_ms: scale(self.cancel_after_ms),
            hide_ms: scale(self.hide_ms),
            tick_ms: scale(self.tick_ms),
            idle_tick_ms: scale(self.idle_tick_ms),
            mark_after_ms: scale(self.mark_after_ms),
            infra_backoff_ms: scale(self.infra_backoff_ms),
            fire_late_ms: scale(self.fire_late_ms),
            fire_poll_ms: scale(self.fire_poll_ms),
            ..self.clone()
        }
    }
}
