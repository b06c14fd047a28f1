//! Named points at which a process can be told to fail, for fault drills:
//! `BATON_FAIL=after_claim:crash` or `before_ack:pause:500,before_resume:dup:1`.
//!
//! Parsing is pure; the environment is read once, and a point costs one atomic load while
//! nothing is set. What `pause`, `error` and `dup` mean at a point is left to whoever
//! passes it; `crash` ends the process here, as a power cut would.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::sources::nearest;

/// The environment variable.
pub const VARIABLE: &str = "BATON_FAIL";

/// The points of an orchestrator, in the order of a step.
pub const ORCHESTRATOR: [&str; 9] = [
    "after_submit_script",
    "before_advance",
    "after_advance",
    "before_publish",
    "before_confirm",
    "before_mark",
    "before_reply_claim",
    "after_record",
    "before_reply_resume",
];

/// Its points where a person's call is behind.
pub const CALLS: [&str; 2] = ["after_answer_script", "after_cancel_script"];

/// Its points where a run is removed.
pub const REMOVALS: [&str; 1] = ["after_archive"];

/// The points of a worker, in the order of a job.
pub const WORKER: [&str; 8] = [
    "before_claim",
    "after_claim",
    "before_ack",
    "after_ack",
    "before_run",
    "after_run",
    "before_resume",
    "after_resume",
];

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process aborts.
    Crash,
    /// Whoever passes waits so long.
    Pause(Duration),
    /// The step fails as if its counterpart had not answered.
    Error,
    /// The step is done twice.
    Dup,
}

/// Why a text is no list of failpoints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part is not written as one.
    #[error("failpoint {text:?} is not point:crash, point:pause:MS, point:error or point:dup, with :COUNT if need be")]
    Form {
        /// The part that was refused.
        text: String,
    },
    /// No process passes a point of that name, so the drill would show nothing.
    #[error("there is no failpoint {name:?}{}", hint(.nearest))]
    Unknown {
        /// The name as it was written.
        name: String,
        /// The point that looks most like it.
        nearest: Option<&'static str>,
    },
}

fn hint(nearest: &Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

#[derive(Debug)]
struct Point {
    name: String,
    action: Action,
    count: Option<u64>,
    passed: AtomicU64,
}

/// Failpoints and how often each was passed.
#[derive(Debug, Default)]
pub struct Plan {
    points: Vec<Point>,
}

impl Plan {
    /// Reads `point:action[:count]`, several separated by commas. A crash with a count
    /// happens at that passage, by default at the first; anything else happens at so many
    /// passages, by default at each.
    ///
    /// # Errors
    /// With the part that is not understood.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Ok(Self { points: parts.map(point).collect::<Result<_, _>>()? })
    }

    /// Passes a point: what is to happen this time. Never crashes by itself.
    pub fn pass(&self, name: &str) -> Option<Action> {
        self.points.iter().filter(|point| point.name == name).find_map(|point| {
            let passage = point.passed.fetch_add(1, Ordering::Relaxed) + 1;
            let acts = match point.action {
                Action::Crash => passage == point.count.unwrap_or(1),
                _ => point.count.is_none_or(|count| passage <= count),
            };
            acts.then_some(point.action)
        })
    }
}

const UNREAD: u8 = 0;
const UNSET: u8 = 1;
const SET: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNREAD);
static PLAN: OnceLock<Plan> = OnceLock::new();

/// Reads the environment; says whether anything is set. Services call it at their start,
/// so that a misspelt drill does not pass as a good one.
///
/// # Errors
/// With the part that is not understood.
pub fn from_env() -> Result<bool, Error> {
    let plan = Plan::parse(&std::env::var(VARIABLE).unwrap_or_default())?;
    let is_set = !plan.points.is_empty();
    if PLAN.set(plan).is_ok() {
        STATE.store(if is_set { SET } else { UNSET }, Ordering::Release);
    }
    Ok(is_set)
}

/// Passes a point of this process: aborts if it says crash, else tells what is to happen.
#[inline]
pub fn hit(name: &str) -> Option<Action> {
    if STATE.load(Ordering::Acquire) == UNSET {
        return None;
    }
    hit_slowly(name)
}

#[cold]
fn hit_slowly(name: &str) -> Option<Action> {
    if STATE.load(Ordering::Acquire) == UNREAD && from_env().is_err() {
        STATE.store(UNSET, Ordering::Release);
    }
    match PLAN.get()?.pass(name) {
        Some(Action::Crash) => std::process::abort(),
        action => action,
    }
}

fn point(text: &str) -> Result<Point, Error> {
    let refused = || Error::Form { text: text.to_owned() };
    let number = |word: &str| word.parse::<u64>().ok().filter(|number| *number > 0).ok_or_else(refused);
    let words: Vec<&str> = text.split(':').collect();
    let (action, rest) = match words.get(1..) {
        Some(["crash", rest @ ..]) => (Action::Crash, rest),
        Some(["error", rest @ ..]) => (Action::Error, rest),
        Some(["dup", rest @ ..]) => (Action::Dup, rest),
        Some(["pause", ms, rest @ ..]) => (Action::Pause(Duration::from_millis(number(ms)?)), rest),
        _ => return Err(refused()),
    };
    let count = match rest {
        [] => None,
        [count] => Some(number(count)?),
        _ => return Err(refused()),
    };
    let name = words.first().filter(|name| !name.is_empty()).ok_or_else(refused)?;
    let known = || ORCHESTRATOR.into_iter().chain(CALLS).chain(REMOVALS).chain(WORKER);
    if !known().any(|point| point == *name) {
        return Err(Error::Unknown { name: (*name).to_owned(), nearest: nearest(name, known()) });
    }
    Ok(Point { name: (*name).to_owned(), action, count, passed: AtomicU64::new(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_acts_as_often_as_it_was_told() {
        let plan = Plan::parse("before_ack:error:2, after_ack:crash:3,before_run:pause:50").unwrap();
        let passes = |name: &str| (0..4).map(|_| plan.pass(name)).collect::<Vec<_>>();
        assert_eq!(passes("before_ack"), [Some(Action::Error), Some(Action::Error), None, None]);
        assert_eq!(passes("after_ack"), [None, None, Some(Action::Crash), None]);
        assert_eq!(passes("before_run"), [Some(Action::Pause(Duration::from_millis(50))); 4]);
        assert_eq!(passes("after_run"), [None; 4]);
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for rest in ["", ":boom", ":pause", ":pause:x", ":error:0", ":dup:1:2"] {
            assert!(matches!(Plan::parse(&format!("after_ack{rest}")), Err(Error::Form { .. })), "{rest}");
        }
        assert!(matches!(Plan::parse(":dup"), Err(Error::Form { .. })));
        let error = Plan::parse("after_akc:crash").expect_err("no such point").to_string();
        assert!(error.contains("after_akc") && error.contains("did you mean after_ack"), "{error}");
        assert!(Plan::parse("").is_ok());
    }
}
