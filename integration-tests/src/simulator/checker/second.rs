//! I18: every advance that counts is computed a second time, by another process so to say:
//! from the records alone, by no cache. The bytes must be the same. That finds as well an
//! advance computed from a state that is not the run's.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use baton_common::commit::Commit;
use baton_common::records::{Checkpoint, Run, RunInfo, RunStatus};
use baton_common::tool::ToolSpec;
use baton_common::transition::{AdvanceAnswer, Op, Reply};
use baton_common::{GraphHash, Seq, Timestamp};
use baton_engine::graph::Graph;
use baton_engine::spec::parse_canonical;
use baton_engine::state::{Channels, RunState};
use baton_engine::step::{ClosedGroup, Event, Step, Tools, step};
use baton_store::{MemoryStore, Reader, Registry, RunDetail};
use parking_lot::Mutex;

use super::{Made, Verdict, at_once};

/// The step as computed here, where there is a graph to compute it by.
pub(super) type Second = Option<Result<Box<Step>, String>>;

/// Computes an advance that may count from what the store holds before it.
pub(super) fn compute(store: &MemoryStore, op: &Op, before: Option<&RunDetail>) -> Second {
    let (Op::Advance(commit), Some(before)) = (op, before) else { return None };
    let state = &before.run.state;
    if state.status.is_terminal() || state.ver != commit.seen || state.last_op == Some(commit.op) {
        return None;
    }
    compiled(store, &before.run.info)
        .transpose()
        .map(|graph| graph.and_then(|graph| step_of(store, commit, before, &graph)))
}

/// Compares it with what was committed.
pub(super) fn judge(made: &Made<'_>, second: Second) -> Verdict {
    let (Op::Advance(commit), Reply::Advance(AdvanceAnswer::Advanced { .. })) = (made.op, made.reply) else {
        return Ok(());
    };
    let Some(second) = second else { return Ok(()) };
    let step = second.map_err(|why| format!("I18: the advance cannot be computed again: {why}"))?;
    let effects = &step.effects;
    let differs = [
        ("consumed groups", effects.consumed != commit.consumed),
        ("cancelled groups", effects.cancelled != commit.cancelled),
        ("checkpoints", effects.checkpoints != commit.checkpoints),
        ("segments", effects.segments != commit.segments),
        ("end", effects.end != commit.end),
        ("open groups", !same_groups(&step, commit)),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((what, _)) => Err(format!("I18: one advance, two bytes: its {what}\ncomputed again: {effects:?}")),
    }
}

/// Tasks of wide groups come in ahead: their place in the advance is empty.
fn same_groups(step: &Step, commit: &Commit) -> bool {
    let ours = &step.effects.open;
    ours.len() == commit.open.len()
        && ours.iter().zip(&commit.open).all(|(ours, theirs)| {
            ours.info == theirs.info && (theirs.tasks.is_empty() && commit.staged > 0 || ours.tasks == theirs.tasks)
        })
}

fn step_of(
    store: &MemoryStore,
    commit: &Commit,
    before: &RunDetail,
    graph: &(Graph, Tools),
) -> Result<Box<Step>, String> {
    let (run, record) = (&before.run, &before.run.state);
    let now = commit.checkpoints.first().map_or(record.ready_at, |checkpoint| checkpoint.at);
    let event = event_of(store, commit, before, now)?;
    let state = state_of(store, run)?;
    step(&graph.0, &graph.1, state, event, now).map(Box::new).map_err(|error| error.to_string())
}

fn event_of(store: &MemoryStore, commit: &Commit, before: &RunDetail, now: Timestamp) -> Result<Event, String> {
    let (info, record) = (&before.run.info, &before.run.state);
    if record.status == RunStatus::Cancelling {
        return Ok(Event::Cancelled(Vec::new()));
    }
    if info.deadline.is_some_and(|deadline| deadline <= now) {
        return Ok(Event::DurationOver);
    }
    if record.superstep == 0 {
        return Ok(Event::Started);
    }
    let closed = at_once(store.load(info.id))?.map(|loaded| loaded.closed).unwrap_or_default();
    let consumed = closed.into_iter().filter(|group| commit.consumed.contains(&group.info.id));
    let groups: Result<Vec<_>, String> = consumed
        .map(|group| {
            let bodies = group.outcomes.unwrap_or_default().into_iter();
            let outcomes = bodies.map(|body| body.map(|body| serde_json::from_str(&body)).transpose());
            let outcomes = outcomes.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
            Ok(ClosedGroup { info: group.info, state: group.state, outcomes, owed: Vec::new() })
        })
        .collect();
    Ok(Event::Closed(groups?))
}

/// The run's state from its records.
fn state_of(store: &MemoryStore, run: &Run) -> Result<RunState, String> {
    let (info, r#gen, own) = (&run.info, run.state.r#gen, run.state.head);
    let thread = at_once(store.thread(&info.thread))?.ok_or("there is no thread")?;
    let state = if own != Seq(0) {
        let (checkpoint, channels) = read(store, info, own)?;
        RunState::restore(info, r#gen, &checkpoint, channels)
    } else if thread.head != Seq(0) {
        let (checkpoint, channels) = read(store, info, thread.head)?;
        RunState::first(info, r#gen, Some((&checkpoint, channels)))
    } else {
        RunState::first(info, r#gen, None)
    };
    state.map_err(|error| error.to_string())
}

fn read(store: &MemoryStore, info: &RunInfo, seq: Seq) -> Result<(Checkpoint, Channels), String> {
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
