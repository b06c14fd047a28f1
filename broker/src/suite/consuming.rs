//! Promises to those who consume.

use std::collections::BTreeSet;

use super::*;

/// An acknowledgement is final.
pub async fn an_acknowledged_message_is_gone(broker: &dyn Broker) {
    publish_all(broker, numbered("io.high", 2)).await;
    let mut consumer = consume(broker, "io.high", 2).await;
    ack(next(&mut *consumer).await).await;
    ack(next(&mut *consumer).await).await;
    drop(consumer);
    consumers_become(broker, "io.high", 0).await;
    none_comes(&mut *consume(broker, "io.high", 2).await).await;
}

/// What is given back comes again, and says so.
pub async fn a_message_given_back_comes_again(broker: &dyn Broker) {
    publish_all(broker, numbered("io.high", 1)).await;
    let mut consumer = consume(broker, "io.high", 1).await;
    let delivery = next(&mut *consumer).await;
    assert!(!delivery.redelivered());
    assert_eq!(delivery.give_back().await, Ok(()));
    let again = next(&mut *consumer).await;
    assert!(again.redelivered());
    ack(again).await;
}

/// Whoever had it is gone, and its consumer is not: it comes again, and takes no room meanwhile.
pub async fn a_delivery_that_is_dropped_comes_again(broker: &dyn Broker) {
    publish_all(broker, numbered("cpu.normal", 2)).await;
    let mut consumer = consume(broker, "cpu.normal", 1).await;
    let mut numbers = BTreeSet::new();
    for round in 0..4 {
        let delivery = next(&mut *consumer).await;
        if round < 2 {
            drop(delivery);
        } else {
            numbers.insert(number(&*delivery));
            ack(delivery).await;
        }
    }
    assert_eq!(numbers, BTreeSet::from([0, 1]));
    none_comes(&mut *consumer).await;
    ready_becomes(broker, "cpu.normal", 0).await;
}

/// What cannot be read lies with the dead letters, and only there.
pub async fn a_rejected_message_is_a_dead_letter(broker: &dyn Broker) {
    publish_all(broker, numbered("io.low", 1)).await;
    let mut consumer = consume(broker, "io.low", 1).await;
    assert_eq!(next(&mut *consumer).await.reject().await, Ok(()));
    let mut dead = match broker.consume_dead().await {
        Ok(dead) => dead,
        Err(error) => panic!("no consumer: {error}"),
    };
    let letter = next(&mut *dead).await;
    assert_eq!((&letter.body()[..], letter.queue()), (&b"0"[..], crate::DEAD_QUEUE));
    ack(letter).await;
    none_comes(&mut *consumer).await;
    none_comes(&mut *dead).await;
}

/// As with a worker that dies: whatever it did with its deliveries.
pub async fn a_dropped_consumer_gives_back_what_it_had(broker: &dyn Broker) {
    publish_all(broker, numbered("cpu.low", 4)).await;
    let mut consumer = consume(broker, "cpu.low", 4).await;
    let held = next(&mut *consumer).await;
    let also = next(&mut *consumer).await;
    ack(next(&mut *consumer).await).await;
    drop(consumer);
    ready_becomes(broker, "cpu.low", 3).await;
    assert!(held.ack().await.is_err(), "its message belongs to somebody else by now");
    drop(also);
    let mut other = consume(broker, "cpu.low", 4).await;
    let mut numbers = BTreeSet::new();
    for _ in 0..3 {
        let delivery = next(&mut *other).await;
        numbers.insert(number(&*delivery));
        ack(delivery).await;
    }
    assert_eq!(numbers, BTreeSet::from([0, 1, 3]));
    none_comes(&mut *other).await;
}

/// The broker keeps what a consumer may not have yet, for others to take.
pub async fn prefetch_bounds_what_is_under_way(broker: &dyn Broker) {
    publish_all(broker, numbered("io.normal", 10)).await;
    let mut consumer = consume(broker, "io.normal", 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut *consumer).await);
    }
    none_comes(&mut *consumer).await;
    ready_becomes(broker, "io.normal", 7).await;
    if let Some(delivery) = held.pop() {
        ack(delivery).await;
    }
    ack(next(&mut *consumer).await).await;
}

