//! What RabbitMQ must go through: kills, lost queues and bindings, silence, limits. What both
//! types of queues go through is in `rabbit_types`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_broker::rabbit::{Rabbit, RabbitOptions};
use baton_broker::suite::{ack, consume, eventually, next, none_comes, number, numbered, publish_all, ready_becomes};
use baton_broker::{Broker, DEAD_QUEUE, Published};
use baton_testbed as testbed;
use tokio::task::spawn_blocking;

use crate::rabbit::{connect, options, server};

/// A server of the test's own, and a broker on it.
async fn own() -> (Arc<testbed::Rabbit>, Rabbit) {
    let start = || testbed::Rabbit::start(testbed::RabbitOptions::default());
    let server = spawn_blocking(start).await.unwrap().unwrap();
    let broker = connect(RabbitOptions::parse(&server.url("/")).unwrap()).await;
    (Arc::new(server), broker)
}

pub(crate) async fn ctl(server: &Arc<testbed::Rabbit>, args: &'static [&'static str]) -> String {
    let server = server.clone();
    spawn_blocking(move || server.ctl(args)).await.unwrap().unwrap()
}

pub(crate) async fn restart(mut server: Arc<testbed::Rabbit>) -> Arc<testbed::Rabbit> {
    let restart = move || {
        Arc::get_mut(&mut server).unwrap().restart().unwrap();
        server
    };
    spawn_blocking(restart).await.unwrap()
}

/// Publishes until the broker takes it again.
pub(crate) async fn publish_again(broker: &Rabbit, queue: &str) {
    let confirmed = [Published::Confirmed];
    eventually("publishing works again", async || broker.publish(numbered(queue, 1)).await == confirmed).await;
}

#[tokio::test]
async fn a_killed_broker_keeps_what_it_confirmed_and_consumers_come_back() {
    let (mut server, broker) = own().await;
    let mut consumer = consume(&broker, "io.normal", 5).await;
    publish_all(&broker, numbered("cpu.normal", 300)).await;
    publish_all(&broker, numbered("io.normal", 1)).await;
    let held = next(&mut *consumer).await;
    let before = broker.incarnation();

    Arc::get_mut(&mut server).unwrap().kill();
    eventually("the loss is noticed", async || !broker.ready()).await;
    let start = Instant::now();
    assert!(matches!(broker.publish(numbered("io.low", 1)).await[..], [Published::Unknown(_)]));
    assert!(start.elapsed() < Duration::from_millis(500), "nothing is kept for later");
    assert!(held.ack().await.is_err());

    let _server = restart(server).await;
    let again = next(&mut *consumer).await;
    assert!(again.redelivered());
    ack(again).await;
    eventually("ready", async || broker.ready()).await;
    assert!(broker.incarnation() > before);
    ready_becomes(&broker, "cpu.normal", 300).await;
    let mut other = consume(&broker, "cpu.normal", 50).await;
    let mut numbers = BTreeSet::new();
    for _ in 0..300 {
        let delivery = next(&mut *other).await;
        numbers.insert(number(&*delivery));
        ack(delivery).await;
    }
    assert_eq!(numbers, (0..300).collect());
    publish_all(&broker, numbered("io.normal", 1)).await;
    ack(next(&mut *consumer).await).await;
}

#[tokio::test]
async fn a_cut_connection_is_no_restart() {
    let (server, broker) = own().await;
    let mut consumer = consume(&broker, "io.normal", 1).await;
    let before = broker.incarnation();
    ctl(&server, &["close_all_connections", "test"]).await;
    publish_again(&broker, "io.normal").await;
    ack(next(&mut *consumer).await).await;
    assert_eq!(broker.incarnation(), before, "messages are where they were");
}

