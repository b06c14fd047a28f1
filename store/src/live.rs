//! Progress beside the records: shown to whoever watches a run in another process. Lossy,
//! never waited for, kept nowhere. What is shown, and to whom here, is left to others.

use async_trait::async_trait;
use baton_common::ids::RunId;

/// What passes between processes on one store.
#[async_trait]
pub trait Live: Send + Sync {
    /// Shows something about a run to the other processes. Never waits: where too much is
    /// under way it is dropped.
    fn show(&self, run: RunId, text: String);
    /// From about now on, what others show about that run is heard here.
    fn listen(&self, run: RunId);
    /// Nobody here watches that run any more.
    fn leave(&self, run: RunId);
    /// The next that another process showed; `None` once the store is closed. For one caller
    /// at a time; dropping the future loses nothing.
    async fn heard(&self) -> Option<(RunId, String)>;
    /// The next run, of those listened to here, that has new events, whoever made them; one
    /// that is listened to anew is named once. `None` once the store is closed. For one caller
    /// at a time; dropping the future loses nothing.
    async fn changed(&self) -> Option<RunId>;
}
