//! Calls to models: one trait, the providers behind it, and routes that choose among them.
//!
//! A graph names a *route*; the configuration of a worker says which candidates stand
//! behind it, and [`Routes`] tries them in order. Providers:
//! [`openai`] speaks to whatever offers OpenAI's chat completions,
//! [`extractive`] needs no model and answers with sentences of its input,
//! [`scripted`] replays answers from a file.
//! Retrying a call later, budgets and the storing of results are left to the planes: a
//! chat call is a job like any other.

pub mod config;
pub mod egress;
pub mod extractive;
pub mod http;
pub mod message;
pub mod model;
pub mod openai;
pub mod passage;
mod price;
pub mod prompt;
pub mod reply;
pub mod request;
pub mod route;
pub mod schema;
pub mod scripted;
pub mod structured;

pub use config::{ModelConfig, ProviderConfig, RouteConfig};
pub use message::{Message, PICTURES, Part, Role, ToolCall};
pub use model::{ChatModel, DeltaSink, Quiet};
pub use passage::{Passage, Source};
pub use price::Price;
pub use reply::{ChatReply, Delta, FinishReason, Usage};
pub use request::{ChatRequest, OutputSchema, ToolChoice, ToolDefinition};
pub use route::Routes;
