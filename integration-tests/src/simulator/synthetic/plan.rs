//! What a synthetic run does next: a pure function of its records. Equal records give equal
//! bytes, in whichever process; the checker computes every advance again by it.
//!
//! A plan is a number. Each group that closes leads to none, one or two others, as dice
//! thrown from the plan and the place decide, a few levels deep; a run ends when nothing is
//! open. Of two groups in a race, the first to close has the other dropped.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::commit::{Commit, NewGroup, RunEnd};
use baton_common::records::{Checkpoint, RunInfo, RunStatus};
use baton_common::transition::ClosedGroup;
use baton_common::{Digest, Hasher, JsonText, Seq, Timestamp};
use baton_store::Loaded;
use serde::{Deserialize, Serialize};

use super::groups;

/// Groups that follow one another at most.
const DEPTH_MAX: u32 = 3;

/// What a synthetic run remembers, in its checkpoints.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Control {
    /// Groups made so far, which names them.
    pub(super) made: u32,
    /// Open groups and how deep each lies.
    open: BTreeMap<String, u32>,
    /// Open groups of which the first to close drops the other.
    races: BTreeMap<String, String>,
    /// How the run ends once its compensations are over.
    undoing: Option<RunStatus>,
    /// The generation it was written in.
    #[serde(default)]
    generation: u32,
}

impl Control {
    /// It as it counts now: a run that was taken up again has what was kept, and compensates
    /// for nothing.
    fn of(mut self, loaded: &Loaded) -> Self {
        let record = &loaded.run.state;
        if self.generation != record.r#gen.0 || record.resumed {
            self.generation = record.r#gen.0;
            self.undoing = None;
            self.races.clear();
            let closed = loaded.closed.iter().map(|group| &group.info.id);
            let kept: BTreeSet<String> = closed.chain(&loaded.open).map(ToString::to_string).collect();
            self.open.retain(|id, _| kept.contains(id));
        }
        self
    }
}

/// Whether a run has a time by which it must be over.
pub(super) fn has_deadline(info: &RunInfo) -> bool {
    dice(info, "deadline", 0).is_multiple_of(6)
}

/// A number thrown from the plan of a run and a place in it.
pub(super) fn dice(info: &RunInfo, what: &str, number: u32) -> u8 {
    Hasher::new().field("dice").field(&info.input).field(what).number(u64::from(number)).finish().0[0]
}

/// The next advance, or `None` where there is nothing to do. `head` is the run's own last
/// checkpoint.
pub(in crate::simulator) fn step(loaded: &Loaded, head: Option<&Checkpoint>) -> Option<Commit> {
    let (info, record) = (&loaded.run.info, &loaded.run.state);
    let over = info.deadline.is_some_and(|deadline| deadline <= record.ready_at) && !record.undoing;
    let nothing_left = loaded.closed.is_empty() && loaded.open.is_empty();
    let (reason, status) = match record.status {
        RunStatus::Cancelling if dice(info, "undo", 0).is_multiple_of(3) => ("undoing", None),
        RunStatus::Cancelling => ("cancelled", Some(RunStatus::Cancelled)),
        RunStatus::Undoing if !loaded.closed.is_empty() || nothing_left => ("undone", None),
        RunStatus::Running if over => ("duration", Some(RunStatus::Failed)),
        RunStatus::Running if record.resumed => ("resumed", None),
        RunStatus::Running if record.superstep == 0 => ("started", None),
        RunStatus::Running if !loaded.closed.is_empty() => ("closed", None),
        _ => return None,
    };
    let control = head.and_then(|head| head.control.read::<Control>().ok()).unwrap_or_default();
    // What ends a run folds nothing.
    let control = if status.is_none() { control.of(loaded) } else { control };
    let mut next = Next::new(loaded, control, head.map_or(Digest::default(), |head| head.hash));
    match reason {
        "started" | "resumed" => next.follow(0),
        "closed" => next.fold(&loaded.closed),
        "undoing" => {
            next.take(&loaded.closed);
            next.undo(RunStatus::Cancelled);
        }
        "undone" => next.take(&loaded.closed),
        _ => {}
    }
    let last = next.control.undoing.unwrap_or(RunStatus::Succeeded);
    let ends = status.or(next.control.open.is_empty().then_some(last));
    Some(next.commit(reason, ends))
}

/// An advance in the making.
struct Next<'a> {
    loaded: &'a Loaded,
    control: Control,
    hash: Digest,
    consumed: Vec<baton_common::GroupId>,
    closed_at: Vec<Timestamp>,
    cancelled: Vec<baton_common::GroupId>,
    open: Vec<NewGroup>,
    undoing: bool,
}

impl<'a> Next<'a> {
    fn new(loaded: &'a Loaded, control: Control, hash: Digest) -> Self {
        Self {
            loaded,
            control,
            hash,
            consumed: Vec::new(),
            closed_at: Vec::new(),
            cancelled: Vec::new(),
            open: Vec::new(),
            undoing: false,
        }
    }

