//! The io worker of this team: all tools that ship with Baton, and `words.known`. Its time
//! limit, retries and what becomes of the result are left to the graph.

use baton_worker::tool::{Call, Effect, Failure, IoTool, QueueClass, Tool, ToolSpec, Value, async_trait, json};

/// Reads the list of words that the operator keeps.
struct KnownWords;

#[async_trait]
impl IoTool for KnownWords {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "words.known".to_owned(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Pure,
            description: "Gives the words that are spelt right".to_owned(),
            args_schema: json!({ "type": "object", "additionalProperties": false }),
        }
    }

    async fn call(&self, _args: Value, _call: &Call) -> Result<Value, Failure> {
        let file = std::env::var("WORDS_FILE").unwrap_or_else(|_| "words.txt".to_owned());
        let unread = |error: std::io::Error| Failure::transient("words_unread", error.to_string());
        let text = tokio::fs::read_to_string(file).await.map_err(unread)?;
        Ok(json!({ "words": text.split_whitespace().collect::<Vec<_>>() }))
    }
}

fn main() -> std::process::ExitCode {
    baton_worker::process::main_with(QueueClass::Io, [Tool::io(KnownWords)])
}
