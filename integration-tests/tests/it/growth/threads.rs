//! A thread of 200 turns of one 1 KB message: what it stores, and what its turns cost.

use std::collections::BTreeMap;

use baton_common::settings::Timings;
use serde_json::json;

use super::within;
use crate::rig::{Asks, CHAT, Kind, Rig, Work, stored, writes};

const TURNS: usize = 200;
/// Bytes of a message.
const MESSAGE: usize = 1_024;
/// The most that all of it may take, in bytes.
const STORED_MAX: u64 = 1_100_000;
/// Turns that are looked at together.
const WINDOW: usize = 10;

/// What was counted by then.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    /// Through both planes.
    work: Work,
    /// Of the server: commands that write, and bytes of its log.
    commands: u64,
    log: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_200_turns_costs_what_the_tenth_did() {
    for kind in Kind::ALL {
        // Nothing happens by the clock: what is counted is the turns.
        let never = 3_600_000;
        let quiet = Timings { tick_ms: never, idle_tick_ms: never, mark_after_ms: never, ..Timings::default() };
        let rig = Rig::with(kind, quiet).await;
        rig.apply(CHAT).await;
        let empty = held(&rig, kind);
        let mut counted = vec![Counted::default()];
        for turn in 0..TURNS {
            let text = message(turn);
            let asks = Asks { thread: Some("talk"), ..Asks::default() };
            let run = rig.submit("chat", json!({ "text": text }), asks).await;
            let reply = rig.output(run).await;
            assert_eq!(reply, json!({ "reply": format!("That was {}", 2 * turn + 1) }), "{kind:?}");
            counted.push(count(&rig));
        }
        let cost = |from: usize| {
            let (before, after) = (counted[from], counted[from + WINDOW]);
            let per = |before: u64, after: u64| (after - before) as f64 / WINDOW as f64;
            [
                per(before.work.calls, after.work.calls),
                per(before.work.bytes, after.work.bytes),
                per(before.commands, after.commands),
                per(before.log, after.log),
            ]
        };
        let (tenth, last) = (cost(10 - WINDOW / 2), cost(TURNS - WINDOW));
        println!("{kind:?}: calls, bytes, commands and log of a turn: {tenth:.0?} about the tenth, {last:.0?} at last");
        let same = tenth.iter().zip(last).all(|(before, after)| within(*before, after, 20.0));
        assert!(same, "{kind:?}: {tenth:?} about the tenth, {last:?} at last");
        if kind != Kind::Memory {
            let all = held(&rig, kind);
            let grown: BTreeMap<_, u64> = all
                .iter()
                .map(|(name, bytes)| (name.clone(), bytes.saturating_sub(empty.get(name).copied().unwrap_or_default())))
                .filter(|(_, bytes)| *bytes > 0)
                .collect();
            let sum: u64 = grown.values().sum();
            println!("{kind:?}: {sum} bytes: {grown:?}");
            assert!(sum <= STORED_MAX, "{kind:?}: {sum} bytes: {grown:?}");
        }
        rig.stop().await;
    }
}

/// A message of words that no store can shorten much.
fn message(turn: usize) -> String {
    let mut number = turn as u64 + 1;
    let letter = |_| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from(number >> 59).unwrap_or_default() % 26)
    };
    (0..MESSAGE).map(letter).collect()
}

/// Bytes that lie there now, by their kind.
fn held(rig: &Rig, kind: Kind) -> BTreeMap<String, u64> {
    if kind == Kind::Memory { BTreeMap::new() } else { stored(rig) }
}

fn count(rig: &Rig) -> Counted {
    let (commands, log) = rig.redis.as_ref().map_or((0, 0), |redis| (writes(redis), redis.aof_len().unwrap()));
    Counted { work: rig.meter.sum(), commands, log }
}
