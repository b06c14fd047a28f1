//! I18: every advance that counts is computed a second time, by another process so to say:
//! from the records alone, by no cache. The bytes must be the same. That finds as well an
//! advance computed from a state that is not the run's.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use baton_common::commit::Commit;
use baton_common::records::{Body, Checkpoint, Run, RunInfo, RunStatus};
use baton_common::tool::ToolSpec;
use baton_common::transition::{AdvanceAnswer, Op, Reply};
use baton_common::{GraphHash, Seq, Timestamp};
use baton_engine::graph::Graph;
use baton_engine::spec::parse_canonical;
use baton_engine::state::{Channels, RunState};
use baton_engine::step::{ClosedGroup, Effects, Event, Tools, step};
use baton_store::{Loaded, MemoryStore, Reader, Registry, RunDetail};
use parking_lot::Mutex;

use super::super::synthetic;
use super::{Made, Seen, Verdict, at_once};

/// Ways to put forgotten outcomes together that are tried.
const WAYS_MAX: usize = 64;

/// What an advance is computed from, where there is a graph or a plan to compute it by.
pub(super) type Second = Option<Result<Box<Inputs>, String>>;

/// Outcomes of a group by index, as the store keeps them.
pub(super) type Outcomes = Vec<Option<Body>>;

/// The records that an advance was made from.
pub(super) struct Inputs {
    run: Run,
    now: Timestamp,
    closed: Vec<baton_common::transition::ClosedGroup>,
    by: By,
}

/// What decides.
enum By {
    Graph(Box<Compiled>, Box<RunState>),
    Plan(Box<Loaded>, Option<Checkpoint>),
}

/// Reads what an advance that may count is made from, before it is made.
pub(super) fn read(store: &MemoryStore, op: &Op, before: Option<&RunDetail>) -> Second {
    let (Op::Advance(commit), Some(before)) = (op, before) else { return None };
    let state = &before.run.state;
    if state.status.is_terminal() || state.ver != commit.seen || state.last_op == Some(commit.op) || state.resumed {
        return None;
    }
    inputs(store, commit, &before.run).transpose()
}

fn inputs(store: &MemoryStore, commit: &Commit, run: &Run) -> Result<Option<Box<Inputs>>, String> {
    let mut loaded = at_once(store.load(run.info.id))?.ok_or("it is gone")?;
    let mut closed = std::mem::take(&mut loaded.closed);
    closed.retain(|group| commit.consumed.contains(&group.info.id));
    let by = if run.info.graph_name == synthetic::NAME {
        By::Plan(Box::new(loaded), at_once(store.checkpoint(&run.info.thread, run.state.head))?)
    } else {
        let Some(graph) = compiled(store, &run.info)? else { return Ok(None) };
        By::Graph(Box::new(graph), Box::new(state_of(store, run)?))
    };
    let now = commit.checkpoints.first().map_or(run.state.ready_at, |checkpoint| checkpoint.at);
    Ok(Some(Box::new(Inputs { run: run.clone(), now, closed, by })))
}

/// Computes it and compares.
pub(super) fn judge(seen: &mut Seen, made: &Made<'_>, second: Second) -> Verdict {
    let (Op::Advance(commit), Reply::Advance(AdvanceAnswer::Advanced { .. })) = (made.op, made.reply) else {
        return Ok(());
    };
    let Some(second) = second else { return Ok(()) };
    let again = |why| format!("I18: the advance cannot be computed again: {why}");
    let mut inputs = second.map_err(again)?;
    let effects = inputs.compute().map_err(again)?;
    let Some(what) = difference(&effects, commit) else { return Ok(()) };
    if seen.rolled_back && is_from_forgotten_outcomes(seen, &mut inputs, commit) {
        *seen.answers.entry("advance by a forgotten outcome of the same input".to_owned()).or_default() += 1;
        return Ok(());
    }
    Err(format!("I18: one advance, two bytes: its {what}\ncomputed again: {effects:?}"))
}

/// Whether it was computed, on the way across a roll-back, from what the very same job had
/// given before the store forgot it: as good an outcome as the one that stands there now.
fn is_from_forgotten_outcomes(seen: &Seen, inputs: &mut Inputs, commit: &Commit) -> bool {
    let known: Vec<&Vec<Outcomes>> = inputs
        .closed
        .iter()
        .filter_map(|group| seen.closings.get(&(inputs.run.info.id, group.info.id.clone())))
        .collect();
    let ways: usize = known.iter().map(|times| times.len()).product();
    if known.len() != inputs.closed.len() || ways > WAYS_MAX {
        return false;
    }
    (0..ways).any(|way| {
        let mut rest = way;
        for (group, times) in inputs.closed.iter_mut().zip(&known) {
            group.outcomes = Some(times[rest % times.len()].clone());
            rest /= times.len();
        }
        inputs.compute().is_ok_and(|effects| difference(&effects, commit).is_none())
    })
}

/// The first part of an advance that is not as computed here.
fn difference(effects: &Effects, commit: &Commit) -> Option<&'static str> {
    let differs = [
        ("consumed groups", effects.consumed != commit.consumed),
        ("cancelled groups", effects.cancelled != commit.cancelled),
        ("checkpoints", !effects.checkpoints.iter().eq(commit.checkpoints.iter().map(|kept| &**kept))),
        ("segments", effects.segments != commit.segments),
        ("turn to compensations", effects.undoing != commit.undoing),
        ("end", effects.end != commit.end),
        ("open groups", !same_groups(effects, commit)),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(what, _)| what)
}

