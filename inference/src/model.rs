//! The trait every provider implements.

use async_trait::async_trait;
use baton_common::Failure;
use tokio_util::sync::CancellationToken;

use crate::{ChatReply, ChatRequest, Delta};

/// Takes the pieces of an answer as they come. Called from the task that makes the call,
/// so it must not block; a sink that cannot keep up drops pieces, the reply is whole.
pub trait DeltaSink: Send + Sync {
    /// The next piece.
    fn delta(&self, delta: Delta);
}

/// A sink for callers that wait for the whole answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl DeltaSink for Quiet {
    fn delta(&self, _: Delta) {}
}

/// Something that answers chat calls.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Who answers: `openai/gpt-4.1`, `extractive`.
    fn name(&self) -> &str;

    /// Answers one call, showing pieces to `sink` on the way.
    ///
    /// # Errors
    /// A failure whose class says what may be done: `rate_limited` and `transient` may be
    /// tried again, `invalid` and `refused` may not, `cancelled` when `cancel` was.
    async fn chat(
        &self,
        request: &ChatRequest,
        sink: &dyn DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<ChatReply, Failure>;
}