/// The driver keeps for ever what it is told just as its connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_waits_for_what_the_driver_was_told_as_its_connection_ended() {
    const ROUNDS: u32 = 20;
    const AT_ONCE: u16 = 64;
    let through = || {
        let (direct, port) = (server().url(&server().new_vhost().unwrap()), server().port());
        let proxy = testbed::Proxy::start(port).unwrap();
        let url = direct.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
        (proxy, url)
    };
    let (proxy, url) = spawn_blocking(through).await.unwrap();
    let mut options = RabbitOptions::parse(&url).unwrap();
    options.publish_channels = 1;
    let broker = Arc::new(connect(options).await);
    let mut consumer = consume(&*broker, "io.normal", AT_ONCE).await;
    for round in 0..ROUNDS {
        publish_again(&broker, "io.normal").await;
        publish_all(&*broker, numbered("io.normal", usize::from(AT_ONCE) - 1)).await;
        let mut deliveries = Vec::new();
        for _ in 0..AT_ONCE {
            deliveries.push(next(&mut *consumer).await);
        }
        let mut answers = tokio::task::JoinSet::new();
        for (index, delivery) in deliveries.into_iter().enumerate() {
            if index == usize::from(AT_ONCE) / 2 {
                proxy.cut();
            }
            let broker = broker.clone();
            answers.spawn(async move { tokio::join!(delivery.ack(), broker.publish(numbered("io.normal", 1))) });
        }
        let all = tokio::time::timeout(Duration::from_secs(10), answers.join_all()).await;
        assert!(all.is_ok(), "something is waited for in round {round}");
    }
}

