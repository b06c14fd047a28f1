//! A load on one queue: messages with numbers, published and consumed all the time. What was
//! confirmed must arrive.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use baton_broker::rabbit::Rabbit;
use baton_broker::suite::{consume, eventually, number};
use baton_broker::{Broker as _, Message, Published};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Messages published at a time.
const BATCH: usize = 10;

#[derive(Default)]
struct Seen {
    confirmed: BTreeSet<usize>,
    arrived: BTreeSet<usize>,
}

/// A load that goes on until it is ended.
pub(crate) struct Load {
    seen: Arc<Mutex<Seen>>,
    enough: CancellationToken,
    publisher: JoinHandle<()>,
    consumer: JoinHandle<()>,
}

impl Load {
    /// Starts publishing to a queue and consuming from it.
    pub(crate) async fn start(broker: Rabbit, queue: &'static str) -> Self {
        let (broker, seen, enough) = (Arc::new(broker), Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let mut consumer = consume(&*broker, queue, 20).await;
        let publisher = tokio::spawn({
            let (seen, enough) = (seen.clone(), enough.clone());
            async move {
                for first in (0..).step_by(BATCH) {
                    if enough.is_cancelled() {
                        break;
                    }
                    let answers = broker.publish(batch(queue, first)).await;
                    let confirmed = (first..).zip(answers).filter(|(_, answer)| *answer == Published::Confirmed);
                    let confirmed: Vec<usize> = confirmed.map(|(number, _)| number).collect();
                    if confirmed.is_empty() {
                        // As a sweeper, which does not ask all the time.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    seen.lock().confirmed.extend(confirmed);
                }
                // The consumer needs it to its end.
                std::future::pending::<()>().await;
            }
        });
        let consumer = tokio::spawn({
            let seen = seen.clone();
            async move {
                while let Ok(delivery) = consumer.next().await {
                    seen.lock().arrived.insert(number(&*delivery));
                    // Whose channel is gone comes again.
                    let _ = delivery.ack().await;
                }
            }
        });
        Self { seen, enough, publisher, consumer }
    }

    /// Waits until so many more messages are confirmed.
    pub(crate) async fn confirms(&self, more: usize) {
        let wanted = self.seen.lock().confirmed.len() + more;
        eventually("messages are confirmed", async || self.seen.lock().confirmed.len() >= wanted).await;
    }

    /// Publishes no more, and sees that all that was confirmed arrives.
    pub(crate) async fn end(self) {
        self.enough.cancel();
        eventually("all that was confirmed arrives", async || {
            let seen = self.seen.lock();
            seen.confirmed.is_subset(&seen.arrived)
        })
        .await;
        self.publisher.abort();
        self.consumer.abort();
    }
}

fn batch(queue: &str, first: usize) -> Vec<Message> {
    let message = |number: usize| {
        let text = number.to_string();
        Message { queue: queue.into(), id: format!("job-{text}"), body: text.into_bytes().into(), traceparent: None }
    };
    (first..first + BATCH).map(message).collect()
}
