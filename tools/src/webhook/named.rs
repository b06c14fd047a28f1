//! `webhook.post`: JSON to one of the operator's webhooks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use baton_common::Failure;
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_egress::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use super::post;
use crate::{Call, IoTool, args};

/// Posts to configured webhooks.
pub struct WebhookPost {
    client: Client,
    urls: BTreeMap<String, String>,
}

impl WebhookPost {
    /// Posts to these, by name.
    #[must_use]
    pub fn new(client: Client, urls: BTreeMap<String, String>) -> Self {
        Self { client, urls }
    }

    fn url(&self, name: Option<&str>) -> Result<&str, Failure> {
        let name = name.unwrap_or("default");
        self.urls.get(name).map(String::as_str).ok_or_else(|| {
            let message = format!("no webhook {name} is configured: set tools.webhooks.{name} on the io workers");
            Failure::refused("webhook_not_configured", message)
        })
    }
}

#[derive(Deserialize)]
struct Args {
    name: Option<String>,
    json: Value,
}

#[async_trait]
impl IoTool for WebhookPost {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "webhook.post".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Idempotent,
            description: "Posts JSON to a webhook that the operator configured".to_owned(),
            args_schema: json!({
                "type": "object",
                "properties": { "name": { "type": "string", "minLength": 1, "maxLength": 64 }, "json": {} },
                "required": ["json"],
                "additionalProperties": false
            }),
        }
    }

    async fn call(&self, args: Value, call: &Call) -> Result<Value, Failure> {
        let args: Args = args::parse(args)?;
        let url = self.url(args.name.as_deref())?;
        let status = post(&self.client, url, &args.json, call).await?;
        Ok(json!({ "status": status }))
    }
}
