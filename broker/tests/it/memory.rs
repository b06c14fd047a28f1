//! The in-process broker: the suite, and its faults on purpose.

use std::sync::Arc;
use std::time::Duration;

use baton_broker::memory::{Fate, Memory, MemoryOptions};
use baton_broker::suite::{ack, consume, next, none_comes, number, numbered, publish_all};
use baton_broker::{Broker, Error, Message, Published};
use tokio::time::Instant;

async fn fresh() -> Memory {
    Memory::default()
}

baton_broker::broker_suite!(fresh);

#[tokio::test]
async fn a_message_that_comes_back_too_often_is_dead() {
    baton_broker::suite::a_message_that_comes_back_too_often_is_dead(&Memory::default()).await;
}

/// A broker that does to message number n what the list says.
fn faulty(fates: Vec<Fate>) -> Memory {
    let memory = Memory::default();
    memory.set_faults(Some(Arc::new(move |message: &Message| {
        let number: usize = String::from_utf8_lossy(&message.body).parse().unwrap();
        fates.get(number).cloned().unwrap_or_else(Fate::deliver)
    })));
    memory
}

async fn arrivals(memory: &Memory, count: usize) -> Vec<usize> {
    let mut consumer = consume(memory, "io.normal", 100).await;
    let mut numbers = Vec::new();
    for _ in 0..count {
        let delivery = next(&mut *consumer).await;
        numbers.push(number(&*delivery));
        ack(delivery).await;
    }
    none_comes(&mut *consumer).await;
    numbers
}

#[tokio::test(start_paused = true)]
async fn faults_lose_double_reorder_and_hide_as_told() {
    let unknown = || Published::Unknown("fault injected".to_owned());
    let memory = faulty(vec![
        Fate::deliver(),
        Fate::lose(),
        Fate::duplicate(),
        Fate::refuse(),
        Fate::unknown(),
        Fate::overtake(2),
        Fate::overtake(100),
    ]);
    let confirmed = || Published::Confirmed;
    assert_eq!(
        memory.publish(numbered("io.normal", 7)).await,
        [confirmed(), confirmed(), confirmed(), unknown(), unknown(), confirmed(), confirmed()]
    );
    assert_eq!(arrivals(&memory, 6).await, [6, 0, 2, 5, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_arrives_at_its_time_and_not_before() {
    let memory = faulty(vec![Fate::delay(5_000), Fate::delay(1_000)]);
    let start = Instant::now();
    publish_all(&memory, numbered("io.normal", 2)).await;
    let mut consumer = consume(&memory, "io.normal", 2).await;
    let first = next(&mut *consumer).await;
    assert_eq!((number(&*first), start.elapsed()), (1, Duration::from_millis(1_000)));
    let second = next(&mut *consumer).await;
    assert_eq!((number(&*second), start.elapsed()), (0, Duration::from_millis(5_000)));
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let memory = Memory::new(MemoryOptions { queue_length_max: 2, ..MemoryOptions::default() });
    let answers = memory.publish(numbered("io.low", 3)).await;
    assert_eq!(answers[..2], [Published::Confirmed, Published::Confirmed]);
    assert_eq!(answers[2], Published::Unknown("queue full".to_owned()));
}

#[tokio::test]
async fn a_deleted_queue_is_declared_anew_and_tells_by_the_incarnation() {
    let memory = Memory::default();
    let mut consumer = consume(&memory, "io.low", 1).await;
    for by in ["publisher", "depth", "consumer"] {
        let before = memory.incarnation();
        publish_all(&memory, numbered("io.low", 1)).await;
        assert!(memory.delete_queue("io.low"));
        match by {
            "publisher" => assert_eq!(memory.publish(numbered("io.low", 1)).await, [Published::Unroutable]),
            "depth" => assert_eq!(memory.depth("io.low").await, Ok(None)),
            _ => none_comes(&mut *consumer).await,
        }
        assert_eq!(memory.incarnation(), before + 1, "{by}");
        publish_all(&memory, numbered("io.low", 1)).await;
        ack(next(&mut *consumer).await).await;
    }
}

#[tokio::test]
async fn a_restart_returns_what_was_under_way_and_forgetting_loses_it() {
    let memory = Memory::default();
    publish_all(&memory, numbered("io.low", 2)).await;
    let mut consumer = consume(&memory, "io.low", 1).await;
    let held = next(&mut *consumer).await;
    memory.restart();
    assert_eq!(memory.incarnation(), 2);
    assert!(matches!(held.ack().await, Err(Error::Unavailable(_))));
    let again = next(&mut *consumer).await;
    assert!(again.redelivered() && number(&*again) == 0);
    memory.forget_everything();
    assert!(again.ack().await.is_err());
    assert_eq!(memory.incarnation(), 3);
    none_comes(&mut *consumer).await;
}

#[tokio::test]
async fn purging_empties_and_blocking_refuses() {
    let memory = Memory::default();
    publish_all(&memory, numbered("io.low", 3)).await;
    assert_eq!((memory.purge("io.low"), memory.purge("io.low")), (3, 0));
    memory.set_blocked(true);
    assert!(!memory.ready());
    assert!(matches!(memory.publish(numbered("io.low", 1)).await[..], [Published::Unknown(_)]));
    memory.set_blocked(false);
    assert!(memory.ready());
    publish_all(&memory, numbered("io.low", 1)).await;
}