/// Tasks of wide groups come in ahead: their place in the advance is empty.
fn same_groups(effects: &Effects, commit: &Commit) -> bool {
    let ours = &effects.open;
    ours.len() == commit.open.len()
        && ours.iter().zip(&commit.open).all(|(ours, theirs)| {
            ours.info == theirs.info && (theirs.tasks.is_empty() && commit.staged > 0 || ours.tasks == theirs.tasks)
        })
}

impl Inputs {
    fn compute(&self) -> Result<Effects, String> {
        match &self.by {
            By::Graph(graph, state) => step(&graph.0, &graph.1, RunState::clone(state), self.event()?, self.now)
                .map(|step| step.effects)
                .map_err(|error| error.to_string()),
            By::Plan(loaded, head) => {
                let mut loaded = Loaded { closed: self.closed.clone(), ..Loaded::clone(loaded) };
                loaded.run.state.ready_at = self.now;
                let Commit { consumed, cancelled, checkpoints, segments, open, undoing, end, .. } =
                    synthetic::plan::step(&loaded, head.as_ref()).ok_or("there is nothing to do")?;
                let checkpoints = checkpoints.into_iter().map(Arc::unwrap_or_clone).collect();
                Ok(Effects { consumed, cancelled, checkpoints, segments, open, undoing, end })
            }
        }
    }

    fn event(&self) -> Result<Event, String> {
        let (info, record) = (&self.run.info, &self.run.state);
        if record.status == RunStatus::Cancelling {
            return self.groups().map(Event::Cancelled);
        }
        let running = record.status == RunStatus::Running;
        if running && info.deadline.is_some_and(|deadline| deadline <= self.now) {
            return Ok(Event::DurationOver);
        }
        if record.superstep == 0 {
            return Ok(Event::Started);
        }
        self.groups().map(Event::Closed)
    }

    fn groups(&self) -> Result<Vec<ClosedGroup>, String> {
        let groups = self.closed.iter().map(|group| {
            let bodies = group.outcomes.iter().flatten();
            let outcomes = bodies.map(|body| body.as_ref().map(|body| serde_json::from_str(body)).transpose());
            let outcomes = outcomes.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
            Ok(ClosedGroup { info: group.info.clone(), state: group.state.clone(), outcomes, owed: Vec::new() })
        });
        groups.collect()
    }
}

/// The run's state from its records.
fn state_of(store: &MemoryStore, run: &Run) -> Result<RunState, String> {
    let (info, r#gen, own) = (&run.info, run.state.r#gen, run.state.head);
    let thread = at_once(store.thread(&info.thread))?.ok_or("there is no thread")?;
    let state = if own != Seq(0) {
        let (checkpoint, channels) = channels_at(store, info, own)?;
        RunState::restore(info, r#gen, &checkpoint, channels)
    } else if thread.head != Seq(0) {
        let (checkpoint, channels) = channels_at(store, info, thread.head)?;
        RunState::first(info, r#gen, Some((&checkpoint, channels)))
    } else {
        RunState::first(info, r#gen, None)
    };
    let state = state.map_err(|error| error.to_string())?;
    let used = if thread.used > state.head { thread.used } else { Seq(0) };
    Ok(RunState { used, ..state })
}

fn channels_at(store: &MemoryStore, info: &RunInfo, seq: Seq) -> Result<(Checkpoint, Channels), String> {
    let checkpoint =
        |seq| at_once(store.checkpoint(&info.thread, seq))?.ok_or_else(|| format!("checkpoint {seq} is missing"));
    let head = checkpoint(seq)?;
    let mut pieces = BTreeMap::new();
    for (channel, span) in &head.segments {
        pieces.insert(channel.clone(), at_once(store.segments(&info.thread, channel, *span))?);
    }
    let mut history = vec![head.clone()];
    while let Some(last) = history.last().filter(|last| !last.full && last.parent != Seq(0)) {
        history.push(checkpoint(last.parent)?);
    }
    history.reverse();
    Ok((head, Channels { values: Channels::values_of(&history), pieces }))
}

type Compiled = Arc<(Graph, Tools)>;

/// The graph a run is pinned to; `None` for runs that no graph leads.
fn compiled(store: &MemoryStore, info: &RunInfo) -> Result<Option<Compiled>, String> {
    static COMPILED: LazyLock<Mutex<BTreeMap<GraphHash, Compiled>>> = LazyLock::new(Mutex::default);
    if let Some(known) = COMPILED.lock().get(&info.graph) {
        return Ok(Some(known.clone()));
    }
    let Some(stored) = at_once(store.graph(&info.thread.tenant, info.graph))? else { return Ok(None) };
    let stored: serde_json::Value = serde_json::from_str(&stored.source).map_err(|error| error.to_string())?;
    let source = stored["source"].as_str().unwrap_or_default();
    let graph = parse_canonical(source).map_err(|problems| format!("{problems:?}"))?;
    let tools: Vec<ToolSpec> = serde_json::from_value(stored["tools"].clone()).map_err(|error| error.to_string())?;
    let tools = tools.into_iter().map(|tool| (tool.name.clone(), tool)).collect();
    let compiled = Arc::new((graph, tools));
    COMPILED.lock().insert(info.graph, compiled.clone());
    Ok(Some(compiled))
}
