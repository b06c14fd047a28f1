//! What claims tell of the broker's queues: messages arrive in the order they were published in,
//! so that what was dispatched before a message that has arrived, and is not claimed, was lost.
//!
//! Each replica knows what was claimed through it, which says enough of a queue that is used. It
//! is evidence and no proof: a worker that stood still with a message in its hands has been
//! overtaken too. What follows from it is one message more, which changes nothing.

use std::collections::BTreeMap;

use baton_common::Timestamp;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// Queues that are remembered; the rest is as if nothing had arrived from it.
const QUEUES_MAX: usize = 1_000;

/// What arrived from each queue.
pub(crate) struct Arrivals {
    /// Evidence is at least so old: what was published at the same time may still be on its way.
    settles: Duration,
    queues: Mutex<BTreeMap<String, Newest>>,
}

/// Times of publication, by the store's clock.
struct Newest {
    /// The latest of what arrived more than a window ago.
    settled: Option<Timestamp>,
    /// The latest of the window before this one.
    before: Option<Timestamp>,
    /// The latest of this window.
    fresh: Timestamp,
    /// When the window began.
    since: Instant,
}

impl Arrivals {
    pub(crate) fn new(settles: Duration) -> Self {
        Self { settles, queues: Mutex::default() }
    }

    /// A worker claims what was published to that queue then.
    pub(crate) fn saw(&self, queue: &str, published: Timestamp) {
        let mut queues = self.queues.lock();
        if let Some(newest) = queues.get_mut(queue) {
            newest.turn(self.settles);
            newest.fresh = newest.fresh.max(published);
        } else if queues.len() < QUEUES_MAX {
            queues.insert(queue.to_owned(), Newest::first(published));
        }
    }

    /// The moment up to which all that was published to that queue has arrived, if that is known.
    pub(crate) fn all_until(&self, queue: &str) -> Option<Timestamp> {
        let mut queues = self.queues.lock();
        let newest = queues.get_mut(queue)?;
        newest.turn(self.settles);
        newest.settled
    }
}

impl Newest {
    fn first(published: Timestamp) -> Self {
        Self { settled: None, before: None, fresh: published, since: Instant::now() }
    }

    /// Begins the next window when this one is over.
    fn turn(&mut self, settles: Duration) {
        let passed = self.since.elapsed();
        if passed >= settles {
            self.settled = self.before.replace(self.fresh).max(self.settled);
            self.since = Instant::now();
        }
        if passed >= 2 * settles {
            self.settled = self.before.max(self.settled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_arrived_a_while_ago_says_what_else_must_have() {
        let arrivals = Arrivals::new(Duration::from_secs(30));
        assert_eq!(arrivals.all_until("io.normal"), None);
        arrivals.saw("io.normal", Timestamp(5_000));
        arrivals.saw("io.normal", Timestamp(4_000));
        tokio::time::advance(Duration::from_secs(29)).await;
        arrivals.saw("io.normal", Timestamp(6_000));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(arrivals.all_until("io.normal"), None, "what was beside it may be on its way");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(arrivals.all_until("io.normal"), Some(Timestamp(6_000)));
        arrivals.saw("io.normal", Timestamp(9_000));
        arrivals.saw("io.normal", Timestamp(7_000));
        assert_eq!(arrivals.all_until("io.normal"), Some(Timestamp(6_000)));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(arrivals.all_until("io.normal"), Some(Timestamp(9_000)));
        assert_eq!(arrivals.all_until("io.normal.t3"), None, "a lane has an order of its own");
    }
}
