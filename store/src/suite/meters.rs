//! What every adapter's meters must do: short stories, and random acts held against
//! [`MeterRow`], which states them.

use std::collections::BTreeMap;

use baton_common::Timestamp;
use baton_common::ids::TenantId;
use baton_common::records::{Beyond, Quota, QuotaLimit, QuotaScope};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::{MeterAct, MeterLimit, MeterRow, MeterSeen, Metered, Store};

const START: Timestamp = Timestamp(1_760_000_000_000);

/// The stories.
pub async fn meters(store: &dyn Store) {
    quotas_are_kept_by_owner_and_name(store).await;
    no_more_are_held_than_allowed(store).await;
    a_rate_has_bursts_and_gives_turns(store).await;
    a_budget_is_spent_by_what_is_settled(store).await;
    where_many_wait_each_asks_less_often(store).await;
}

async fn quotas_are_kept_by_owner_and_name(store: &dyn Store) {
    let quota = |owner: &str, name: &str, most| Quota {
        owner: TenantId::parse(owner).unwrap(),
        name: name.to_owned(),
        scope: QuotaScope::default(),
        limit: QuotaLimit::Concurrency { most },
        beyond: Beyond::Wait,
        serial: format!("{owner}-{name}"),
        set_at: START,
    };
    for each in [quota("b", "x", 1), quota("a", "x", 2), quota("a", "x", 3)] {
        store.put_quota(each).await.unwrap();
    }
    assert_eq!(store.quotas().await.unwrap(), [quota("a", "x", 3), quota("b", "x", 1)]);
    let owner = TenantId::parse("a").unwrap();
    assert!(store.remove_quota(&owner, "x").await.unwrap());
    assert!(!store.remove_quota(&owner, "x").await.unwrap());
    assert_eq!(store.quotas().await.unwrap(), [quota("b", "x", 1)]);
    store.remove_quota(&TenantId::parse("b").unwrap(), "x").await.unwrap();
}

async fn take(store: &dyn Store, meter: &str, holder: &str, limit: MeterLimit, at: Timestamp) -> Metered {
    let (holder, waiter) = (holder.to_owned(), holder.to_owned());
    let act = MeterAct::Take { holder, waiter, limit, lease_ms: 1_000, jitter: 0 };
    store.meter(meter, act, Some(at)).await.unwrap()
}

async fn settle(store: &dyn Store, meter: &str, holder: &str, used: u64, at: Timestamp) -> bool {
    let act = MeterAct::Settle { holder: holder.to_owned(), used };
    store.meter(meter, act, Some(at)).await.unwrap() == Metered::Changed(true)
}

async fn look(store: &dyn Store, meter: &str, waiter: &str, at: Timestamp) -> MeterSeen {
    let act = MeterAct::Look { waiter: Some(waiter.to_owned()), holders: 10, beyond: 0 };
    match store.meter(meter, act, Some(at)).await.unwrap() {
        Metered::Seen(seen) => seen,
        other => panic!("a look answered {other:?}"),
    }
}

async fn no_more_are_held_than_allowed(store: &dyn Store) {
    let (meter, limit) = ("story-held", MeterLimit::Held { most: 2 });
    for holder in ["a@1", "b@1", "a@1"] {
        assert_eq!(take(store, meter, holder, limit, START).await, Metered::Taken, "{holder}");
    }
    let Metered::Full(at) = take(store, meter, "c@1", limit, START).await else { panic!("a third was let in") };
    let Metered::Full(later) = take(store, meter, "d@1", limit, START).await else { panic!("a fourth was let in") };
    assert!(START < at && at < later, "each waits for a turn of its own");
    let seen = look(store, meter, "c@1", START).await;
    assert_eq!((seen.held, seen.waiting, seen.waits_until), (2, 2, Some(at)));
    assert_eq!(seen.holders, ["a@1", "b@1"]);
    assert!(settle(store, meter, "a@1", 0, START).await);
    assert!(!settle(store, meter, "a@1", 0, START).await, "it gives back what it held once");
    assert_eq!(take(store, meter, "c@1", limit, START).await, Metered::Taken);
    // Nobody gives back for a worker that is gone: the lease's end does.
    let over = START.plus_ms(1_000);
    assert_eq!(take(store, meter, "d@1", limit, over).await, Metered::Taken);
    let prolong = MeterAct::Prolong { holder: "d@1".to_owned(), lease_ms: 5_000 };
    store.meter(meter, prolong, Some(over)).await.unwrap();
    assert_eq!(look(store, meter, "d@1", over.plus_ms(4_000)).await.held, 1);
}

