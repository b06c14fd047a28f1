//! Random operation sequences, held against the machine: equal answers, equal rows.

use baton_common::settings::Timings;
use baton_common::transition::{Op, Reply};
use baton_common::{Partition, Timestamp};

use super::random::{self, Generator};
use super::{Subject, recount};
use crate::memory::MemoryStore;
use crate::{Counts, Error, Store as _};

/// The partition all operations lie in.
pub const PARTITION: Partition = Partition(17);

/// The timings of a differential run: short, so that times run out within a sequence.
#[must_use]
pub fn timings() -> Timings {
    Timings { retention_ms: 60_000, thread_retention_ms: 10_000, ..Timings::default().scaled(10) }
}

/// The timings of one seed: every other one with shares so small that much is left for later.
#[must_use]
pub fn timings_of(seed: u64) -> Timings {
    let share_max = if seed.is_multiple_of(2) { 3 } else { timings().share_max };
    Timings { share_max, ..timings() }
}

/// Makes `steps` random transitions on an empty subject (built with [`timings_of`] the seed) and on
/// the machine in memory, and compares each answer and, at the end, all rows.
///
/// # Panics
/// Where they differ, with the seed, the step and the operation.
pub async fn differential(subject: &dyn Subject, seed: u64, steps: usize) {
    let reference = MemoryStore::new(timings_of(seed));
    let mut generator = Generator::new(seed);
    let mut now = Timestamp(1_760_000_000_000);
    for step in 0..steps {
        now = now.plus_ms(generator.pause_ms());
        let op = generator.next_op(&reference, now).await;
        let expected = reference.apply_at(&op, now).expect("the machine in memory has no faults");
        let answer = match subject.apply_when(&op, now).await {
            Ok(answer) => answer,
            Err(error) => panic!("seed {seed}, step {step}, {op:?}: {error}"),
        };
        assert!(answer == expected, "seed {seed}, step {step}\n{op:?}\nexpected {expected:?}\nanswered {answer:?}");
        generator.learn(&op, &expected);
        if step % 16 == 15 || step + 1 == steps {
            compare_rows(subject, &reference, seed, step, &op).await;
        }
    }
}

/// How often each operation and answer occurred over so many sequences: a generator that
/// never reaches one tests nothing.
pub async fn census(seeds: std::ops::Range<u64>, steps: usize) -> std::collections::BTreeMap<String, u64> {
    let mut counts = std::collections::BTreeMap::new();
    for seed in seeds {
        let reference = MemoryStore::new(timings_of(seed));
        let mut generator = Generator::new(seed);
        let mut now = Timestamp(1_760_000_000_000);
        for step in 0..steps {
            now = now.plus_ms(generator.pause_ms());
            let op = generator.next_op(&reference, now).await;
            let reply = reference.apply_at(&op, now).expect("the machine in memory has no faults");
            *counts.entry(format!("{} {}", first_word(&op), answer_name(&reply))).or_default() += 1;
            for name in random::reached(&reply) {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
            generator.learn(&op, &reply);
            if step % 4 == 3 {
                let what = format!("seed {seed}, step {step}, {op:?}");
                for name in recount::recount(&reference, generator.runs(), &what).await {
                    *counts.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
    }
    counts
}

fn first_word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

fn answer_name(reply: &Reply) -> String {
    let text = format!("{reply:?}");
    let inner = text.split_once('(').map_or("", |(_, inner)| inner);
    inner.chars().take_while(char::is_ascii_alphanumeric).collect()
}

async fn compare_rows(subject: &dyn Subject, reference: &MemoryStore, seed: u64, step: usize, op: &Op) {
    let expected = reference.dump(PARTITION);
    let found = subject.rows(PARTITION).await.unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
    for (name, row) in &expected {
        match found.get(name) {
            Some(other) if other == row => {}
            other => panic!("seed {seed}, by step {step}, after {op:?}\nrow {name}\nexpected {row}\nfound {other:?}"),
        }
    }
    let counts = |counts: Result<Counts, Error>| counts.map(|counts| Counts { now: Timestamp(0), ..counts });
    let (wanted, counted) = (counts(reference.counts().await), counts(subject.counts().await));
    assert!(counted == wanted, "seed {seed}, by step {step}, after {op:?}\nexpected {wanted:?}\ncounted {counted:?}");
    // Events of a run that is gone may stay until a cap removes them.
    let gone = |name: &str| {
        let run = name.strip_prefix("event ").and_then(|rest| rest.split(' ').next());
        run.is_some_and(|run| !expected.contains_key(&format!("run {run} info")))
    };
    if let Some(extra) = found.keys().find(|name| !expected.contains_key(*name) && !gone(name)) {
        panic!("seed {seed}, by step {step}, after {op:?}\nrow {extra} should not be there: {}", found[extra]);
    }
}
