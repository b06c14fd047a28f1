//! What may go wrong with a message on its way through the in-process broker, said as data.
//!
//! The simulator decides by its seed; this file knows neither seeds nor time.

use crate::Message;

/// Decides the fate of each published message. Called once for each message, in the order
/// of publishing, while the broker is locked: it must not call the broker.
pub trait Faults: Send + Sync {
    /// What becomes of this message.
    fn fate(&self, message: &Message) -> Fate;
}

impl<F: Fn(&Message) -> Fate + Send + Sync> Faults for F {
    fn fate(&self, message: &Message) -> Fate {
        self(message)
    }
}

/// One copy of a message reaching its queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Milliseconds after publishing.
    pub delay_ms: u64,
    /// How many waiting messages it overtakes.
    pub overtakes: usize,
}

/// What a publisher is told, and which copies arrive whatever it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The copies that arrive; none is a loss.
    pub arrivals: Vec<Arrival>,
    /// Whether the publisher learns of its success.
    pub confirmed: bool,
}

impl Fate {
    /// As it should be.
    pub fn deliver() -> Self {
        Self { arrivals: vec![Arrival::default()], confirmed: true }
    }

    /// Confirmed and lost.
    pub fn lose() -> Self {
        Self { arrivals: Vec::new(), confirmed: true }
    }

    /// Arrives twice.
    pub fn duplicate() -> Self {
        Self { arrivals: vec![Arrival::default(); 2], confirmed: true }
    }

    /// Arrives `ms` milliseconds later.
    pub fn delay(ms: u64) -> Self {
        Self { arrivals: vec![Arrival { delay_ms: ms, overtakes: 0 }], confirmed: true }
    }

    /// Overtakes up to `count` messages that wait already.
    pub fn overtake(count: usize) -> Self {
        Self { arrivals: vec![Arrival { delay_ms: 0, overtakes: count }], confirmed: true }
    }

    /// Does not arrive, and the publisher does not know.
    pub fn refuse() -> Self {
        Self { arrivals: Vec::new(), confirmed: false }
    }

    /// Arrives, and the publisher does not know.
    pub fn unknown() -> Self {
        Self { arrivals: vec![Arrival::default()], confirmed: false }
    }
}
