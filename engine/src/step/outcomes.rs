//! What the tasks of an activation came to, in the order of its items whatever order or
//! number its tasks had.

use baton_common::job::Outcome;
use baton_common::{ErrorClass, Failure, GroupId, Payload};
use serde_json::{Value, json};

use super::ClosedGroup;
use crate::expr::Scope;
use crate::graph::{ForEach, Node, Work};
use crate::state::Open;

/// An activation that ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which one.
    pub(super) id: GroupId,
    /// How.
    pub(super) how: How,
}

/// How an activation ended.
#[derive(Debug)]
pub(super) enum How {
    /// Its group closed.
    Closed(Box<ClosedGroup>),
    /// Its children were computed within the call.
    Computed(Outcomes),
    /// It needed none.
    Inline,
    /// Before any work.
    Failed(Failure),
}

/// Outcomes of tasks, by index.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcomes {
    /// `None` where it was cancelled.
    pub(super) all: Vec<Option<Outcome>>,
    /// Of children: compensations that they leave to their caller.
    pub(super) owed: Vec<Option<Value>>,
    /// Whether there was a deadline, so that what is missing came too late.
    pub(super) had_deadline: bool,
}

impl How {
    /// Its outcomes; `None` where it had no tasks.
    ///
    /// # Errors
    /// What it failed with before any work.
    pub(super) fn outcomes(self, node: &Node) -> Result<Option<Outcomes>, Failure> {
        match self {
            // A local node has a group only so that one call does not run on for ever.
            Self::Closed(_) | Self::Inline if matches!(node.work, Work::Local) => Ok(None),
            Self::Closed(group) => {
                let ClosedGroup { info, outcomes, owed, .. } = *group;
                Ok(Some(Outcomes { all: outcomes, owed, had_deadline: info.deadline.is_some() }))
            }
            Self::Computed(outcomes) => Ok(Some(outcomes)),
            Self::Inline => Ok(None),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl Outcomes {
    /// The outcomes of a map without tasks: null for each item.
    pub(super) fn nulls(count: u32) -> Self {
        Self { all: vec![Some(Outcome::value(Value::Null)); count as usize], ..Self::default() }
    }

    /// The first successes, as many as are needed: others came too late to count.
    pub(super) fn only(&mut self, needed: u32) {
        let successes = self.all.iter_mut().filter(|outcome| matches!(outcome, Some(Outcome::Ok(_))));
        successes.skip(needed as usize).for_each(|outcome| *outcome = None);
    }

    /// One for each item: those that failed before any work had no task.
    pub(super) fn by_item(mut self, count: u32, open: Option<&Open>) -> Self {
        if let Some(open) = open.filter(|open| !open.failed.is_empty()) {
            let (mut all, mut owed) = (self.all.into_iter(), self.owed.into_iter());
            (self.all, self.owed) = (Vec::new(), Vec::new());
            for item in 0..count {
                let failed = open.failed.get(&item);
                let next = || (all.next().flatten(), owed.next().flatten());
                let (outcome, left) = failed.map_or_else(next, |why| (Some(Outcome::Error(why.clone())), None));
                self.all.push(outcome);
                self.owed.push(left);
            }
        }
        self.all.resize(count as usize, None);
        self
    }
}

/// What is kept of an item's output.
///
/// # Errors
/// When the expression fails.
pub(super) fn keep(each: &ForEach, value: Value, scope: &Scope<'_>) -> Result<Value, Failure> {
    match &each.keep {
        Some(keep) => keep.eval(&Scope { output: Some(&value), ..*scope }),
        None => Ok(value),
    }
}

/// An outcome's value; one that lies in a blob reads as `{"$blob": {…}}`.
///
/// # Errors
/// What it failed with; `deadline_exceeded` or `cancelled` where there is none.
pub(super) fn value_of(outcome: Option<Outcome>, had_deadline: bool) -> Result<Value, Failure> {
    match outcome {
        Some(Outcome::Ok(Payload::Inline(value))) => Ok(value),
        Some(Outcome::Ok(Payload::Blob(blob))) => Ok(json!({"$blob": blob})),
        Some(Outcome::Error(failure)) => Err(failure),
        None if had_deadline => {
            Err(Failure::new(ErrorClass::Timeout, "deadline_exceeded", "the node's deadline passed"))
        }
        None => Err(Failure::new(ErrorClass::Cancelled, "cancelled", "it was cancelled")),
    }
}
