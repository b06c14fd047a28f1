//! What every broker keeps, said once: each adapter's tests run all of it.
//!
//! Each promise takes a fresh broker with empty queues. What only one adapter promises is
//! left to that adapter's tests.

mod consuming;
mod publishing;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

pub use self::consuming::*;
pub use self::publishing::*;
use crate::{Broker, Consumer, Delivery, Message, Published};

/// How long a thing that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Long enough for a message that must not come to have come.
pub const QUIET: Duration = Duration::from_millis(300);

/// One test for each promise, over brokers that the given async function makes.
#[macro_export]
macro_rules! broker_suite {
    ($make:path) => {
        $crate::broker_suite!(@tests $make:
            a_routed_message_is_confirmed_and_arrives,
            trace_context_travels_beside_the_body_and_comes_back_with_it,
            unroutable_messages_are_told_from_the_others,
            consuming_from_a_queue_makes_it_exist,
            depth_counts_what_waits_and_who_consumes,
            a_closed_broker_says_so,
            an_acknowledged_message_is_gone,
            a_message_given_back_comes_again,
            a_delivery_that_is_dropped_comes_again,
            a_rejected_message_is_a_dead_letter,
            a_dropped_consumer_gives_back_what_it_had,
            prefetch_bounds_what_is_under_way,
            a_pause_gives_back_what_was_prefetched,
            a_paused_consumer_resumes,
            competing_consumers_share,
            giving_up_waiting_loses_nothing,
            no_queue_of_a_consumer_starves,
        );
    };
    (@tests $make:path: $($promise:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let broker = $make().await;
                $crate::suite::$promise(&broker).await;
                $crate::Broker::close(&broker).await;
            }
        )*
    };
}

/// Messages `0..count` for a queue; the body is the number.
pub fn numbered(queue: &str, count: usize) -> Vec<Message> {
    let message = |number: usize| {
        let text = number.to_string();
        Message { queue: queue.into(), id: format!("job-{text}"), body: text.into_bytes().into(), traceparent: None }
    };
    (0..count).map(message).collect()
}

/// Publishes messages that must be confirmed.
pub async fn publish_all(broker: &dyn Broker, messages: Vec<Message>) {
    let count = messages.len();
    assert_eq!(broker.publish(messages).await, vec![Published::Confirmed; count]);
}

/// Consumes from one queue.
pub async fn consume(broker: &dyn Broker, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
    match broker.consume(&[queue.to_owned()], prefetch).await {
        Ok(consumer) => consumer,
        Err(error) => panic!("no consumer: {error}"),
    }
}

/// The next message, which must come.
pub async fn next(consumer: &mut dyn Consumer) -> Box<dyn Delivery> {
    match timeout(PATIENCE, consumer.next()).await {
        Ok(Ok(delivery)) => delivery,
        Ok(Err(error)) => panic!("no message: {error}"),
        Err(_) => panic!("no message within {PATIENCE:?}"),
    }
}

/// No message must come for a while.
pub async fn none_comes(consumer: &mut dyn Consumer) {
    if let Ok(Ok(delivery)) = timeout(QUIET, consumer.next()).await {
        panic!("a message came from {}: {:?}", delivery.queue(), String::from_utf8_lossy(delivery.body()));
    }
}

/// The number in a delivery's body.
pub fn number(delivery: &dyn Delivery) -> usize {
    match String::from_utf8_lossy(delivery.body()).parse() {
        Ok(number) => number,
        Err(error) => panic!("not a number: {error}"),
    }
}

/// Acknowledges, which must succeed.
pub async fn ack(delivery: Box<dyn Delivery>) {
    assert_eq!(delivery.ack().await, Ok(()));
}

/// Asks until the answer is yes, or fails with what was awaited.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until so many messages wait in a queue.
pub async fn ready_becomes(broker: &dyn Broker, queue: &str, count: u64) {
    let what = format!("{count} messages wait in {queue}");
    eventually(&what, async || matches!(broker.depth(queue).await, Ok(Some(depth)) if depth.ready == count)).await;
}

/// Waits until a queue has so many consumers.
pub async fn consumers_become(broker: &dyn Broker, queue: &str, count: u64) {
    let what = format!("{queue} has {count} consumers");
    eventually(&what, async || matches!(broker.depth(queue).await, Ok(Some(depth)) if depth.consumers == count)).await;
}
