//! An estimate of the store's clock, for when to look next. Decisions use times that the
//! store told with the records they are about, never this.

use baton_common::Timestamp;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// The last time the store told, and when it did.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    told: Mutex<Option<(Timestamp, Instant)>>,
}

impl Clock {
    /// The store told its time.
    pub(crate) fn heard(&self, now: Timestamp) {
        *self.told.lock() = Some((now, Instant::now()));
    }

    /// About what the store's clock shows now; nothing where it never told.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let (told, then) = (*self.told.lock())?;
        Some(told.plus_ms(u64::try_from(then.elapsed().as_millis()).unwrap_or(0)))
    }

    /// About when the store's clock will show `at`.
    pub(crate) fn instant_of(&self, at: Timestamp) -> Instant {
        let (told, then) = self.told.lock().unwrap_or_else(|| (at, Instant::now()));
        then + Duration::from_millis(at.since_ms(told))
    }
}
