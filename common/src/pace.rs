//! Doing work where it stands: whether it has been quick enough for that, and beginning it.
//!
//! A task or a thread of its own costs a wake-up, which is more than most work takes while
//! nothing lies on its way. Clocks are the callers'.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Work that takes no longer holds nobody up where it stands. No deep value can be walked in
/// it either, so that the caller's stack is large enough.
pub const QUICK: Duration = Duration::from_micros(300);

/// Work that takes so long is never an accident of scheduling.
pub const SLOW: Duration = Duration::from_millis(20);

/// Quick ones that count, and how many it takes before the next is done in place.
const QUICK_MAX: u32 = 16;
const QUICK_MIN: u32 = 4;

/// How quick work of one kind has been.
#[derive(Debug, Default)]
pub struct Pace(AtomicU32);

impl Pace {
    /// Whether the next may be done in place.
    pub fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= QUICK_MIN
    }

    /// Notes how long one took. Counts of threads that race may get lost.
    pub fn took(&self, time: Duration) {
        let before = self.0.load(Ordering::Relaxed);
        let after = match time {
            time if time >= SLOW => 0,
            time if time > QUICK => before / 2,
            _ => (before + 1).min(QUICK_MAX),
        };
        if after != before {
            self.0.store(after, Ordering::Relaxed);
        }
    }
}

/// What is left of work that was begun in place.
#[derive(Debug)]
pub enum Begun<F> {
    /// Nothing.
    Done,
    /// It waits for something: a task of its own does the rest.
    Waits(F),
    /// It panicked. The hook has seen it.
    Panicked,
}

/// Does as much of `work` as can be done now. It lies where it can stay: in a box.
pub fn begin<F: Future<Output = ()> + Unpin>(mut work: F) -> Begun<F> {
    // Whatever it waits for hears of the task's own waker when that polls it.
    let mut nobody = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut work).poll(&mut nobody))) {
        Ok(Poll::Ready(())) => Begun::Done,
        Ok(Poll::Pending) => Begun::Waits(work),
        Err(_) => Begun::Panicked,
    }
}

/// Work that may wait for other work of this thread, and is its owner's.
pub type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// What is left for the end of the work that is done together now, if some is.
    static LATER: RefCell<Option<Vec<Later>>> = const { RefCell::new(None) };
}

/// Does work that belongs together, and answers what it left for its end: whoever calls
/// this does that then.
#[must_use]
pub fn together(work: impl FnOnce()) -> Vec<Later> {
    let outer = LATER.replace(Some(Vec::new()));
    work();
    LATER.replace(outer).unwrap_or_default()
}

/// Leaves work for the end of what is done together now on this thread.
///
/// # Errors
/// The work, where nothing is.
pub fn leave(work: Later) -> Result<(), Later> {
    LATER.with_borrow_mut(|later| match later {
        Some(later) => {
            later.push(work);
            Ok(())
        }
        None => Err(work),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_been_quick_is_done_in_place() {
        let pace = Pace::default();
        assert!(!pace.is_quick(), "nothing is known yet");
        (0..100).for_each(|_| pace.took(QUICK));
        assert!(pace.is_quick());
        pace.took(SLOW / 2);
        assert!(pace.is_quick(), "a thread may have been put off once");
        (0..3).for_each(|_| pace.took(SLOW / 2));
        assert!(!pace.is_quick());
        (0..100).for_each(|_| pace.took(QUICK));
        pace.took(SLOW);
        assert!(!pace.is_quick());
        (0..100).for_each(|n| pace.took(if n % 2 == 0 { SLOW / 2 } else { QUICK }));
        assert!(!pace.is_quick(), "every other one is slow");
    }

    #[test]
    fn what_is_left_for_later_is_done_by_who_does_the_rest() {
        assert!(leave(Box::pin(async {})).is_err(), "nobody would do it");
        let left = together(|| {
            assert!(leave(Box::pin(async {})).is_ok());
            assert!(together(|| assert!(leave(Box::pin(async {})).is_ok())).len() == 1);
        });
        assert_eq!(left.len(), 1);
        assert!(leave(Box::pin(async {})).is_err());
    }

    #[test]
    fn what_is_begun_is_done_or_waits_or_panicked() {
        assert!(matches!(begin(Box::pin(async {})), Begun::Done));
        assert!(matches!(begin(Box::pin(std::future::pending())), Begun::Waits(_)));
        assert!(matches!(begin(Box::pin(async { panic!("as asked") })), Begun::Panicked));
    }
}
