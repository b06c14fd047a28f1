//! Outcomes and questions that the store itself writes, as JSON texts.
//!
//! Adapters hand them to their scripts, so that every store writes the same bytes.

use baton_common::commit::{Question, QuestionForm};
use baton_common::job::Outcome;
use baton_common::records::Body;
use baton_common::{ErrorClass, Failure};
use serde_json::json;

/// The outcome of a task whose workers were lost once too often.
#[must_use]
pub fn poison(infra_attempts_max: u32) -> Body {
    outcome(Failure::new(
        ErrorClass::Poison,
        "poison",
        format!("{infra_attempts_max} workers were lost while they ran it"),
    ))
}

/// What a task keeps of a worker that was lost with it.
#[must_use]
pub fn worker_lost() -> String {
    baton_common::records::trouble(ErrorClass::WorkerLost, "lease_expired")
}

/// The outcome of a question that was not answered in time.
#[must_use]
pub fn expired() -> Body {
    outcome(Failure::new(ErrorClass::Expired, "expired", "nobody answered in time"))
}

/// The outcome of a wait whose signal did not come in time.
#[must_use]
pub fn unsignalled() -> Body {
    outcome(Failure::new(ErrorClass::Expired, "expired", "no signal came in time"))
}

/// The outcome of a wait for a time.
#[must_use]
pub fn nothing() -> Body {
    serde_json::to_string(&Outcome::value(serde_json::Value::Null)).unwrap_or_default()
}

/// The outcome of an index that needed one which failed.
#[must_use]
pub fn dependency_failed() -> Body {
    outcome(Failure::permanent("dependency_failed", "an item it needs did not succeed"))
}

/// What a job that asked goes on with as long as nobody has answered: [`Continued`] as JSON,
/// around the JSON text of what it wanted back.
///
/// [`Continued`]: baton_common::commit::Continued
#[must_use]
pub fn continued(continuation: Option<&str>) -> Body {
    format!("{{\"continuation\":{},\"answer\":null}}", continuation.unwrap_or("null"))
}

/// What is asked when the worker of a `once` job was lost.
#[must_use]
pub fn outcome_unknown(tool: &str) -> Body {
    let question = Question {
        title: format!("Did {tool} succeed? Its worker was lost, and it may not run twice."),
        show: Vec::new(),
        form: QuestionForm::Schema(json!({
            "type": "object",
            "required": ["outcome"],
            "additionalProperties": false,
            "properties": {"outcome": {"enum": ["succeeded", "failed"]}, "value": {}, "message": {"type": "string"}}
        })),
    };
    serde_json::to_string(&question).unwrap_or_default()
}

fn outcome(failure: Failure) -> Body {
    serde_json::to_string(&Outcome::Error(failure)).unwrap_or_default()
}
