//! The skills of an agent: its model is told what each is for, and reads one, or a file of
//! one, by a tool. The texts lie in a graph of local nodes, so that a reading is computed
//! where the agent's own decisions are and costs neither a job nor a checkpoint.

use baton_engine::builder::{Channel, GraphBuilder, Node, Route, Type};
use baton_engine::spec::{AgentSpec, Skill};
use serde_json::{Map, Value, json};

use crate::tools::Callable;

/// What the model calls the tool, and the graph that answers it.
const READ: &str = "skill.read";
/// The file that all skills have.
const MAIN: &str = "SKILL.md";
/// The channel that holds what the model is told of them.
const TOLD: &str = "skills";

/// The tool that reads skills, where there are any.
pub(crate) fn callable(spec: &AgentSpec) -> Option<Callable> {
    let names: Vec<&str> = spec.skills.iter().map(|skill| skill.name.as_str()).collect();
    let input = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "enum": names, "description": "The skill" },
            "file": { "type": "string", "description": "One of its files; its instructions unless given" }
        },
        "required": ["name"],
        "additionalProperties": false
    });
    let description = "Gives the instructions of a skill and the names of its files, or one of these files";
    let offer = json!({"name": READ, "description": description, "input_schema": input});
    let node = Node::graph(READ, json!("{{ item.arguments }}"));
    (!names.is_empty()).then(|| Callable { name: READ.to_owned(), offer, node, keep: None })
}

/// The graph with what it needs to tell of its skills.
pub(crate) fn with(spec: &AgentSpec, graph: GraphBuilder) -> GraphBuilder {
    if spec.skills.is_empty() {
        return graph;
    }
    graph.channel(TOLD, Channel::of(Type::string()).default(catalogue(&spec.skills))).graph(READ, reading(&spec.skills))
}

/// What the model is told first: the agent's own instructions, and which skills there are.
pub(crate) fn system(spec: &AgentSpec) -> Option<Value> {
    match (spec.system, spec.skills.is_empty()) {
        (true, true) => Some(json!("{{ input.system }}")),
        (true, false) => Some(json!(format!("{{{{ input.system }}}}\n\n{{{{ state.{TOLD} }}}}"))),
        (false, false) => Some(json!(format!("{{{{ state.{TOLD} }}}}"))),
        (false, true) => None,
    }
}

fn catalogue(skills: &[Skill]) -> String {
    let mut told = String::from(
        "There are skills: instructions for certain kinds of work. Before you do what one of these is for, \
         read it; read a file that it names when you need it.\n",
    );
    for skill in skills {
        told.push_str(&format!("\n- {}: {}", skill.name, skill.description));
    }
    told
}

/// The graph that answers a reading.
fn reading(skills: &[Skill]) -> GraphBuilder {
    let texts: Map<String, Value> = skills.iter().map(|skill| (skill.name.clone(), texts(skill))).collect();
    let names = skills.iter().map(|skill| skill.name.as_str()).collect::<Vec<_>>().join(", ");
    let look = Route::first()
        .fail_when(
            "!(input.name in state.skills)",
            &format!("there is no skill {{{{ input.name }}}}: there are {names}"),
        )
        .code("unknown_skill")
        .when(&format!("input.file == null || input.file == '' || input.file == '{MAIN}'"), Route::to("whole"))
        .fail_when(
            "!(input.file in state.skills[input.name].contents)",
            "the skill {{ input.name }} has no file {{ input.file }}: read it without file to see which it has",
        )
        .code("unknown_file")
        .or(Route::to("file"));
    let whole = Node::local()
        .save("text", "state.skills[input.name].text")
        .save("files", "state.skills[input.name].files")
        .then(Route::end());
    let file = Node::local().save("text", "state.skills[input.name].contents[input.file]").then(Route::end());
    GraphBuilder::new(READ)
        .input("name", Type::string())
        .input("file", Type::schema(json!({"type": ["string", "null"]})).default(Value::Null))
        .output("skill", "input.name")
        .output("text", "state.text")
        .output("files", "state.files")
        .channel("skills", Channel::of(Type::object()).default(Value::Object(texts)))
        .channel("text", Channel::of(Type::string()))
        .channel("files", Channel::of(Type::array()))
        .start("look")
        .node("look", Node::local().then(look))
        .node("whole", whole)
        .node("file", file)
}

fn texts(skill: &Skill) -> Value {
    let files: Vec<&String> = skill.files.keys().collect();
    json!({"text": skill.text, "files": files, "contents": skill.files})
}
