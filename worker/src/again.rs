//! A task that wakes itself is polled again where it stands: to be put back among others
//! wakes a thread that would take it, which costs more than a quick job.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Polls in a row, after which others have their turn.
const POLLS_MAX: u32 = 32;

const IDLE: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;

/// What wakes the work: its task, unless it is polled now.
#[derive(Default)]
struct Own {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == IDLE {
            self.task.wake();
        }
    }
}

/// Does `work`, which is polled again at once when it was woken while it was polled.
pub(crate) async fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let own = Arc::new(Own::default());
    let waker = Waker::from(own.clone());
    std::future::poll_fn(move |context| {
        own.task.register(context.waker());
        for _ in 0..POLLS_MAX {
            own.state.store(POLLED, Ordering::Release);
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(done);
            }
            if own.state.compare_exchange(POLLED, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Counts its wakes.
    #[derive(Default)]
    struct Task(AtomicU32);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_wakes_itself_is_polled_again_and_others_have_their_turn() {
        let polls = Cell::new(0);
        let task = Arc::new(Task::default());
        let waker = Waker::from(task.clone());
        let mut work = pin!(at_once(std::future::poll_fn(|context| {
            polls.set(polls.get() + 1);
            context.waker().wake_by_ref();
            if polls.get() > POLLS_MAX { Poll::Ready(()) } else { Poll::Pending }
        })));
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((polls.get(), task.0.load(Ordering::Relaxed)), (POLLS_MAX, 1));
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn who_waits_is_woken_once_from_elsewhere() {
        let kept = Cell::new(None::<Waker>);
        let task = Arc::new(Task::default());
        let waker = Waker::from(task.clone());
        let mut work = pin!(at_once(std::future::poll_fn(|context| {
            kept.set(Some(context.waker().clone()));
            Poll::<()>::Pending
        })));
        assert!(work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(task.0.load(Ordering::Relaxed), 0);
        let woken = kept.take().expect("it was polled");
        woken.wake_by_ref();
        woken.wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
    }
}
