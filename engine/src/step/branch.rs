//! The common supersteps: one local node or one computed call ended, or the run begins, and
//! nothing else is open.
//!
//! They come out as [`super::superstep`] has them, which does whatever is not as plain and
//! all that goes wrong: nothing is changed here before it is known to go well.

use baton_common::job::Outcome;
use baton_common::{GroupId, NodePath, Payload};
use serde_json::Value;

use super::activate::{Activated, Place};
use super::advance::Surroundings;
use super::delta::Delta;
use super::outcomes::{Ended, How};
use super::save::save;
use super::scope::at_head;
use super::superstep::{Made, Turn, enter, then};
use super::{Error, checkpoint, limits};
use crate::expr::Scope;
use crate::graph::{Node, Work};
use crate::state::{Control, Open, RunState};

/// Advances a run by one superstep, if it is of that kind.
///
/// # Errors
/// When the graph lacks a node it names.
pub(super) fn plain(around: &Surroundings<'_>, state: &mut RunState, turn: &Turn) -> Result<Option<Made>, Error> {
    #[cfg(test)]
    if around.none_is_plain {
        return Ok(None);
    }
    if turn.delta.touched().next().is_some() || !is_alone(&state.control, turn.ended.first().map(|ended| &ended.id)) {
        return Ok(None);
    }
    let (delta, to) = match (turn.ended.as_slice(), turn.arrivals.as_slice()) {
        ([], [start]) => (Delta::default(), Some(start)),
        ([ended], []) => match folded(around, state, ended)? {
            Some(folded) => folded,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let next = to.map(|to| around.node(to)).transpose()?;
    if let Some(next) = next {
        state.control.steps += 1;
        if next.join.is_some() || limits::check(&around.graph.limits, &state.control).is_err() {
            state.control.steps -= 1;
            return Ok(None);
        }
    }
    state.control.open.clear();
    let draft = if around.is_private {
        checkpoint::apply(state, delta);
        None
    } else {
        Some(checkpoint::write(around.graph, state, delta))
    };
    let mut made = Made { draft, ..Made::default() };
    if let Some(next) = next {
        activate(around, state, next, turn.pauses, &mut made);
    }
    Ok(Some(made))
}

/// Activates the node a branch goes on to. What ends at once is noted as open only where
/// somebody may see it.
fn activate(around: &Surroundings<'_>, state: &mut RunState, node: &Node, pauses: bool, made: &mut Made) {
    let activation = state.control.activations.next(around.graph.known().place(&node.path), &node.path);
    let id = GroupId { node: node.path.clone(), activation };
    let mut open = Open::at(state.head);
    let activated = if matches!(node.work, Work::Local) && node.each.is_none() && !pauses {
        Activated::GoesOn(None)
    } else {
        let place = Place { around, run: state, values: &state.values, hash: state.hash, pauses };
        place.activate(node, &id, &mut open)
    };
    match activated {
        Activated::GoesOn(None) if around.is_private => made.ended.push(Ended { id, how: How::Inline }),
        Activated::Computed(outcomes) if around.is_private && node.each.is_none() => {
            made.ended.push(Ended { id, how: How::Computed(outcomes) });
        }
        activated => made.add(enter(&mut state.control, id, open, activated)),
    }
}

type Folded<'g> = (Delta, Option<&'g NodePath>);

/// What an activation that ended writes, and the one node its branch goes to, if to any.
fn folded<'g>(around: &Surroundings<'g>, state: &RunState, ended: &Ended) -> Result<Option<Folded<'g>>, Error> {
    let node = around.node(&ended.id.node)?;
    let Some(output) = output_of(node, &ended.how) else { return Ok(None) };
    let graph = around.graph;
    let values = at_head(graph, &state.values, &graph.known().reads(&node.path).at_fold);
    let scope = Scope { output, ..around.base.scope(&values) };
    let mut delta = Delta { is_private: around.is_private, ..Delta::default() };
    let Ok(seen) = save((graph, &around.base), node, &scope, &state.values, &mut delta) else { return Ok(None) };
    let nodes = if seen.is_empty() {
        then(node, &scope)
    } else {
        then(node, &Scope { state: Some(&values.with(&seen)), ..scope })
    };
    Ok(match nodes {
        Ok([]) => Some((delta, None)),
        Ok([to]) => Some((delta, Some(to))),
        _ => None,
    })
}

