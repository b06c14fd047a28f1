//! What a team's own tools are made of, in one place: a program that depends on this crate
//! needs no other of Baton's. What a tool has to keep stands with its traits.
//!
//! ```no_run
//! use baton_worker::tool::{Call, Effect, Failure, IoTool, QueueClass, Tool, ToolSpec, Value, async_trait, json};
//!
//! struct Greet;
//!
//! #[async_trait]
//! impl IoTool for Greet {
//!     fn spec(&self) -> ToolSpec {
//!         ToolSpec {
//!             name: "team.greet".to_owned(),
//!             major: 1,
//!             class: QueueClass::Io,
//!             effect: Effect::Pure,
//!             description: "Greets".to_owned(),
//!             args_schema: json!({ "type": "object" }),
//!         }
//!     }
//!
//!     async fn call(&self, args: Value, _call: &Call) -> Result<Value, Failure> {
//!         Ok(json!({ "text": format!("Hello, {}", args["name"]) }))
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     baton_worker::process::main_with(QueueClass::Io, [Tool::io(Greet)])
//! }
//! ```

pub use async_trait::async_trait;
pub use baton_common::tool::{Effect, QueueClass, ToolSpec};
pub use baton_common::{ErrorClass, Failure};
pub use baton_tools::{Call, CpuTool, IoTool, JobBlobs, Pieces, Tool, blob_value};
pub use serde_json::{Value, json};
pub use tokio::runtime::Handle;