    /// Folds groups, and goes on from each; or turns to the compensations, if one failed.
    fn fold(&mut self, closed: &[ClosedGroup]) {
        let folded: BTreeSet<String> = closed.iter().map(|group| group.info.id.to_string()).collect();
        let mut depths = Vec::new();
        for group in closed {
            let id = group.info.id.to_string();
            if let Some(other) = self.control.races.remove(&id)
                && !folded.contains(&other)
                && self.control.open.remove(&other).is_some()
            {
                self.cancelled.extend(other.parse());
            }
            depths.push(self.control.open.get(&id).copied().unwrap_or(DEPTH_MAX));
        }
        self.take(closed);
        let failed = closed.iter().any(|group| group.state.ok < group.info.need_ok);
        if failed && dice(&self.loaded.run.info, "undo", 1).is_multiple_of(4) {
            self.undo(RunStatus::Failed);
            return;
        }
        depths.into_iter().for_each(|depth| self.follow(depth + 1));
    }

    /// Takes what groups gave.
    fn take(&mut self, closed: &[ClosedGroup]) {
        for group in closed {
            let id = group.info.id.to_string();
            let outcomes = serde_json::to_string(&group.outcomes).unwrap_or_default();
            self.hash = Hasher::new().field("fold").field(self.hash.0).field(&id).field(outcomes).finish();
            self.consumed.push(group.info.id.clone());
            self.closed_at.extend(group.state.closed_at);
            self.control.open.remove(&id);
        }
    }

    /// Turns to the compensations, after which the run ends so.
    fn undo(&mut self, ends: RunStatus) {
        self.control.made += 1;
        self.control.undoing = Some(ends);
        self.undoing = true;
        let group = groups::undo(self.loaded, self.control.made, self.base(), self.hash);
        self.control.open.insert(group.info.id.to_string(), DEPTH_MAX);
        self.open.push(group);
    }

    /// Opens what follows at that depth.
    fn follow(&mut self, depth: u32) {
        let place = self.control.made;
        let info = &self.loaded.run.info;
        let deepest = if info.parent.is_some() { 1 } else { DEPTH_MAX };
        if depth >= deepest || (depth > 0 && dice(info, "leaf", place).is_multiple_of(4)) {
            return;
        }
        let two = depth < 2 && dice(info, "two", place).is_multiple_of(3);
        let first = self.make(depth);
        if two {
            let second = self.make(depth);
            if let (Some(first), Some(second)) = (first, second)
                && dice(info, "race", place).is_multiple_of(2)
            {
                self.control.races.insert(first.clone(), second.clone());
                self.control.races.insert(second, first);
            }
        }
        if dice(info, "notify", place).is_multiple_of(5) {
            self.control.made += 1;
            self.open.push(groups::detached(self.loaded, self.control.made, self.base(), self.hash));
        }
    }

    /// Opens one group, and names it.
    fn make(&mut self, depth: u32) -> Option<String> {
        self.control.made += 1;
        let group = groups::any(self.loaded, self.control.made, self.base(), self.hash);
        let id = group.info.id.to_string();
        self.control.open.insert(id.clone(), depth);
        self.open.push(group);
        Some(id)
    }

    /// The checkpoint that this advance makes.
    fn base(&self) -> Seq {
        self.loaded.thread.next_seq()
    }

    fn commit(self, reason: &str, ends: Option<RunStatus>) -> Commit {
        let Loaded { run, thread, .. } = self.loaded;
        let (info, record) = (&run.info, &run.state);
        let mut cancelled = self.cancelled;
        cancelled.sort();
        let checkpoint = Checkpoint {
            seq: thread.next_seq(),
            parent: thread.head,
            run: info.id,
            r#gen: record.r#gen,
            superstep: record.superstep + 1,
            at: record.ready_at,
            full: true,
            writes: BTreeMap::from([("log".into(), serde_json::Value::String(self.hash.to_string()).into())]),
            large: BTreeMap::new(),
            segments: BTreeMap::new(),
            wrote: BTreeMap::new(),
            control: JsonText::of(&self.control).unwrap_or_else(|_| JsonText::null()),
            hash: self.hash,
        };
        Commit {
            run: info.id,
            seen: record.ver,
            op: Commit::op(info.id, record.ver, &self.consumed, &format!("{reason}:{}", self.hash)),
            after: record.last_op,
            closed_at: self.closed_at,
            consumed: self.consumed,
            cancelled,
            checkpoints: vec![checkpoint.into()],
            segments: Vec::new(),
            open: if ends.is_some() {
                self.open.into_iter().filter(|group| group.info.detached).collect()
            } else {
                self.open
            },
            staged: 0,
            undoing: self.undoing,
            end: ends.map(|status| RunEnd { status, output: None, failure: None, owed: None }),
        }
    }
}
