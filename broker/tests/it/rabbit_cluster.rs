//! A RabbitMQ of several nodes, of which one dies: clients that know all of them move to a
//! living one.

use baton_broker::rabbit::{QueueType, Rabbit, RabbitOptions};
use baton_broker::suite::{ack, consume, eventually, next, numbered, publish_all, ready_becomes};
use baton_broker::{Broker as _, Published};
use baton_testbed as testbed;
use tokio::task::block_in_place;

use crate::load::Load;
use crate::rabbit::connect;
use crate::rabbit_faults::publish_again;

/// So many nodes of one cluster.
fn cluster(nodes: usize) -> Vec<testbed::Rabbit> {
    block_in_place(|| {
        let options = testbed::RabbitOptions::default();
        let mut all = vec![testbed::Rabbit::start(options.clone()).unwrap()];
        while all.len() < nodes {
            let node = all[0].join(&options).unwrap();
            // The first has the port mapper, and is dropped last.
            all.insert(1, node);
        }
        all.reverse();
        all
    })
}

async fn client(nodes: &[testbed::Rabbit], queue_type: QueueType, capability: &str) -> Rabbit {
    let nodes: Vec<&testbed::Rabbit> = nodes.iter().collect();
    let mut options = RabbitOptions::parse(&(testbed::Rabbit::cluster_url(&nodes, "/") + "?heartbeat=2")).unwrap();
    options.queue_type = queue_type;
    options.extra_queues = vec![capability.to_owned()];
    connect(options).await
}

/// A classic queue lies on one node. Without that node, what lies elsewhere goes on, and with
/// it what lay there comes back.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_the_living_one_serves_what_it_has() {
    let mut nodes = cluster(2);
    // Each queue lies on the node that was asked for it.
    client(&nodes[..1], QueueType::Classic, "cap.one").await.close().await;
    client(&nodes[1..], QueueType::Classic, "cap.two").await.close().await;
    let broker = client(&nodes, QueueType::Classic, "cap.two").await;
    publish_all(&broker, numbered("cap.one", 50)).await;
    publish_all(&broker, numbered("cap.two", 1)).await;
    let queues = ["cap.one".to_owned(), "cap.two".to_owned()];
    let mut consumer = broker.consume(&queues, 4).await.unwrap();
    let held = next(&mut *consumer).await;
    drop(held);

    block_in_place(|| nodes[0].kill_node());
    publish_again(&broker, "cap.two").await;
    eventually("the living queue is read", async || {
        let delivery = next(&mut *consumer).await;
        // Whose channel is gone comes again.
        delivery.queue() == "cap.two" && delivery.ack().await.is_ok()
    })
    .await;
    assert_ne!(broker.publish(numbered("cap.one", 1)).await, [Published::Confirmed], "its queue is away");
    // Who comes meanwhile may ask for it all the same.
    let late = client(&nodes, QueueType::Classic, "cap.two").await;
    let mut later = late.consume(&queues[..1], 1).await.unwrap();

    block_in_place(|| nodes[0].restart_node().unwrap());
    publish_again(&broker, "cap.one").await;
    eventually("what lay on the dead node is read", async || {
        let delivery = next(&mut *consumer).await;
        let back = delivery.queue() == "cap.one";
        delivery.ack().await.is_ok() && back
    })
    .await;
    ack(next(&mut *later).await).await;
}

/// A quorum queue lies on several nodes and needs most of them.
#[tokio::test(flavor = "multi_thread")]
async fn of_three_nodes_a_quorum_loses_nothing_with_one() {
    let mut nodes = cluster(3);
    // Its leaders are on the node that dies.
    client(&nodes[..1], QueueType::Quorum, "cap.one").await.close().await;
    let load = Load::start(client(&nodes, QueueType::Quorum, "cap.one").await, "io.normal").await;
    load.confirms(300).await;
    block_in_place(|| nodes[0].kill_node());
    load.confirms(300).await;
    load.end().await;
    let broker = client(&nodes[1..], QueueType::Quorum, "cap.one").await;
    let mut consumer = consume(&broker, "cap.one", 1).await;
    publish_all(&broker, numbered("cap.one", 1)).await;
    ack(next(&mut *consumer).await).await;
    ready_becomes(&broker, "cap.one", 0).await;
}
