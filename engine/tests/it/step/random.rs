//! Whatever the order in which groups close, a run gives what a sequential interpreter gives.

use baton_common::records::RunStatus;
use baton_common::{Digest, GroupId};
use baton_engine::step::Event;
use serde_json::{Value, json};

use super::random_program::{Dice, Outcome, program, write, zeroes};
use super::world::World;

const PROGRAMS: u64 = 120;
const ORDERS: u64 = 3;
/// Set in the processes that only tell what they came to.
const TELL: &str = "BATON_TEST_TELL_BYTES";

#[test]
fn any_order_of_closings_gives_what_a_sequential_interpreter_gives() {
    let mut failed = 0;
    for seed in 1..=PROGRAMS {
        let program = program(&mut Dice::new(seed));
        let mut expected = Outcome::default();
        zeroes(&program, &mut expected.channels);
        expected.run(&program);
        let fails = expected.failed;
        failed += u64::from(fails);
        let text = write(&program);
        let expected = expected.output();
        for order in 0..ORDERS {
            let world = finish(&text, &mut Dice::new(seed * 1_000 + order));
            let end = world.end.unwrap_or_else(|| panic!("seed {seed}, order {order}: waits\n{text}"));
            if fails {
                let code = end.failure.as_ref().map(|failure| failure.failure.code.as_str());
                assert_eq!(code, Some("boom"), "seed {seed}, order {order}: {end:?}\n{text}");
            } else {
                assert_eq!(end.status, RunStatus::Succeeded, "seed {seed}, order {order}: {end:?}\n{text}");
                assert_eq!(end.output.map(sorted).as_ref(), Some(&expected), "seed {seed}, order {order}\n{text}");
            }
        }
    }
    assert!(failed > 0 && failed < PROGRAMS / 2, "{failed} of {PROGRAMS} programs fail");
}

#[test]
fn two_processes_give_equal_bytes() {
    if std::env::var_os(TELL).is_some() {
        let mut told = String::new();
        for seed in 1..=10 {
            let text = write(&program(&mut Dice::new(seed)));
            let world = finish(&text, &mut Dice::new(seed));
            told += &serde_json::to_string(&(&world.history, &world.pieces.values().collect::<Vec<_>>(), &world.end))
                .unwrap();
        }
        println!("told {}", Digest::of(told));
        return;
    }
    let tell = || {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "step::random::two_processes_give_equal_bytes", "--nocapture"]).env(TELL, "1");
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let told = output.lines().find_map(|line| line.split_once("told ").map(|(_, digest)| digest.to_owned()));
        told.unwrap_or_else(|| panic!("told nothing: {output}"))
    };
    assert_eq!(tell(), tell());
}

/// Runs a graph, closing random sets of what is open.
fn finish(text: &str, dice: &mut Dice) -> World {
    let mut world = World::started(text, json!({}));
    while world.end.is_none() {
        let open: Vec<GroupId> = world.open.keys().cloned().collect();
        assert!(!open.is_empty(), "nothing is open and nothing ended\n{text}");
        let mut chosen: Vec<GroupId> = open.iter().filter(|_| dice.below(3) == 0).cloned().collect();
        if chosen.is_empty() {
            chosen.push(open[dice.below(open.len() as u64) as usize].clone());
        }
        if dice.below(2) == 0 {
            chosen.reverse();
        }
        let closed = chosen.iter().map(|id| world.run_tasks(id)).collect();
        world.apply(Event::Closed(closed));
    }
    world
}

fn sorted(mut output: Value) -> Value {
    if let Some(Value::Array(log)) = output.get_mut("log") {
        log.sort_by_key(Value::as_i64);
    }
    output
}
