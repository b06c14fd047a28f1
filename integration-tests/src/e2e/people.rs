//! People who answer what the runs of the drill ask, until they are called off.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::chaos::api::{Api, Told};

/// Pause between two looks at the inbox.
const PAUSE: Duration = Duration::from_millis(300);

/// Answers every question: `yes`, and that a job failed whose worker was lost.
pub async fn answer_all(api: Api, over: CancellationToken) {
    let mut place = 0;
    while !over.is_cancelled() {
        place += 1;
        if let Told::Ok(questions) = api.inbox(place).await {
            for question in questions {
                let unknown = question.schema_json.contains("outcome");
                let decision = if unknown { json!({"outcome": "failed"}) } else { json!({"text": "yes"}) };
                // Whoever is not heard looks at the inbox again.
                let _ = api.answer(place, &question.run_id, &question.id, &decision).await;
            }
        }
        let _ = over.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}
