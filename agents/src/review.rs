//! The agent that writes and is reviewed: one model drafts, with tools where it has some;
//! another approves the draft or says what to change; and so on until it approves, or there
//! were too many reviews. The writer's conversation goes on from draft to draft.

use baton_engine::builder::{Channel, GraphBuilder, Node, Route, Type};
use baton_engine::spec::{AgentSpec, Reviewer};
use serde_json::{Value, json};

use crate::parts;

const DRAFT_OR_CHANGES: &str = "{% if state.reviews %}The draft was reviewed and is not approved yet:

{{ state.notes }}

Write it anew, all of it.{% else %}{{ input.user }}{% endif %}";
const TO_REVIEW: &str = "The task was:

{{ input.user }}

The draft:

{{ state.text }}";
const REVIEWER: &str = "You review the draft of somebody who was given a task. Approve it only if it does all that the \
                        task asks for and nothing in it is wrong. Else say what has to change, point by point.";

/// The graph.
pub(crate) fn graph(spec: &AgentSpec, reviews: u64, reviewer: &Reviewer) -> GraphBuilder {
    let begin = Node::local().then("write");
    let begin = if spec.history { begin.save("talk", "input.history") } else { begin };
    let graph = parts::graph(spec, parts::QUESTION_AND_ANSWER)
        .output("reviews", "state.reviews")
        .channel("talk", Channel::of(Type::array()).reduce("messages"))
        .channel("notes", Channel::of(Type::string()))
        .channel("reviews", Channel::of(Type::integer()).reduce("sum").default(0))
        // A draft and a review each time, and the beginning.
        .limit_steps(1 + 2 * reviews)
        .start("begin")
        .node("begin", begin)
        .node("write", write(spec))
        .node("review", review(spec, reviews, reviewer));
    if reviewer.system { graph.input("reviewer", Type::string()) } else { graph }
}

fn write(spec: &AgentSpec) -> Node {
    let mut own = parts::chat(&spec.chat, json!({"route": spec.route, "user": DRAFT_OR_CHANGES, "history": "talk"}));
    if spec.system {
        own["system"] = json!("{{ input.system }}");
    }
    parts::answers(spec, parts::agent(spec, &spec.inner, own)).then("review")
}

fn review(spec: &AgentSpec, reviews: u64, reviewer: &Reviewer) -> Node {
    let system = if reviewer.system { "{{ input.reviewer }}" } else { REVIEWER };
    let chat = json!({"route": reviewer.route, "system": system, "user": TO_REVIEW, "output_schema": verdict()});
    parts::of_call(spec, Node::chat(chat)).save("notes", "output.json.notes").save("reviews", "1").then(
        Route::first()
            .when("output.json.approved", Route::end())
            .fail_when(
                &format!("state.reviews >= {reviews}"),
                &format!("not approved in {reviews} reviews; the last one says: {{{{ state.notes }}}}"),
            )
            .code("limit_exceeded")
            .or(Route::to("write")),
    )
}

fn verdict() -> Value {
    json!({
        "type": "object",
        "properties": {
            "approved": {"type": "boolean", "description": "whether the draft may stay as it is"},
            "notes": {"type": "string", "description": "what has to change, if anything"},
        },
        "required": ["approved", "notes"],
        "additionalProperties": false,
    })
}
