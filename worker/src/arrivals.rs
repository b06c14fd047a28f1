//! Messages on their way from the intake to the claimer, which are one task: the intake is
//! polled first, so that handing over wakes nobody. Only what comes back from elsewhere
//! does. Each holds a slot, which bounds how many there are.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use crate::intake::Pending;

/// The messages that wait for their claim.
#[derive(Default)]
pub(crate) struct Arrivals(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Pending>,
    ended: bool,
    claimer: Option<Waker>,
}

/// Ends the arrivals when it is dropped.
pub(crate) struct End<'a>(&'a Arrivals);

impl Arrivals {
    /// From the intake, which is polled before the claimer and in the same task.
    pub(crate) fn hand_over(&self, pending: Pending) {
        self.0.lock().waiting.push_back(pending);
    }

    /// From anywhere else; given back when no more are taken.
    pub(crate) fn bring_back(&self, pending: Pending) -> Option<Pending> {
        let mut state = self.0.lock();
        if state.ended {
            return Some(pending);
        }
        state.waiting.push_back(pending);
        state.wake();
        None
    }

    /// The intake is about to begin; they end with what this returns.
    pub(crate) fn end_with(&self) -> End<'_> {
        End(self)
    }

    /// Up to `max` of them, as soon as there is one; none when there will be no more.
    pub(crate) async fn next(&self, max: usize) -> Vec<Pending> {
        std::future::poll_fn(|context| {
            let mut state = self.0.lock();
            if state.waiting.is_empty() && !state.ended {
                state.claimer = Some(context.waker().clone());
                return Poll::Pending;
            }
            let count = state.waiting.len().min(max.max(1));
            Poll::Ready(state.waiting.drain(..count).collect())
        })
        .await
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(claimer) = self.claimer.take() {
            claimer.wake();
        }
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.ended = true;
        state.wake();
    }
}
