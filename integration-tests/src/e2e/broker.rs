//! The broker's faults that no kill brings about, over its management port: it loses what waits in a
//! queue, or has something there that is no message of ours.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::numbers;
use super::settings::Settings;

/// The management of the broker.
pub struct Broker {
    port: u16,
    headers: String,
}

impl Broker {
    /// The broker that has these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let user = BASE64_STANDARD.encode(format!("baton:{}", settings.broker));
        let headers = format!("authorization: Basic {user}\r\ncontent-type: application/json\r\n");
        Self { port: settings.port("RABBITMQ_MANAGEMENT_PORT"), headers }
    }

    /// It loses every message that waits in that queue.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn forgets(&self, queue: &str) -> anyhow::Result<()> {
        let what = format!("DELETE /api/queues/%2f/{queue}/contents");
        numbers::asked(self.port, &what, &self.headers, "").await.map(drop)
    }

    /// It has a message in that queue that nobody can read.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn garbles(&self, queue: &str) -> anyhow::Result<()> {
        let message =
            json!({"properties": {}, "routing_key": queue, "payload": "no envelope", "payload_encoding": "string"});
        let what = "POST /api/exchanges/%2f/amq.default/publish";
        numbers::asked(self.port, what, &self.headers, &message.to_string()).await.map(drop)
    }
}
