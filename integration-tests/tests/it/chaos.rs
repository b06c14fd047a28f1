//! The quick forms of the fault drills, one after the other: they strike a whole cluster each,
//! and the machine is theirs. And drills without one check of the hand-over, which must fail.

use std::sync::{Mutex, PoisonError};

use baton_integration_tests::chaos::sabotage::Sabotage;
use baton_integration_tests::chaos::scenario::{Given, Scenario};
use baton_testbed::Rabbit;

/// The broker goes from one drill to the next.
static RABBIT: Mutex<Option<Rabbit>> = Mutex::new(None);

/// Faults strike when they strike: one drill may miss what is missing.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Plays a scenario; what promises it broke.
fn violations(scenario: Scenario, seed: u64, sabotage: Option<Sabotage>) -> Vec<String> {
    let mut rabbit = RABBIT.lock().unwrap_or_else(PoisonError::into_inner);
    let given = Given { seed, sabotage, rabbit: rabbit.take(), full: false };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match runtime.block_on(scenario.play(given)) {
        Ok((report, left)) => {
            println!("{}", report.table());
            *rabbit = left;
            report.violations
        }
        Err(error) => vec![format!("it did not come to its end: {error:#}")],
    }
}

fn holds(scenario: Scenario) {
    let violations = violations(scenario, 1, None);
    assert!(violations.is_empty(), "{scenario}: {violations:#?}");
}

/// Without a check a promise is broken, and one of a few drills sees it.
fn is_missed(sabotage: Sabotage) {
    let scenario = Scenario::that_misses(sabotage);
    let found = SEEDS.into_iter().any(|seed| !violations(scenario, seed, Some(sabotage)).is_empty());
    assert!(found, "{sabotage}: nothing was broken");
}

macro_rules! drills {
    ($($name:ident: $scenario:ident;)*) => {
        $(#[test]
        fn $name() {
            holds(Scenario::$scenario);
        })*
    };
}

drills! {
    t01_random_faults_on_everything_lose_and_double_nothing: Soak;
    t02_no_named_point_is_a_bad_place_to_fail: Points;
    t03_what_the_store_forgot_is_done_again_and_nothing_else: Forgetting;
    t04_a_job_far_longer_than_the_broker_waits_runs_once: LongJob;
    t05_a_long_queue_is_not_published_again: Backlog;
    t06_a_worker_that_comes_back_from_the_dead_breaks_nothing: Zombie;
    t07_a_question_that_many_answer_has_one_answer: DoubleClick;
    t08_a_broker_in_trouble_loses_nothing: Broker;
    t09_orchestrators_are_replaced_and_nobody_notices: Rolling;
    t10_many_jobs_and_large_values_hold_nobody_up: Wide;
    t11_a_promoted_replica_goes_on_from_what_it_has: Promotion;
    t12_each_fire_of_a_schedule_has_one_run: Schedules;
    t13_a_store_that_is_full_loses_nothing: Full;
    t14_half_open_connections_are_noticed: HalfOpen;
    t15_an_older_orchestrator_leaves_later_runs_alone: Versions;
    t16_a_slow_reader_is_told_what_it_missed: SlowReader;
    t17_forged_messages_have_no_effect: Forged;
    t19_a_single_kill_is_felt_for_seconds: Bounds;
    t20_wrong_clocks_change_nothing: Clocks;
}

macro_rules! sabotages {
    ($($name:ident: $sabotage:ident;)*) => {
        $(#[test]
        fn $name() {
            is_missed(Sabotage::$sabotage);
        })*
    };
}

sabotages! {
    without_the_version_check_a_drill_fails: NoCas;
    without_the_ready_entry_a_drill_fails: NoReady;
    without_the_sweeper_a_drill_fails: NoSweep;
    without_deduplication_a_drill_fails: NoDedup;
    without_the_digest_check_a_drill_fails: NoDigest;
    without_the_fence_check_a_drill_fails: NoFence;
}