/// The output of a local node, which has none, or of a call that was computed and owes
/// nothing; `None` for all else.
fn output_of<'a>(node: &Node, how: &'a How) -> Option<Option<&'a Value>> {
    if node.each.is_some() || node.undo.is_some() {
        return None;
    }
    match (&node.work, how) {
        (Work::Local, How::Inline) => Some(None),
        (Work::Graph(_), How::Computed(outcomes)) => match (outcomes.all.as_slice(), outcomes.owed.as_slice()) {
            ([Some(Outcome::Ok(Payload::Inline(output)))], [None]) => Some(Some(output)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether nobody else is active or waits, and this one was activated as it comes.
fn is_alone(control: &Control, id: Option<&GroupId>) -> bool {
    let as_it_comes = |(own, open): (&GroupId, &Open)| {
        let plain = open.kept.is_empty() && open.late.is_empty() && open.failed.is_empty();
        Some(own) == id && plain && open.approval.is_none()
    };
    let nobody_waits = control.arrived.is_empty() && control.late.is_empty();
    nobody_waits && control.open.len() <= 1 && control.open.iter().all(as_it_comes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use baton_common::records::RunInfo;
    use baton_common::tool::Priority;
    use baton_common::{Actor, Digest, Gen, RunId, TenantId, ThreadId, ThreadKey, Timestamp};
    use serde_json::json;

    use super::super::advance::Advance;
    use super::*;
    use crate::spec;

    /// A loop over a call of a graph that branches, joins and may fail; then an end of many kinds.
    const GRAPH: &str = "baton: 1
graph: plain
input: { turns: integer, end: string }
output: { n: state.n, log: state.log, kept: state.kept }
limits: { steps: 60 }
state:
  n: { type: integer, reduce: sum, default: 5 }
  log: { type: array, reduce: append, default: [first] }
  kept: { type: object, reduce: merge }
  last: { type: string, reduce: last }
start: begin
nodes:
  begin: { save: { kept: \"{'a': input.turns}\", last: \"'x'\" }, then: call }
  call:
    graph: { name: inner, args: { n: '{{ state.n }}', end: '{{ input.end }}' } }
    save: { n: '1', log: output, last: 'null' }
    on_error: caught
    then: [ { when: state.n < 5 + input.turns, to: call }, { when: input.end == 'fork', to: [left, right] }, { when: input.end == 'none', to: end }, { when: input.end == 'unmatched', to: after }, { fail: 'no {{ state.n }}' } ]
  caught: { save: { log: \"'caught'\" }, then: end }
  left: { save: { log: state.log }, then: both }
  right: { save: { kept: \"{'b': 1}\" }, then: both }
  both: { join: all, save: { log: \"'joined'\" }, then: end }
  after: { save: { n: state.n / (state.n - state.n) }, then: end }
graphs:
  inner:
    baton: 1
    graph: inner
    input: { n: integer, end: string }
    output: { n: state.m }
    state: { m: integer, run: string }
    start: [one]
    nodes:
      one: { save: { m: input.n * 2 }, then: [ { when: input.end == 'broken' && state.m > 12, fail: broken }, { to: two } ] }
      two: { save: { run: run.id }, then: end }
";

    fn ends(end: &str, is_private: bool, none_is_plain: bool) -> super::super::Step {
        let graph = spec::parse(&spec::Source::new("plain.yaml".to_owned(), GRAPH.to_owned()))
            .unwrap_or_else(|why| panic!("{why:?}"));
        let thread = ThreadKey { tenant: TenantId::local(), thread: ThreadId::parse("t").unwrap() };
        let info = RunInfo {
            id: "001-6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse::<RunId>().unwrap(),
            thread,
            actor: Actor::local(),
            graph: graph.hash,
            graph_name: graph.name.clone(),
            request: None,
            body_digest: Digest::default(),
            reader: 1,
            deadline: None,
            priority: Priority::Normal,
            traceparent: None,
            input: json!({"turns": if end == "limit" { 100 } else { 4 }, "end": end}).to_string(),
            parent: None,
            record: false,
            parallel: None,
            before: Vec::new(),
        };
        let state = RunState::first(&info, Gen(0), None).unwrap();
        let tools = BTreeMap::new();
        let mut advance = if is_private {
            Advance::private(&graph, &tools, state, Timestamp(7))
        } else {
            Advance::new(&graph, &tools, state, Timestamp(7))
        };
        advance.around.none_is_plain = none_is_plain;
        advance.start().unwrap()
    }

    #[test]
    fn a_common_superstep_comes_out_as_any_other() {
        for end in ["none", "fork", "fail", "unmatched", "broken", "limit"] {
            let (plain, general) = (ends(end, false, false), ends(end, false, true));
            assert_eq!(plain, general, "{end}");
            assert!(plain.effects.checkpoints.len() > 2, "{end}");
            let texts = |step: &super::super::Step| serde_json::to_string(&step.effects.checkpoints).unwrap();
            assert_eq!(texts(&plain), texts(&general), "{end}");
            let private = ends(end, true, false);
            assert_eq!(private.effects.end, general.effects.end, "{end}");
            assert!(private.effects.checkpoints.is_empty(), "{end}");
        }
    }
}
