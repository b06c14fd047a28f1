//! What quorum and classic queues both go through: alarms, purges, deletion under a consumer,
//! a consumer that takes too long, a restart under load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_broker::rabbit::{QueueType, Rabbit, RabbitOptions};
use baton_broker::suite::{
    ack, consume, consumers_become, eventually, next, none_comes, numbered, publish_all, ready_becomes,
};
use baton_broker::{Broker as _, DEAD_QUEUE, Published};
use baton_testbed as testbed;
use tokio::task::spawn_blocking;

use crate::load::Load;
use crate::rabbit::{connect, options};
use crate::rabbit_faults::{channel, ctl, delete_queue, publish_again, restart};

/// A server of the test's own that looks twice a second whether a consumer took too long.
async fn impatient(seconds: u32, queue_type: QueueType) -> (Arc<testbed::Rabbit>, Rabbit) {
    let options = testbed::RabbitOptions {
        config: vec![format!("consumer_timeout = {}", 1_000 * seconds)],
        advanced: vec!["{rabbit, [{channel_tick_interval, 500}]}".to_owned()],
        ..testbed::RabbitOptions::default()
    };
    let server = spawn_blocking(|| testbed::Rabbit::start(options)).await.unwrap().unwrap();
    let broker = on(&server, queue_type).await;
    (Arc::new(server), broker)
}

async fn on(server: &testbed::Rabbit, queue_type: QueueType) -> Rabbit {
    let mut options = RabbitOptions::parse(&server.url("/")).unwrap();
    options.queue_type = queue_type;
    connect(options).await
}

async fn shared(queue_type: QueueType) -> (RabbitOptions, Rabbit) {
    let mut options = options().await;
    options.queue_type = queue_type;
    (options.clone(), connect(options).await)
}

/// Memory and disk: what is published is refused at once, what is consumed goes on.
async fn an_alarm_refuses_at_once_and_passes(queue_type: QueueType) {
    let (server, broker) = impatient(600, queue_type).await;
    let mut consumer = consume(&broker, "io.normal", 5).await;
    for (raise, clear) in [
        (&["set_vm_memory_high_watermark", "0.00001"], &["set_vm_memory_high_watermark", "0.6"]),
        (&["set_disk_free_limit", "1000000GB"], &["set_disk_free_limit", "1MB"]),
    ] {
        publish_all(&broker, numbered("io.normal", 2)).await;
        let held = next(&mut *consumer).await;
        ctl(&server, raise).await;
        // The broker says so at the next message; that one is answered then, not at the timeout.
        let start = Instant::now();
        eventually("blocked", async || {
            let _ = broker.publish(numbered("io.low", 1)).await;
            !broker.ready()
        })
        .await;
        assert!(start.elapsed() < Duration::from_secs(4), "{raise:?}: {:?}", start.elapsed());
        let start = Instant::now();
        let answers = broker.publish(numbered("io.low", 2_000)).await;
        assert!(answers.iter().all(|answer| *answer == Published::Unknown("broker blocked".to_owned())));
        assert!(start.elapsed() < Duration::from_millis(500));
        // Consuming and asking are not held up.
        ack(held).await;
        ack(next(&mut *consumer).await).await;
        broker.depth("io.low").await.unwrap();
        ctl(&server, clear).await;
        eventually("ready", async || broker.ready()).await;
        publish_again(&broker, "cpu.low").await;
    }
}

/// What a purge takes is gone, and nothing else: consumers hear what comes after it.
async fn a_purge_leaves_the_queue_as_it_was(queue_type: QueueType) {
    let (options, broker) = shared(queue_type).await;
    publish_all(&broker, numbered("cpu.normal", 30)).await;
    ready_becomes(&broker, "cpu.normal", 30).await;
    channel(&options).await.queue_purge("cpu.normal".into(), Default::default()).await.unwrap();
    let mut consumer = consume(&broker, "cpu.normal", 5).await;
    none_comes(&mut *consumer).await;
    publish_all(&broker, numbered("cpu.normal", 1)).await;
    ack(next(&mut *consumer).await).await;
    assert_eq!(broker.incarnation(), 1, "an empty queue is no evidence by itself");
}

/// The server cancels the consumers of a queue that is deleted.
async fn a_queue_deleted_under_a_consumer_comes_back(queue_type: QueueType) {
    let (options, broker) = shared(queue_type).await;
    let mut consumer = consume(&broker, "io.normal", 5).await;
    publish_all(&broker, numbered("io.normal", 1)).await;
    ack(next(&mut *consumer).await).await;
    let before = broker.incarnation();
    delete_queue(&options, "io.normal").await;
    eventually("noticed", async || broker.incarnation() == before + 1).await;
    consumers_become(&broker, "io.normal", 1).await;
    publish_again(&broker, "io.normal").await;
    ack(next(&mut *consumer).await).await;
}

/// Without the queue of dead letters nothing else stands still, and it comes back.
async fn a_deleted_queue_of_dead_letters_comes_back(queue_type: QueueType) {
    let (options, broker) = shared(queue_type).await;
    let mut dead = broker.consume_dead().await.unwrap();
    delete_queue(&options, DEAD_QUEUE).await;
    eventually("noticed", async || broker.incarnation() == 2).await;
    consumers_become(&broker, DEAD_QUEUE, 1).await;
    publish_all(&broker, numbered("io.high", 1)).await;
    let mut consumer = consume(&broker, "io.high", 1).await;
    next(&mut *consumer).await.reject().await.unwrap();
    ack(next(&mut *dead).await).await;
}

/// The server ends the channel of who holds a message for too long; it is delivered again.
async fn a_message_held_too_long_comes_again(queue_type: QueueType) {
    let (_server, broker) = impatient(1, queue_type).await;
    let mut consumer = consume(&broker, "io.normal", 5).await;
    publish_all(&broker, numbered("io.normal", 1)).await;
    let held = next(&mut *consumer).await;
    let again = next(&mut *consumer).await;
    assert!(again.redelivered());
    assert!(held.ack().await.is_err(), "its channel is over");
    ack(again).await;
    publish_all(&broker, numbered("io.normal", 1)).await;
    ack(next(&mut *consumer).await).await;
    ready_becomes(&broker, "io.normal", 0).await;
}

async fn a_restart_under_load_loses_nothing_that_was_confirmed(queue_type: QueueType) {
    let (server, broker) = impatient(600, queue_type).await;
    let load = Load::start(broker, "io.normal").await;
    load.confirms(500).await;
    let _server = restart(server).await;
    load.confirms(500).await;
    load.end().await;
}

macro_rules! both_types {
    ($($promise:ident),* $(,)?) => {
        mod quorum {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::QueueType::Quorum).await;
            })*
        }

        mod classic {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::QueueType::Classic).await;
            })*
        }
    };
}

both_types! {
    an_alarm_refuses_at_once_and_passes,
    a_purge_leaves_the_queue_as_it_was,
    a_queue_deleted_under_a_consumer_comes_back,
    a_deleted_queue_of_dead_letters_comes_back,
    a_message_held_too_long_comes_again,
    a_restart_under_load_loses_nothing_that_was_confirmed,
}
