//! One random program under one random order of closings, with everything that is promised
//! on the way: repeated events change nothing, a state that is taken up again opens what
//! was open, and what succeeded is taken back once and in order when the run fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::job::Outcome;
use baton_common::records::TaskKind;
use baton_common::{GroupId, Payload};
use baton_engine::step::{ClosedGroup, Error, Event};
use serde_json::{Value, json};

use super::random_program::Dice;
use super::world::World;

/// What may have to be taken back: when it ended, and what its compensation is told.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) successes: Vec<(usize, Value)>,
    /// The event at which the run turned back.
    pub(super) turned: Option<usize>,
    pub(super) undone: Vec<Value>,
}

/// Runs a graph to its end; a cancel is asked for at the given event.
pub(super) fn finish(text: &str, dice: &mut Dice, cancel_at: Option<usize>) -> (World, Ledger) {
    run(World::new(text, json!({})), dice, cancel_at)
}

fn run(mut world: World, dice: &mut Dice, cancel_at: Option<usize>) -> (World, Ledger) {
    let mut ledger = Ledger::default();
    world.apply(Event::Started);
    for event in 0.. {
        if world.end.is_some() {
            break;
        }
        check_resume(&world, dice);
        let is_cancel = cancel_at == Some(event) && ledger.turned.is_none();
        let open: Vec<GroupId> = world.open.keys().cloned().collect();
        assert!(!open.is_empty(), "nothing is open and nothing ended");
        let chosen = choose(&open, dice);
        let closed: Vec<ClosedGroup> = chosen.iter().map(|id| close(&world, id, dice)).collect();
        let closed: Vec<ClosedGroup> = if is_cancel { all(&world, closed) } else { closed };
        for group in &closed {
            note(&world, group, event, &mut ledger);
        }
        let happened = if is_cancel { Event::Cancelled(closed) } else { Event::Closed(closed) };
        world.apply(happened.clone());
        if world.last.as_ref().is_some_and(|last| last.effects.undoing) || world.end.is_some() {
            ledger.turned.get_or_insert(event);
        }
        if world.end.is_none() {
            assert!(
                matches!(world.step(happened), Err(Error::NotOpen { .. })),
                "a repeated event is told from a new one"
            );
        }
    }
    (world, ledger)
}

fn choose(open: &[GroupId], dice: &mut Dice) -> Vec<GroupId> {
    let mut chosen: Vec<GroupId> = open.iter().filter(|_| dice.below(3) == 0).cloned().collect();
    if chosen.is_empty() {
        chosen.push(open[dice.below(open.len() as u64) as usize].clone());
    }
    if dice.below(2) == 0 {
        chosen.reverse();
    }
    chosen
}

/// What a group comes to: its tools run, its children run in an order of their own.
fn close(world: &World, id: &GroupId, dice: &mut Dice) -> ClosedGroup {
    if world.open[id].info.kind != TaskKind::Child {
        return world.run_tasks(id);
    }
    let children: Vec<World> =
        (0..world.open[id].tasks.len()).map(|index| run(world.child(&id.to_string(), index), dice, None).0).collect();
    world.closed_child(id, &children.iter().collect::<Vec<_>>())
}

/// These, and all else that is open as cancelled.
fn all(world: &World, closed: Vec<ClosedGroup>) -> Vec<ClosedGroup> {
    let others = world.open.iter().filter(|(id, _)| closed.iter().all(|group| group.info.id != **id));
    let others = others.map(|(id, group)| world.closed(id, vec![None; group.tasks.len()]));
    let mut all: Vec<ClosedGroup> = others.collect();
    all.extend(closed);
    all
}

fn note(world: &World, group: &ClosedGroup, event: usize, ledger: &mut Ledger) {
    if group.info.undo {
        ledger.undone.push(world.args(&world.open[&group.info.id], 0)["of"].clone());
        return;
    }
    for left in group.owed.iter().flatten().flat_map(|left| left.as_array().unwrap()) {
        ledger.successes.push((event, left["args"]["of"].clone()));
    }
    if world.graph.nodes.get(&group.info.id.node).is_some_and(|node| node.undo.is_some()) {
        for outcome in group.outcomes.iter().flatten() {
            if let Outcome::Ok(Payload::Inline(value)) = outcome {
                ledger.successes.push((event, json!(format!("{} {}", group.info.id.node, value["v"]))));
            }
        }
    }
}

/// Now and then: a run that goes on from its head opens what is open, in equal bytes.
fn check_resume(world: &World, dice: &mut Dice) {
    if dice.below(8) > 0 || world.state.control.undo.is_some() {
        return;
    }
    let bases: BTreeMap<_, _> =
        world.state.bases().into_iter().map(|base| (base, Arc::new(world.load(base)))).collect();
    let made = world.step(Event::Resumed(bases)).unwrap();
    let opened: BTreeMap<_, _> = made.effects.open.iter().map(|group| (group.info.id.clone(), group.clone())).collect();
    assert_eq!(opened, world.open);
    assert_eq!(made.state, world.state);
}

impl Ledger {
    /// Every success was taken back once, the latest first; those that came with or after
    /// the failure count as one moment.
    pub(super) fn check(&self, what: &str) {
        let turned = self.turned.unwrap_or(usize::MAX);
        let mut moments: BTreeMap<usize, Vec<&Value>> = BTreeMap::new();
        for (event, value) in &self.successes {
            moments.entry((*event).min(turned)).or_default().push(value);
        }
        let mut undone = self.undone.iter();
        for (moment, mut expected) in moments.into_iter().rev() {
            let mut found: Vec<&Value> = undone.by_ref().take(expected.len()).collect();
            found.sort_by_key(|value| value.to_string());
            expected.sort_by_key(|value| value.to_string());
            assert_eq!(found, expected, "{what}, event {moment}");
        }
        assert_eq!(undone.next(), None, "{what}: nothing else is taken back");
    }
}