/// A full worker keeps what it works on and nothing else.
pub async fn a_pause_gives_back_what_was_prefetched(broker: &dyn Broker) {
    publish_all(broker, numbered("io.normal", 6)).await;
    let mut consumer = consume(broker, "io.normal", 6).await;
    let held = next(&mut *consumer).await;
    assert_eq!(consumer.pause().await, Ok(()));
    assert_eq!(consumer.pause().await, Ok(()), "a second pause changes nothing");
    ready_becomes(broker, "io.normal", 5).await;
    let mut peer = consume(broker, "io.normal", 6).await;
    let mut seen = BTreeSet::from([number(&*held)]);
    for _ in 0..5 {
        let delivery = next(&mut *peer).await;
        assert!(seen.insert(number(&*delivery)), "given back once");
        ack(delivery).await;
    }
    ack(held).await;
    // A quorum queue counts a cancelled consumer until its last message is answered.
    consumers_become(broker, "io.normal", 1).await;
    drop((consumer, peer));
    consumers_become(broker, "io.normal", 0).await;
    ready_becomes(broker, "io.normal", 0).await;
}

/// Asking for a message ends a pause, whether one waits already or comes later.
pub async fn a_paused_consumer_resumes(broker: &dyn Broker) {
    let mut consumer = consume(broker, "cpu.normal", 2).await;
    for waits_already in [true, false, true] {
        assert_eq!(consumer.pause().await, Ok(()));
        if !waits_already {
            none_comes(&mut *consumer).await;
        }
        publish_all(broker, numbered("cpu.normal", 7)).await;
        let mut numbers = BTreeSet::new();
        for _ in 0..7 {
            let delivery = next(&mut *consumer).await;
            numbers.insert(number(&*delivery));
            ack(delivery).await;
        }
        assert_eq!(numbers, (0..7).collect());
    }
}

/// Two consumers get every message between them, and both get some.
pub async fn competing_consumers_share(broker: &dyn Broker) {
    let mut one = consume(broker, "io.normal", 1).await;
    let mut two = consume(broker, "io.normal", 1).await;
    publish_all(broker, numbered("io.normal", 20)).await;
    let mut numbers = Vec::new();
    for _ in 0..10 {
        let (first, second) = tokio::join!(next(&mut *one), next(&mut *two));
        numbers.extend([number(&*first), number(&*second)]);
        ack(first).await;
        ack(second).await;
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

/// Dropping the future of `next` at any moment leaves the message for the next call.
pub async fn giving_up_waiting_loses_nothing(broker: &dyn Broker) {
    let mut consumer = consume(broker, "io.high", 3).await;
    let mut numbers = BTreeSet::new();
    let publish = publish_all(broker, numbered("io.high", 50));
    let gather = async {
        let deadline = Instant::now() + PATIENCE;
        while numbers.len() < 50 && Instant::now() < deadline {
            if let Ok(Ok(delivery)) = timeout(Duration::from_micros(200), consumer.next()).await {
                numbers.insert(number(&*delivery));
                ack(delivery).await;
            }
        }
    };
    tokio::join!(publish, gather);
    assert_eq!(numbers, (0..50).collect());
}

/// A long queue does not keep a consumer from its other queues.
pub async fn no_queue_of_a_consumer_starves(broker: &dyn Broker) {
    let queues = ["io.high", "io.normal", "io.low"].map(str::to_owned);
    for queue in &queues {
        publish_all(broker, numbered(queue, 60)).await;
    }
    let mut consumer = match broker.consume(&queues, 12).await {
        Ok(consumer) => consumer,
        Err(error) => panic!("no consumer: {error}"),
    };
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let delivery = next(&mut *consumer).await;
        seen.insert(delivery.queue().to_owned());
        ack(delivery).await;
    }
    assert_eq!(seen, BTreeSet::from(queues));
}

/// A message that comes back over and over is dead in the end. Quorum queues promise it,
/// classic ones do not.
pub async fn a_message_that_comes_back_too_often_is_dead(broker: &dyn Broker) {
    publish_all(broker, numbered("cpu.high", 1)).await;
    let mut consumer = consume(broker, "cpu.high", 1).await;
    for _ in 0..=crate::DELIVERY_LIMIT {
        assert_eq!(next(&mut *consumer).await.give_back().await, Ok(()));
    }
    none_comes(&mut *consumer).await;
    ready_becomes(broker, crate::DEAD_QUEUE, 1).await;
}
