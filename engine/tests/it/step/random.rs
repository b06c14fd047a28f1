//! Whatever the order in which groups close, a run gives what a sequential interpreter gives.

use baton_common::Digest;
use baton_common::records::RunStatus;
use serde_json::Value;

use super::random_outcome::{Outcome, zeroes};
use super::random_program::{Dice, program, write};
use super::random_run::finish;

const PROGRAMS: u64 = 120;
const ORDERS: u64 = 3;
/// Set in the processes that only tell what they came to.
const TELL: &str = "BATON_TEST_TELL_BYTES";

#[test]
fn any_order_of_closings_gives_what_a_sequential_interpreter_gives() {
    let (mut failed, mut undone) = (0, 0);
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
            let what = format!("seed {seed}, order {order}");
            let (world, ledger) = finish(&text, &mut Dice::new(seed * 1_000 + order), None);
            let end = world.end.unwrap_or_else(|| panic!("{what}: waits\n{text}"));
            if fails {
                let code = end.failure.as_ref().map(|failure| failure.failure.code.as_str());
                assert_eq!(code, Some("boom"), "{what}: {end:?}\n{text}");
                ledger.check(&what);
                undone += ledger.undone.len();
            } else {
                assert_eq!(end.status, RunStatus::Succeeded, "{what}: {end:?}\n{text}");
                assert_eq!(end.output.map(sorted).as_ref(), Some(&expected), "{what}\n{text}");
                assert!(ledger.undone.is_empty());
            }
        }
    }
    assert!(failed > 0 && failed < PROGRAMS / 2, "{failed} of {PROGRAMS} programs fail");
    assert!(undone > 20, "{undone} compensations ran");
}

#[test]
fn a_cancel_at_any_moment_takes_back_what_was_done() {
    let (mut cancelled, mut undone) = (0, 0);
    for seed in 1..=PROGRAMS {
        let text = write(&program(&mut Dice::new(seed)));
        let (world, ledger) = finish(&text, &mut Dice::new(seed), Some(seed as usize % 7));
        let end = world.end.unwrap_or_else(|| panic!("seed {seed}: waits\n{text}"));
        if end.status == RunStatus::Cancelled {
            cancelled += 1;
            ledger.check(&format!("seed {seed}\n{text}"));
            undone += ledger.undone.len();
        }
    }
    assert!(cancelled > PROGRAMS / 4 && undone > 20, "{cancelled} cancelled, {undone} undone");
}

#[test]
fn two_processes_give_equal_bytes() {
    if std::env::var_os(TELL).is_some() {
        let mut told = String::new();
        for seed in 1..=10 {
            let text = write(&program(&mut Dice::new(seed)));
            let (world, _) = finish(&text, &mut Dice::new(seed), None);
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

fn sorted(mut output: Value) -> Value {
    if let Some(Value::Array(log)) = output.get_mut("log") {
        log.sort_by_key(Value::as_i64);
    }
    output
}
