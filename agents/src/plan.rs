//! The agent that plans: the model gives steps, of which each may need others; they are done
//! as items of a map made at run time, each by an agent that calls tools and is told its task
//! and what the steps it needs gave; the model is told what became of them, and gives further
//! steps, or none: then it answers.
//!
//! A step that fails fails nothing but the steps that need it. A plan that cannot be carried
//! out is told to the model, and counts.

use baton_engine::builder::{Channel, Each, GraphBuilder, Node, Route, Type};
use baton_engine::spec::{AgentSpec, AgentTool, Skill};
use serde_json::{Value, json};

use crate::parts;

/// Steps of one plan, at most.
const STEPS_MAX: usize = 100;
const PLANNER: &str = "You break the user's task into steps, which others carry out: you do none of them yourself. \
                       Each step is done by somebody who sees its task and what the steps it needs gave, and nothing \
                       else. Steps that do not need each other are done at once. Give the steps that are to be done \
                       now; once they are done you see what they gave, and may give further ones. Give none when what \
                       was found is enough to answer.";
const ANSWER: &str = "Now answer the task, from what the steps gave.";
const STEP: &str = "{{ step.task }}{% if step.needs %}

What earlier steps gave:{% for need in step.needs %}

{{ need }}: {{ deps[need] | default(state.results[need]) }}{% endfor %}{% endif %}";

/// Whether a step of an earlier plan succeeded.
const DONE: &str = "(need in state.results && state.results[need] != null)";

/// The graph.
pub(crate) fn graph(spec: &AgentSpec, plans: u64) -> GraphBuilder {
    parts::graph(spec, parts::QUESTION_AND_ANSWER)
        .channel("said", Channel::of(Type::array()).reduce("append"))
        .channel("can", Channel::of(Type::string()).default(can(spec)))
        .channel("steps", Channel::of(Type::schema(steps())))
        .channel("ids", Channel::of(Type::array()))
        .channel("results", Channel::of(Type::object()).reduce("merge").default(json!({})))
        .channel("failed", Channel::of(Type::array()))
        .channel("plans", Channel::of(Type::integer()).reduce("sum").default(0))
        // A plan, its steps and what is said of them each time, the beginning and the answer.
        .limit_steps(2 + 3 * plans)
        .start("begin")
        .node("begin", Node::local().save("said", "[{'role': 'user', 'content': input.user}]").then("plan"))
        .node("plan", plan(spec))
        .node("steps", work(spec))
        .node("told", told(plans))
        .node("unsound", unsound(plans))
        .node("malformed", malformed(plans))
        .node("answer", answer(spec))
}

/// One call of the model for steps.
fn plan(spec: &AgentSpec) -> Node {
    let before = if spec.system { "{{ input.system }}\n\n" } else { "" };
    let own = json!({
        "route": spec.route,
        "system": format!("{before}{PLANNER}\n\n{{{{ state.can }}}}"),
        "messages": parts::said(spec),
        "output_schema": {
            "type": "object", "properties": {"steps": steps()}, "required": ["steps"], "additionalProperties": false,
        },
    });
    let chat = parts::chat(&parts::without_form(spec), own);
    parts::of_call(spec, Node::chat(chat))
        .save("said", "[{'role': 'assistant', 'content': output.text}]")
        .save("steps", "output.json.steps")
        .save("ids", "output.json.steps.map(step, step.id)")
        .save("plans", "1")
        .then(
            Route::first()
                .when("size(output.json.steps) == 0", Route::to("answer"))
                .when(&format!("size(output.json.steps) > {STEPS_MAX}"), Route::to("unsound"))
                .or(Route::to("steps")),
        )
        .on_error(Route::first().when("error.code == 'model_output_invalid'", Route::to("malformed")))
}

