//! `slack.post`: a message to Slack through the operator's incoming webhook.

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_egress::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use super::post;
use crate::{Call, IoTool, args};

/// Posts to Slack.
pub struct SlackPost {
    client: Client,
    url: Option<String>,
}

impl SlackPost {
    /// Posts to that incoming webhook.
    #[must_use]
    pub fn new(client: Client, url: Option<String>) -> Self {
        Self { client, url }
    }
}

#[derive(Deserialize)]
struct Args {
    channel: Option<String>,
    text: String,
    thread: Option<String>,
}

#[async_trait]
impl IoTool for SlackPost {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "slack.post".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Idempotent,
            description: "Posts a message to Slack".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": {
                    "channel": { "type": "string", "minLength": 1, "maxLength": 80 },
                    "text": { "type": "string", "minLength": 1, "maxLength": 40_000 },
                    "thread": { "type": "string", "minLength": 1, "maxLength": 64 }
                },
                "required": ["text"],
                "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        let Some(url) = &self.url else {
            let message = "no Slack address is configured: set tools.slack_url on the io workers";
            return Err(Failure::refused("slack_not_configured", message));
        };
        let mut body = json!({ "text": args.text });
        if let Some(channel) = args.channel {
            body["channel"] = channel.into();
        }
        if let Some(thread) = args.thread {
            body["thread_ts"] = thread.into();
        }
        let status = post(&self.client, url, &body, call).await?;
        Ok(json!({ "status": status }))
    }
}
