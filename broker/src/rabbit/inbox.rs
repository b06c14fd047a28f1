//! What a consumer prefetched and has not handed out: filled by the subscription, emptied
//! by `next`, under one lock, so that giving up waiting loses no message.
//!
//! When to subscribe and when to give back is left to `subscription`.

use std::collections::VecDeque;

use lapin::Acker;
use lapin::message::Delivery;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::turns::Turns;

/// Where the subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// No channel yet, or none any more.
    Away,
    /// The broker sends.
    Subscribed,
    /// The broker sends nothing; messages are fetched one by one.
    Paused,
}

/// What `next` finds.
pub(super) enum Found {
    Message { index: usize, delivery: Box<Delivery>, session: u64 },
    Nothing,
    Closed,
}

/// Shared by a consumer and its subscription.
pub(super) struct Inbox {
    inner: Mutex<Inner>,
    /// For the consumer: something arrived or the standing changed.
    changed: Notify,
    /// For the subscription: the consumer wants something else than before.
    pub(super) wish: Notify,
}

struct Inner {
    buffers: Vec<VecDeque<Delivery>>,
    turns: Turns,
    prefetch: usize,
    under_way: usize,
    /// Handed out, and dropped without an answer.
    left: Vec<Acker>,
    session: u64,
    standing: Standing,
    wants: bool,
    hungry: bool,
    closed: bool,
}

impl Inbox {
    pub(super) fn new(queues: &[String], prefetch: usize) -> Self {
        let inner = Inner {
            buffers: queues.iter().map(|_| VecDeque::new()).collect(),
            turns: Turns::new(queues),
            prefetch,
            under_way: 0,
            left: Vec::new(),
            session: 0,
            standing: Standing::Away,
            wants: true,
            hungry: false,
            closed: false,
        };
        Self { inner: Mutex::new(inner), changed: Notify::new(), wish: Notify::new() }
    }

    /// Takes a message, or tells the subscription that one is waited for.
    pub(super) fn take(&self) -> Found {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.closed {
            return Found::Closed;
        }
        inner.wants = true;
        if inner.under_way >= inner.prefetch {
            return Found::Nothing;
        }
        let buffers = &inner.buffers;
        let Some(index) = inner.turns.pick(|index| !buffers[index].is_empty()) else {
            inner.hungry = true;
            self.wish.notify_one();
            return Found::Nothing;
        };
        match inner.buffers[index].pop_front() {
            Some(delivery) => {
                inner.under_way += 1;
                inner.hungry = false;
                Found::Message { index, delivery: Box::new(delivery), session: inner.session }
            }
            None => Found::Nothing,
        }
    }

    /// A delivery of `session` is in nobody's hands any more; `unanswered` is for giving it back.
    pub(super) fn leave(&self, session: u64, unanswered: Option<Acker>) {
        let mut inner = self.inner.lock();
        if inner.session != session {
            return;
        }
        inner.under_way = inner.under_way.saturating_sub(1);
        let left = unanswered.is_some();
        inner.left.extend(unanswered);
        drop(inner);
        self.changed.notify_waiters();
        if left {
            self.wish.notify_one();
        }
    }

    /// Waits until `look` finds something, which it is asked at once and after every change.
    pub(super) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look() {
                return found;
            }
            changed.await;
        }
    }

    /// Waits until what came in `session` is the broker's again.
    pub(super) async fn over(&self, session: u64) {
        self.until(|| {
            let inner = self.inner.lock();
            (inner.closed || inner.session != session || inner.standing == Standing::Away).then_some(())
        })
        .await;
    }

    /// What was dropped without an answer, for giving back.
    pub(super) fn left(&self) -> Vec<Acker> {
        std::mem::take(&mut self.inner.lock().left)
    }

    pub(super) fn put(&self, index: usize, delivery: Delivery) {
        self.inner.lock().buffers[index].push_back(delivery);
        self.changed.notify_waiters();
    }

    /// Whether the broker could send more and there is nothing of it here.
    pub(super) fn is_idle(&self) -> bool {
        let inner = self.inner.lock();
        inner.under_way == 0 && inner.standing == Standing::Subscribed && inner.buffers.iter().all(VecDeque::is_empty)
    }

    /// Empties it, for giving back.
    pub(super) fn drain(&self) -> Vec<Delivery> {
        self.inner.lock().buffers.iter_mut().flat_map(|buffer| buffer.drain(..)).collect()
    }

    /// A new channel: whatever came over the old one is the broker's again.
    pub(super) fn renew(&self) {
        let mut inner = self.inner.lock();
        inner.buffers.iter_mut().for_each(VecDeque::clear);
        inner.left.clear();
        inner.session += 1;
        inner.under_way = 0;
    }

    pub(super) fn stand(&self, standing: Standing) {
        self.inner.lock().standing = standing;
        self.changed.notify_waiters();
    }

    pub(super) fn standing(&self) -> Standing {
        self.inner.lock().standing
    }

    /// Wants no further message.
    pub(super) fn rest(&self) {
        let mut inner = self.inner.lock();
        inner.wants = false;
        inner.hungry = false;
        drop(inner);
        self.wish.notify_one();
    }

    /// Whether messages are wanted at all, and whether one is waited for.
    pub(super) fn wishes(&self) -> (bool, bool) {
        let inner = self.inner.lock();
        (inner.wants, inner.hungry)
    }

    pub(super) fn close(&self) {
        self.inner.lock().closed = true;
        self.changed.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.lock().closed
    }
}
