//! A hand in the broker's exchange: a copy of every message of a queue, and messages of
//! our own. What they mean is up to the tests.

use baton_integration_tests::cluster::Cluster;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const EXCHANGE: &str = "baton.jobs";
const COPIES: &str = "test.copies";

/// The hand.
pub(crate) struct Tap {
    _connection: Connection,
    channel: Channel,
    queue: String,
}

impl Tap {
    /// Copies what goes to that queue from now on.
    pub(crate) async fn on(cluster: &Cluster, queue: &str) -> Self {
        let connection = Connection::connect(&cluster.broker_url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { auto_delete: false, ..QueueDeclareOptions::default() };
        channel.queue_declare(COPIES.into(), options, FieldTable::default()).await.unwrap();
        channel
            .queue_bind(
                COPIES.into(),
                EXCHANGE.into(),
                queue.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        Self { _connection: connection, channel, queue: queue.to_owned() }
    }

    /// The next copy, if there is one.
    pub(crate) async fn copy(&self) -> Option<Vec<u8>> {
        let options = BasicGetOptions { no_ack: true };
        let message = self.channel.basic_get(COPIES.into(), options).await.unwrap()?;
        Some(message.delivery.data)
    }

    /// A message as anybody at the broker can send it.
    pub(crate) async fn send(&self, body: &[u8]) {
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sent = self.channel.basic_publish(EXCHANGE.into(), self.queue.as_str().into(), options, body, properties);
        sent.await.unwrap().await.unwrap();
    }
}
