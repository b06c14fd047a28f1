//! `cargo xtask simulate`: lives through many seeds and tells what they showed.
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use baton_integration_tests::simulator::{Sabotage, live};
use baton_store::machine::Guard;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, usual: u64| -> u64 {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)).and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let text = |name: &str| -> Option<&str> {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let sabotage = match text("--without") {
        None => Sabotage::None,
        Some("version") => Sabotage::Guard(Guard::Version),
        Some("ready") => Sabotage::Guard(Guard::Ready),
        Some("dedup") => Sabotage::Guard(Guard::Dedup),
        Some("digest") => Sabotage::Guard(Guard::Digest),
        Some("fence") => Sabotage::Guard(Guard::Fence),
        Some("sweep") => Sabotage::NoSweep,
        Some(other) => {
            println!("unknown guard {other}: version, ready, dedup, digest, fence or sweep");
            return ExitCode::from(2);
        }
    };
    let (from, seeds) = (number("--from", 0), number("--seeds", 1_000));
    let started = Instant::now();
    let mut census: BTreeMap<String, u64> = BTreeMap::new();
    let mut ended: BTreeMap<String, u64> = BTreeMap::new();
    let mut steps = 0;
    for seed in from..from + seeds {
        let report = live(seed, sabotage);
        steps += report.steps;
        report.census.into_iter().for_each(|(name, count)| *census.entry(name).or_default() += count);
        report.ended.into_iter().for_each(|(name, count)| *ended.entry(name).or_default() += count);
        if let Some(violation) = report.violation {
            println!("seed {seed}: {violation}");
            println!("again: cargo xtask simulate --from {seed} --seeds 1");
            return ExitCode::FAILURE;
        }
    }
    for (name, count) in &census {
        println!("{count:>10}  {name}");
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("seeds {from}..{}: {steps} transitions in {seconds:.1} s, runs ended {ended:?}", from + seeds);
    ExitCode::SUCCESS
}