/// The steps, each once those it needs of this plan are done.
fn work(spec: &AgentSpec) -> Node {
    let mut own = parts::chat(&parts::without_form(spec), json!({"route": spec.route, "user": STEP}));
    if spec.system {
        own["system"] = json!("{{ input.system }}");
    }
    // What a step needs of an earlier plan is done. What is nowhere is refused by the map.
    let needs = format!("step.needs.filter(need, need in state.ids || !{DONE})");
    let unsound = "error.code in ['duplicate_key', 'unknown_dependency', 'dependency_cycle']";
    parts::at_once(spec, parts::agent(spec, &spec.inner, own))
        .for_each(Each::of("state.steps").named("step").by("step.id").after(&needs).keep("output.text"))
        .on_item_error(json!("collect"))
        .save("results", "output")
        .save("failed", "errors")
        .then("told")
        .on_error(Route::first().when(unsound, Route::to("unsound")))
}

/// What the model is told of the steps, in their order.
fn told(plans: u64) -> Node {
    let failure = "state.failed.filter(one, one.key == step.id)\
                   .map(one, {'code': one.error.code, 'message': one.error.message})[0]";
    let each = format!(
        "state.failed.exists(one, one.key == step.id) ? {{'step': step.id, 'error': {failure}}} : \
         {{'step': step.id, 'result': state.results[step.id]}}"
    );
    let said = format!("[{{'role': 'user', 'content': {{'steps': state.steps.map(step, {each})}}}}]");
    Node::local()
        .save("said", &said)
        .then(Route::first().when(&format!("state.plans >= {plans}"), Route::to("answer")).or(Route::to("plan")))
}

/// What the model is told of steps that cannot be carried out.
fn unsound(plans: u64) -> Node {
    let same = "state.steps.filter(step, !state.ids.exists_one(id, id == step.id))";
    let lost = format!("state.steps.filter(step, step.needs.exists(need, !(need in state.ids) && !{DONE}))");
    let why = format!(
        "size(state.steps) > {STEPS_MAX} ? 'there are more than {STEPS_MAX} steps' : \
         size({same}) > 0 ? 'several steps have the id ' + {same}[0].id : \
         size({lost}) > 0 ? 'step ' + {lost}[0].id + ' needs a step that is not there' : \
         'steps need each other in a circle'"
    );
    again(plans, &format!("'These steps cannot be carried out: ' + ({why}) + '. Give others.'"))
}

/// What the model is told of an answer that holds no steps.
fn malformed(plans: u64) -> Node {
    again(plans, "'That was no list of steps in the form that was asked for. Give them again.'").save("plans", "1")
}

/// Asks again, or goes on with what there is.
fn again(plans: u64, why: &str) -> Node {
    Node::local().save("said", &format!("[{{'role': 'user', 'content': {why}}}]")).then(
        Route::first()
            .when(&format!("state.plans < {plans}"), Route::to("plan"))
            .when("size(state.results) > 0", Route::to("answer"))
            .or_fail(&format!("the model gave no steps that can be carried out in {plans} plans"))
            .code("limit_exceeded"),
    )
}

fn answer(spec: &AgentSpec) -> Node {
    let mut own = json!({"route": spec.route, "messages": parts::said(spec), "user": ANSWER});
    if spec.system {
        own["system"] = json!("{{ input.system }}");
    }
    let node = parts::of_call(spec, Node::chat(parts::chat(&spec.chat, own)));
    parts::answers(spec, node).then(Route::end())
}

/// What whoever does a step can do, for the model that plans.
fn can(spec: &AgentSpec) -> String {
    let tool = |tool: &AgentTool| match tool {
        AgentTool::Worker(name) => format!("\n- {name}"),
        AgentTool::Graph(tool) => format!("\n- {}: {}", tool.name, tool.about),
    };
    let skill = |skill: &Skill| format!("\n- {}: {}", skill.name, skill.description);
    let mut can = match spec.tools.as_slice() {
        [] => "Whoever does a step has no tools.".to_owned(),
        tools => format!("Whoever does a step has these tools:{}", tools.iter().map(tool).collect::<String>()),
    };
    if !spec.skills.is_empty() {
        can.push_str(&format!("\nand these skills:{}", spec.skills.iter().map(skill).collect::<String>()));
    }
    can
}

fn steps() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "a short name of the step"},
                "task": {"type": "string", "description": "what is to be done, with everything that has to be known for it"},
                "needs": {"type": "array", "items": {"type": "string"}, "description": "ids of the steps whose results it needs"},
            },
            "required": ["id", "task", "needs"],
            "additionalProperties": false,
        },
    })
}
