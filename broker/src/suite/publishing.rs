//! Promises to those who publish.

use super::*;
use crate::{Error, Message, Published};

/// Confirmed means that a consumer gets it, whole and with its queue.
pub async fn a_routed_message_is_confirmed_and_arrives(broker: &dyn Broker) {
    assert!(broker.ready());
    let body: Vec<u8> = (0..=255).cycle().take(2_048).collect();
    let message =
        Message { queue: "io.normal".into(), id: "job-1".to_owned(), body: body.clone().into(), traceparent: None };
    publish_all(broker, vec![message]).await;
    let mut consumer = consume(broker, "io.normal", 1).await;
    let delivery = next(&mut *consumer).await;
    assert_eq!((&delivery.body()[..], delivery.queue(), delivery.redelivered()), (&body[..], "io.normal", false));
    ack(delivery).await;
}

/// A message says what it belongs to in a header, each time it is delivered; others say nothing.
pub async fn trace_context_travels_beside_the_body_and_comes_back_with_it(broker: &dyn Broker) {
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut messages = numbered("io.normal", 2);
    messages[1].traceparent = Some(context.to_owned());
    publish_all(broker, messages).await;
    let mut consumer = consume(broker, "io.normal", 1).await;
    let first = next(&mut *consumer).await;
    assert_eq!((number(&*first), first.traceparent()), (0, None));
    ack(first).await;
    for _ in 0..2 {
        let second = next(&mut *consumer).await;
        assert_eq!((number(&*second), second.traceparent()), (1, Some(context)));
        assert_eq!(second.give_back().await, Ok(()));
    }
}

/// Answers come in the order of the messages, one for each, in batches of every size.
pub async fn unroutable_messages_are_told_from_the_others(broker: &dyn Broker) {
    for size in [1, 2, 7, 500, 1_500] {
        let mut messages = numbered("io.low", size);
        let nowhere = |index: usize| index % 3 == 2;
        for (index, message) in messages.iter_mut().enumerate().filter(|(index, _)| nowhere(*index)) {
            message.queue = if index % 2 == 0 { "cap.missing".into() } else { "x".repeat(300).into() };
        }
        let answers = broker.publish(messages).await;
        let expect = |index| if nowhere(index) { Published::Unroutable } else { Published::Confirmed };
        assert_eq!(answers, (0..size).map(expect).collect::<Vec<_>>());
    }
    assert_eq!(broker.publish(Vec::new()).await, Vec::new());
}

/// A worker with a capability opens its queue by consuming from it.
pub async fn consuming_from_a_queue_makes_it_exist(broker: &dyn Broker) {
    assert_eq!(broker.publish(numbered("cap.gpu", 1)).await, vec![Published::Unroutable]);
    let incarnation = broker.incarnation();
    let mut consumer = consume(broker, "cap.gpu", 1).await;
    publish_all(broker, numbered("cap.gpu", 1)).await;
    ack(next(&mut *consumer).await).await;
    assert_eq!(broker.incarnation(), incarnation, "a new queue lost nothing");
}

/// Depth counts what no consumer has yet.
pub async fn depth_counts_what_waits_and_who_consumes(broker: &dyn Broker) {
    assert_eq!(broker.depth("cap.missing").await, Ok(None));
    publish_all(broker, numbered("cpu.high", 5)).await;
    ready_becomes(broker, "cpu.high", 5).await;
    let mut consumer = consume(broker, "cpu.high", 1).await;
    let delivery = next(&mut *consumer).await;
    ready_becomes(broker, "cpu.high", 4).await;
    consumers_become(broker, "cpu.high", 1).await;
    drop((delivery, consumer));
    ready_becomes(broker, "cpu.high", 5).await;
    consumers_become(broker, "cpu.high", 0).await;
}

/// After `close` nothing is taken, and waiting consumers learn of it.
pub async fn a_closed_broker_says_so(broker: &dyn Broker) {
    let mut consumer = consume(broker, "io.high", 1).await;
    let (waiting, ()) = tokio::join!(consumer.next(), broker.close());
    assert_eq!(waiting.err(), Some(Error::Closed));
    assert!(!broker.ready());
    assert!(matches!(broker.publish(numbered("io.high", 1)).await[..], [Published::Unknown(_)]));
    assert_eq!(broker.depth("io.high").await, Err(Error::Closed));
    assert!(broker.consume(&["io.high".to_owned()], 1).await.is_err());
}