async fn a_rate_has_bursts_and_gives_turns(store: &dyn Store) {
    let (meter, limit) = ("story-rate", MeterLimit::Rate { most: 10, per_ms: 1_000, burst: 3 });
    for holder in ["1", "2", "3"] {
        assert_eq!(take(store, meter, holder, limit, START).await, Metered::Taken);
    }
    assert_eq!(take(store, meter, "4", limit, START).await, Metered::Full(START.plus_ms(100)));
    assert_eq!(take(store, meter, "5", limit, START).await, Metered::Full(START.plus_ms(200)));
    assert_eq!(take(store, meter, "4", limit, START.plus_ms(100)).await, Metered::Taken);
    assert_eq!(take(store, meter, "5", limit, START.plus_ms(200)).await, Metered::Taken);
    let undo = MeterAct::Undo { holder: "5".to_owned(), limit };
    assert_eq!(store.meter(meter, undo, Some(START.plus_ms(200))).await.unwrap(), Metered::Changed(true));
    assert_eq!(take(store, meter, "6", limit, START.plus_ms(200)).await, Metered::Taken, "it was given back");
}

async fn a_budget_is_spent_by_what_is_settled(store: &dyn Store) {
    let (meter, until) = ("story-budget", START.plus_ms(10_000));
    let limit = MeterLimit::Budget { most: 100, from: START, until };
    assert_eq!(take(store, meter, "a", limit, START).await, Metered::Taken);
    assert!(settle(store, meter, "a", 40, START).await);
    assert_eq!(take(store, meter, "b", limit, START).await, Metered::Taken);
    assert_eq!(take(store, meter, "c", limit, START).await, Metered::Taken);
    // 40 are spent, and two are under way that will use as much.
    assert_eq!(take(store, meter, "d", limit, START).await, Metered::Full(until));
    assert!(settle(store, meter, "b", 70, START.plus_ms(5_000)).await, "what is used counts after the lease too");
    assert_eq!(look(store, meter, "d", START).await.used, 110);
    assert_eq!(take(store, meter, "d", limit, until).await, Metered::Taken, "the next period begins anew");
}

async fn where_many_wait_each_asks_less_often(store: &dyn Store) {
    let (limit, mut row) = (MeterLimit::Rate { most: 0, per_ms: 1_000, burst: 1 }, MeterRow::default());
    let mut last = START;
    for job in 0..650 {
        let (holder, waiter) = (format!("{job}@1"), job.to_string());
        let act = MeterAct::Take { holder, waiter, limit, lease_ms: 1_000, jitter: u16::MAX };
        let given = store.meter("story-many", act.clone(), Some(START)).await.unwrap();
        assert_eq!(given, row.act(&act, START), "job {job}");
        let Metered::Full(at) = given else { panic!("job {job} was let in") };
        assert!(last <= at, "job {job}");
        last = at;
    }
    assert_eq!(last, START.plus_ms(32_449), "649 were waiting");
}

/// Random acts, answered as [`MeterRow`] answers them.
pub async fn differential(store: &dyn Store, seed: u64, acts: u32) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut rows = BTreeMap::<String, MeterRow>::new();
    let mut now = START;
    for number in 0..acts {
        now = now.plus_ms(rng.random_range(0..400));
        let kind = rng.random_range(0..3);
        let meter = format!("random-{seed}-{kind}");
        let limit = match kind {
            0 => MeterLimit::Held { most: rng.random_range(0..4) },
            1 => MeterLimit::Rate { most: rng.random_range(0..7), per_ms: 1_000, burst: rng.random_range(1..4) },
            _ => {
                let from = Timestamp(now.0 / 20_000 * 20_000);
                MeterLimit::Budget { most: rng.random_range(0..300), from, until: from.plus_ms(20_000) }
            }
        };
        let waiter = format!("job-{}", rng.random_range(0..8));
        let holder = format!("{waiter}@{}", rng.random_range(0..2));
        let lease_ms = rng.random_range(1..2_000);
        let act = match rng.random_range(0..10) {
            0..5 => MeterAct::Take { holder, waiter, limit, lease_ms, jitter: rng.random() },
            5..7 => MeterAct::Settle { holder, used: rng.random_range(0..60) },
            7 => MeterAct::Prolong { holder, lease_ms },
            8 => MeterAct::Undo { holder, limit },
            _ => {
                let waiter = rng.random_bool(0.5).then_some(waiter);
                MeterAct::Look { waiter, holders: 3, beyond: rng.random_range(0..2) }
            }
        };
        let wanted = rows.entry(meter.clone()).or_default().act(&act, now);
        let given = store.meter(&meter, act.clone(), Some(now)).await.unwrap();
        assert_eq!(given, wanted, "seed {seed}, act {number}: {act:?} at {now}");
    }
}
