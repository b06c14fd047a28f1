//! What happens to messages: lost, doubled, late, overtaken, refused, unconfirmed. And a
//! broker that a dead process can no longer reach.

use std::sync::Arc;

use async_trait::async_trait;
use baton_broker::memory::{Fate, Faults, Memory};
use baton_broker::{Broker, Consumer, Depth, Error, Message, Published};

use super::chaos::Chaos;
use super::gate::Gate;

/// Decides the fate of each message.
pub(super) struct MessageFaults(pub(super) Arc<Chaos>);

impl Faults for MessageFaults {
    fn fate(&self, _message: &Message) -> Fate {
        let chaos = &self.0;
        if chaos.strikes("message lost", 25.0) {
            Fate::lose()
        } else if chaos.strikes("message doubled", 40.0) {
            Fate::duplicate()
        } else if chaos.strikes("message late", 40.0) {
            Fate::delay(chaos.below(6_000))
        } else if chaos.strikes("message overtakes", 40.0) {
            Fate::overtake(3)
        } else if chaos.strikes("message refused", 20.0) {
            Fate::refuse()
        } else if chaos.strikes("confirm lost", 20.0) {
            Fate::unknown()
        } else {
            Fate::deliver()
        }
    }
}

/// The broker as one process reaches it.
pub(super) struct GatedBroker {
    pub(super) broker: Memory,
    pub(super) gate: Arc<Gate>,
    pub(super) chaos: Arc<Chaos>,
}

#[async_trait]
impl Broker for GatedBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Published> {
        self.gate.pass().await;
        tokio::time::sleep(std::time::Duration::from_millis(self.chaos.below(3))).await;
        if self.chaos.strikes("crash before publish", 4.0) {
            self.gate.die();
        }
        self.gate.pass().await;
        let published = self.broker.publish(messages).await;
        if self.chaos.strikes("crash before mark", 4.0) {
            self.gate.die();
        }
        self.gate.pass().await;
        published
    }

    async fn consume(&self, queues: &[String], prefetch: u16) -> Result<Box<dyn Consumer>, Error> {
        self.gate.pass().await;
        self.broker.consume(queues, prefetch).await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Consumer>, Error> {
        self.gate.pass().await;
        self.broker.consume_dead().await
    }

    async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error> {
        self.gate.pass().await;
        self.broker.depth(queue).await
    }

    fn incarnation(&self) -> u64 {
        self.broker.incarnation()
    }

    fn ready(&self) -> bool {
        self.broker.ready()
    }

    async fn close(&self) {}
}
