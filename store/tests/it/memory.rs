//! The memory adapter against the suite, and the suite against itself.

use baton_store::MemoryStore;
use baton_store::suite::{conformance, differential, meters};

/// Answers that random operations must reach, and what tails lead to.
const WANTED: &[&str] = &[
    "Submit Accepted",
    "Submit Queued",
    "Submit Exists",
    "Submit Conflict",
    "Submit Busy",
    "Advance Advanced",
    "Advance Already",
    "Advance Terminal",
    "Advance Conflict",
    "Advance Incomplete",
    "Claim Granted",
    "Claim Unknown",
    "Claim RunTerminal",
    "Claim Stale",
    "Claim Done",
    "Claim Busy",
    "Claim OutcomeUnknown",
    "Claim Poison",
    "Record Ok",
    "Record Retry",
    "Record Duplicate",
    "Record Stale",
    "Record StaleFence",
    "Record RunTerminal",
    "Record Unknown",
    "Expire Kept",
    "Expire Again",
    "Expire OutcomeUnknown",
    "Expire Ended",
    "Answer Ok",
    "Answer Already",
    "Answer Conflict",
    "Answer Expired",
    "Answer Withdrawn",
    "Answer Unknown",
    "Cancel Cancelling",
    "Cancel Already",
    "Cancel Terminal",
    "Cancel Unknown",
    "Fire Kept",
    "Fire Fired",
    "Stage true",
    "Stage false",
    "Mark true",
    "Mark false",
    "Republish true",
    "Recheck true",
    "Recheck false",
    "Record Parked",
    "Signal Kept",
    "Signal Already",
    "Signal Unknown",
    "Deliver Taken",
    "Deliver Gone",
    "Heard true",
    "Heard false",
    "Force true",
    "Force false",
    "Edit Edited",
    "Edit Already",
    "Edit Conflict",
    "Edit Unknown",
    "Retry Retried",
    "Retry Already",
    "Retry Busy",
    "Retry Refused",
    "Retry Unknown",
    "Repin Repinned",
    "Repin Already",
    "Repin Conflict",
    "Repin Terminal",
    "Repin Unknown",
    "Reserve Free",
    "Reserve Done",
    "Reserve Busy",
    "KeepSchedule Kept",
    "KeepSchedule Already",
    "KeepSchedule Conflict",
    "Settle true",
    "Settle false",
    "a tail releases a job",
    "a tail releases several jobs",
    "a tail closes a group",
    "a tail starts a child",
    "an advance starts a child",
    "a child's end is recorded",
    "a queued run has its turn",
    "something is left of a group",
    "ends are left to be followed",
    "Gc true",
    "Gc false",
    "Park true",
    "Unpark true",
    "Dead Done",
    "Dead Refused",
    "Extend true",
    "Extend false",
];

#[tokio::test]
async fn keeps_the_promises() {
    conformance::all(&MemoryStore::new(differential::timings())).await;
}

/// A differential test whose operations never get past the first check shows nothing.
#[tokio::test]
async fn random_operations_reach_every_answer() {
    let census = differential::census(0..400, 300).await;
    for (name, count) in &census {
        println!("{count:>8} {name}");
    }
    let missing: Vec<&str> = WANTED.iter().copied().filter(|name| !census.contains_key(*name)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

#[tokio::test]
async fn meters_do_what_they_promise() {
    meters::meters(&MemoryStore::new(differential::timings())).await;
}
