//! Seeds of the simulator: many lives without a violation, and each guard is missed.

use std::collections::BTreeMap;

use baton_integration_tests::simulator::{Report, Sabotage, live};
use baton_store::machine::Guard;

/// Lives of a test run; `cargo xtask simulate` lives through more.
const SEEDS: u64 = 2_000;

/// Lives seeds on as many threads as there are cores, in any order, and gives their reports.
fn lives(seeds: std::ops::Range<u64>, sabotage: Sabotage, until_broken: bool) -> Vec<Report> {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let found = std::sync::Mutex::new(Vec::new());
    let broken = std::sync::atomic::AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                use std::sync::atomic::Ordering::SeqCst;
                loop {
                    let seed = next.fetch_add(1, SeqCst);
                    if seed >= seeds.end || (until_broken && broken.load(SeqCst)) {
                        return;
                    }
                    let report = live(seed, sabotage);
                    broken.fetch_or(report.violation.is_some(), SeqCst);
                    found.lock().unwrap().push(report);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
fn no_seed_breaks_an_invariant() {
    let reports = lives(0..SEEDS, Sabotage::None, true);
    let mut census: BTreeMap<String, u64> = BTreeMap::new();
    for report in &reports {
        if let Some(violation) = &report.violation {
            panic!("seed {}: {violation}\nagain: cargo xtask simulate --from {} --seeds 1", report.seed, report.seed);
        }
        report.census.iter().for_each(|(name, count)| *census.entry(name.clone()).or_default() += count);
    }
    for (name, count) in &census {
        println!("{count:>9}  {name}");
    }
    let wanted = include_str!("census.txt").lines().map(str::trim).filter(|line| !line.is_empty());
    let missing: Vec<&str> = wanted.filter(|name| !census.contains_key(*name)).collect();
    assert!(missing.is_empty(), "never happened in {SEEDS} lives: {missing:#?}");
}

#[test]
fn one_seed_is_one_life() {
    for seed in [3, 11, 42] {
        let (first, second) = (live(seed, Sabotage::None), live(seed, Sabotage::None));
        assert_eq!((first.steps, first.digest), (second.steps, second.digest), "seed {seed}");
    }
}

fn is_missed(sabotage: Sabotage) {
    let reports = lives(0..2_000, sabotage, true);
    let broken = reports.iter().find_map(|report| report.violation.as_ref().map(|text| (report.seed, text)));
    let Some((seed, violation)) = broken else { panic!("{} lives without {sabotage:?}: nothing broke", reports.len()) };
    let line = violation.lines().next().unwrap_or_default();
    println!("without {sabotage:?}: found in {} lives, seed {seed}: {line}", reports.len());
}

#[test]
fn a_missing_version_check_is_found() {
    is_missed(Sabotage::Guard(Guard::Version));
}

#[test]
fn a_missing_ready_mark_is_found() {
    is_missed(Sabotage::Guard(Guard::Ready));
}

#[test]
fn a_missing_sweeper_is_found() {
    is_missed(Sabotage::NoSweep);
}

#[test]
fn missing_deduplication_is_found() {
    is_missed(Sabotage::Guard(Guard::Dedup));
}

#[test]
fn a_missing_digest_check_is_found() {
    is_missed(Sabotage::Guard(Guard::Digest));
}

#[test]
fn a_missing_fence_check_is_found() {
    is_missed(Sabotage::Guard(Guard::Fence));
}
