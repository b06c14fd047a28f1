//! Words as the scripts know them: small numbers and letters.

use baton_common::ErrorClass;
use baton_common::records::{EventKind, Policy, RunStatus};
use baton_common::tool::Effect;

use super::pack::broken;
use crate::Error;

const EVENTS: [EventKind; 18] = [
    EventKind::Submitted,
    EventKind::Advanced,
    EventKind::Opened,
    EventKind::Claimed,
    EventKind::Recorded,
    EventKind::LeaseExpired,
    EventKind::Closed,
    EventKind::Asked,
    EventKind::Answered,
    EventKind::Cancelling,
    EventKind::Parked,
    EventKind::Ended,
    EventKind::Waits,
    EventKind::Signalled,
    EventKind::Undoing,
    EventKind::Edited,
    EventKind::Retried,
    EventKind::Repinned,
];

/// A status's place in the order of a run's life.
pub(super) fn status_code(status: RunStatus) -> u32 {
    (0_u32..).zip(RunStatus::ALL).find(|(_, known)| *known == status).map_or(0, |(code, _)| code)
}

pub(super) fn status_of(code: u32) -> Result<RunStatus, Error> {
    at(&RunStatus::ALL, code)
}

pub(super) fn event_of(code: u32) -> Result<EventKind, Error> {
    at(&EVENTS, code)
}

pub(super) fn effect_code(effect: Effect) -> u32 {
    match effect {
        Effect::Pure => 0,
        Effect::Idempotent => 1,
        Effect::Once => 2,
    }
}

/// The letter of a class in a policy's row.
pub(super) fn class_letter(class: ErrorClass) -> char {
    match class {
        ErrorClass::Transient => 't',
        ErrorClass::RateLimited => 'r',
        ErrorClass::Timeout => 'o',
        ErrorClass::WorkerLost => 'w',
        ErrorClass::Invalid => 'i',
        ErrorClass::Refused => 'f',
        ErrorClass::Permanent => 'p',
        ErrorClass::Poison => 'x',
        ErrorClass::Cancelled => 'c',
        ErrorClass::Expired => 'e',
    }
}

/// The classes a policy tries again, as letters.
pub(super) fn retry_letters(policy: &Policy) -> String {
    policy.retry_on.iter().map(|class| class_letter(*class)).collect()
}

fn at<T: Copy>(list: &[T], code: u32) -> Result<T, Error> {
    usize::try_from(code).ok().and_then(|code| list.get(code)).copied().ok_or_else(|| broken("an unknown code"))
}