#[tokio::test]
async fn a_broker_that_comes_late_is_found() {
    let (mut server, broker) = own().await;
    broker.close().await;
    Arc::get_mut(&mut server).unwrap().kill();
    let broker = Rabbit::start(RabbitOptions::parse(&server.url("/")).unwrap());
    assert!(!broker.ready());
    let _server = restart(server).await;
    publish_again(&broker, "io.normal").await;
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_given_up_in_time() {
    let (server, broker) = own().await;
    broker.close().await;
    let url = server.url("/") + "?heartbeat=2&confirm_timeout_ms=700";
    let impatient = connect(RabbitOptions::parse(&url).unwrap()).await;
    server.freeze().unwrap();
    let start = Instant::now();
    let answers = impatient.publish(numbered("io.normal", 10)).await;
    assert!(answers.iter().all(|answer| matches!(answer, Published::Unknown(_))));
    assert!((600..2_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    eventually("the dead peer is noticed", async || !impatient.ready()).await;
    server.thaw().unwrap();
    publish_again(&impatient, "io.normal").await;
}

/// Deleted and declared anew by somebody else at once, a quorum queue does not tell its
/// consumers: the broker lists them, and sends them nothing.
#[tokio::test]
async fn a_consumer_that_the_broker_forgot_subscribes_again() {
    let options = options().await;
    let broker = connect(options.clone()).await;
    let mut consumer = consume(&broker, "io.normal", 5).await;
    publish_all(&broker, numbered("io.normal", 1)).await;
    ack(next(&mut *consumer).await).await;
    delete_queue(&options, "io.normal").await;
    assert_eq!(broker.depth("io.normal").await, Ok(None));
    let mut heard = std::pin::pin!(next(&mut *consumer));
    eventually("the consumer hears again", async || {
        let published = broker.publish(numbered("io.normal", 1)).await == [Published::Confirmed];
        published && tokio::time::timeout(Duration::from_millis(500), &mut heard).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_queue_missed_by_a_publisher_or_by_depth_comes_back() {
    let options = options().await;
    let broker = connect(options.clone()).await;
    let before = broker.incarnation();
    delete_queue(&options, "io.low").await;
    assert_eq!(broker.publish(numbered("io.low", 1)).await, [Published::Unroutable]);
    publish_again(&broker, "io.low").await;
    assert_eq!(broker.incarnation(), before + 1);
    delete_queue(&options, "io.low").await;
    assert_eq!(broker.depth("io.low").await, Ok(None));
    assert_eq!(broker.incarnation(), before + 2);
    publish_all(&broker, numbered("io.low", 1)).await;
}

#[tokio::test]
async fn a_binding_that_was_removed_is_made_again() {
    let options = options().await;
    let broker = connect(options.clone()).await;
    let channel = channel(&options).await;
    let table = lapin::types::FieldTable::default();
    channel.queue_unbind("cpu.high".into(), "baton.jobs".into(), "cpu.high".into(), table).await.unwrap();
    assert_eq!(broker.publish(numbered("cpu.high", 1)).await, [Published::Unroutable]);
    publish_again(&broker, "cpu.high").await;
    assert_eq!(broker.incarnation(), 1, "the queue lost nothing");
}

#[tokio::test]
async fn dead_letters_of_the_delivery_limit_can_be_read() {
    let mut options = options().await;
    options.delivery_limit = 2;
    let broker = connect(options).await;
    publish_all(&broker, numbered("io.high", 1)).await;
    let mut consumer = consume(&broker, "io.high", 1).await;
    for _ in 0..3 {
        next(&mut *consumer).await.give_back().await.unwrap();
    }
    ready_becomes(&broker, DEAD_QUEUE, 1).await;
    let mut dead = broker.consume_dead().await.unwrap();
    ack(next(&mut *dead).await).await;
    none_comes(&mut *consumer).await;
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let mut options = options().await;
    options.queue_length_max = 5;
    let broker = connect(options).await;
    publish_all(&broker, numbered("io.high", 5)).await;
    // A quorum queue closes its doors a little after it is full.
    let refused = [Published::Unknown("refused by the broker".to_owned())];
    eventually("refused", async || broker.publish(numbered("io.high", 1)).await == refused).await;
}

/// A worker that pauses whenever it is full, and asks again with one slot free, does not
/// bring messages near the delivery limit.
#[tokio::test]
async fn workers_that_are_nearly_full_do_not_wear_messages_out() {
    let mut options = options().await;
    options.delivery_limit = 3;
    let broker = connect(options).await;
    publish_all(&broker, numbered("cpu.normal", 60)).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(consume(&broker, "cpu.normal", 2).await);
    }
    let mut numbers = BTreeSet::new();
    for turn in 0..60 {
        let worker = &mut workers[turn % 3];
        let delivery = next(&mut **worker).await;
        worker.pause().await.unwrap();
        numbers.insert(number(&*delivery));
        ack(delivery).await;
    }
    assert_eq!(numbers, (0..60).collect());
    ready_becomes(&broker, DEAD_QUEUE, 0).await;
}

#[tokio::test]
async fn one_hundred_publishers_at_once_all_get_their_own_answers() {
    let broker = Arc::new(connect(options().await).await);
    let publisher = |number: usize| {
        let broker = broker.clone();
        tokio::spawn(async move {
            let unroutable = number.is_multiple_of(4);
            let queue = if unroutable { "cap.missing" } else { "io.normal" };
            let expect = if unroutable { Published::Unroutable } else { Published::Confirmed };
            assert_eq!(broker.publish(numbered(queue, 20)).await, vec![expect; 20]);
        })
    };
    for publisher in (0..100).map(publisher).collect::<Vec<_>>() {
        publisher.await.unwrap();
    }
    ready_becomes(&*broker, "io.normal", 1_500).await;
}

#[tokio::test]
async fn a_graceful_end_leaves_only_what_is_durable() {
    let options = options().await;
    let broker = connect(options.clone()).await;
    publish_all(&broker, numbered("io.normal", 1)).await;
    broker.close().await;
    let vhost = options.vhost().to_owned();
    let left = move || server().ctl(&["list_exchanges", "-p", &vhost, "name"]).unwrap();
    let left = spawn_blocking(left).await.unwrap();
    assert!(left.contains("baton.jobs") && !left.contains("baton.boot"), "{left}");
}

pub(crate) async fn channel(options: &RabbitOptions) -> lapin::Channel {
    let port = server().port();
    let url = format!("amqp://guest:guest@127.0.0.1:{port}/{}", options.vhost());
    let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}

pub(crate) async fn delete_queue(options: &RabbitOptions, queue: &str) {
    channel(options).await.queue_delete(queue.into(), Default::default()).await.unwrap();
}
