//! Invariants of a run's record from one transition to the next: I1 (what was accepted does
//! not vanish), I2 (its version), I4, I8, I12 and I17.

use std::collections::BTreeMap;

use baton_common::ids::{GroupId, InterruptId, RunId};
use baton_common::records::{Body, InterruptState, RunState};
use baton_common::transition::Op;
use baton_store::{MemoryStore, Reader, RunDetail};

use super::{Made, Seen, Verdict, at_once};

/// Events looked at when a run is seen for the first time since the store went back.
const EVENTS_MAX: u64 = 40;

/// A run as it was seen last.
pub(super) struct Known {
    state: RunState,
    end: Option<Body>,
    interrupts: BTreeMap<InterruptId, InterruptState>,
}

/// I1: a run that is gone was over, and waited for nothing.
pub(super) fn judge_absent(seen: &mut Seen, made: &Made<'_>, run: RunId) -> Verdict {
    let Some(known) = seen.runs.remove(&run) else { return Ok(()) };
    let collected = matches!(made.op, Op::Gc { run: of } if *of == run);
    if collected && known.state.status.is_terminal() && known.state.detached_open == 0 {
        // One of the same name begins anew, and does again what it did.
        seen.retried.insert(run);
        seen.advanced.retain(|(of, _)| *of != run);
        seen.fences.retain(|job, _| job.run != run);
        seen.closed.retain(|(of, _)| *of != run);
        known.interrupts.keys().for_each(|id| drop(seen.decisions.remove(id)));
        return Ok(());
    }
    Err(format!("I1: {run} is gone, it was {:?}", known.state))
}

pub(super) fn judge(store: &MemoryStore, seen: &mut Seen, made: &Made<'_>, detail: &RunDetail) -> Verdict {
    let (run, state) = (detail.run.info.id, &detail.run.state);
    let known = seen.runs.get(&run);
    if let Some(known) = known {
        judge_end(run, known, detail)?;
        judge_version(run, made, &known.state, state)?;
        judge_questions(known, detail)?;
    }
    judge_events(store, run, state, known.map(|known| known.state.events))?;
    judge_detached(run, made, detail)?;
    let interrupts = detail.interrupts.iter().map(|interrupt| (interrupt.id, interrupt.state.clone())).collect();
    seen.runs.insert(run, Known { state: state.clone(), end: detail.run.end.clone(), interrupts });
    Ok(())
}

/// I4: an end is written once, and nothing of it changes any more, unless the run is taken
/// up again in a later generation.
fn judge_end(run: RunId, known: &Known, detail: &RunDetail) -> Verdict {
    let (was, is) = (&known.state, &detail.run.state);
    if !was.status.is_terminal() || is.r#gen > was.r#gen {
        return Ok(());
    }
    if was.status != is.status {
        return Err(format!("I4: {run} ended as {} and became {}", was.status.name(), is.status.name()));
    }
    let same = (was.ver, was.head, was.ended_at, was.r#gen) == (is.ver, is.head, is.ended_at, is.r#gen);
    if same && known.end == detail.run.end { Ok(()) } else { Err(format!("I4: the end of {run} changed: {was:?}")) }
}

/// I2: claims, records, marks and sweeps leave the version alone; nothing ever lowers it.
fn judge_version(run: RunId, made: &Made<'_>, was: &RunState, is: &RunState) -> Verdict {
    let may_rise = !matches!(
        made.op,
        Op::Stage(_)
            | Op::Mark(_)
            | Op::Claim(_)
            | Op::Renew(_)
            | Op::Record(_)
            | Op::Expire(_)
            | Op::PopDue(_)
            | Op::Extend { .. }
            | Op::Park { .. }
            | Op::Republish(_)
            | Op::Recheck { .. }
            | Op::Heard { .. }
            | Op::Deliver(_)
            | Op::Dead(_)
            | Op::Force { .. }
    );
    if is.ver == was.ver && is.head == was.head && is.superstep == was.superstep {
        return Ok(());
    }
    if is.ver < was.ver || is.superstep < was.superstep || !may_rise {
        return Err(format!("I2: {run} went from version {} to {}", was.ver, is.ver));
    }
    Ok(())
}

/// I8: what became of a question stays.
fn judge_questions(known: &Known, detail: &RunDetail) -> Verdict {
    for interrupt in &detail.interrupts {
        match known.interrupts.get(&interrupt.id) {
            Some(was) if *was != InterruptState::Open && *was != interrupt.state => {
                return Err(format!("I8: {} was {was:?} and became {:?}", interrupt.id, interrupt.state));
            }
            _ => {}
        }
    }
    Ok(())
}

/// I12: events have no gaps, and none is taken back.
fn judge_events(store: &MemoryStore, run: RunId, state: &RunState, known: Option<u64>) -> Verdict {
    let after = known.unwrap_or_else(|| state.events.saturating_sub(EVENTS_MAX));
    if state.events < after {
        return Err(format!("I12: events of {run} were taken back"));
    }
    let events = at_once(store.events(run, after, u32::MAX))?;
    if events.iter().map(|event| event.seq).eq(after + 1..=state.events) {
        return Ok(());
    }
    Err(format!("I12: events of {run} have gaps: {:?}", events.iter().map(|event| event.seq).collect::<Vec<_>>()))
}

/// I17: neither an advance, the end of a run included, nor a cancel touches a detached call.
fn judge_detached(run: RunId, made: &Made<'_>, detail: &RunDetail) -> Verdict {
    let of_run = matches!(made.op, Op::Advance(_) | Op::Cancel(_));
    let Some(before) = made.before.filter(|before| of_run && before.run.info.id == run) else { return Ok(()) };
    let again = |id: &GroupId| match made.op {
        // After a retry from before its opening it is done again.
        Op::Advance(commit) => before.run.state.r#gen.0 > 0 && commit.open.iter().any(|new| new.info.id == *id),
        _ => false,
    };
    for (group, tasks) in before.groups.iter().filter(|(group, _)| group.info.detached && !again(&group.info.id)) {
        let after = detail.groups.iter().find(|(after, _)| after.info.id == group.info.id);
        if after.is_none_or(|(state, rows)| (state, rows) != (group, tasks)) {
            return Err(format!("I17: the detached {} of {run} was touched", group.info.id));
        }
    }
    Ok(())
}
