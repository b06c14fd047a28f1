//! Agents with skills: what their models are told of them, and where the texts lie. That they
//! are read is shown by the command line's tests.

use baton_engine::graph::Graph;
use baton_engine::spec::{Known, Problem, Source, parse_canonical, parse_with};
use serde_json::{Value, json};

const SKILL: &str = "{ name: bridges, description: 'All of {{ bridges }}', text: 'Never {% say %} never.', files: { a.md: 'An {{ a }}' } }";

fn read(settings: &str) -> Result<Graph, Vec<Problem>> {
    let text = format!(
        "baton: 1
graph: g
input: {{ q: string }}
start: a
nodes:
  a: {{ agent: {{ route: r, user: \"{{{{ input.q }}}}\", {settings} }}, then: end }}
"
    );
    let known = Known { agents: Some(baton_agents::graph), ..Known::default() };
    parse_with(&Source::new("g.yaml", text), &known)
}

#[track_caller]
fn sound(settings: &str) -> Graph {
    read(settings).unwrap_or_else(|problems| panic!("{settings}: {problems:#?}"))
}

#[track_caller]
fn made(graph: &Graph) -> Value {
    serde_json::from_str(&graph.children["a.agent"].source).unwrap()
}

#[test]
fn a_model_is_told_what_a_skill_is_for_and_offered_to_read_it() {
    let graph = made(&sound(&format!("kind: tools, system: Be brief., rounds: 2, tools: [t.echo], skills: [{SKILL}]")));
    let chat = &graph["nodes"]["model"]["chat"];
    assert_eq!(chat["system"], "{{ input.system }}\n\n{{ state.skills }}");
    let told = graph["state"]["skills"]["default"].as_str().unwrap();
    assert!(told.ends_with("\n- bridges: All of {{ bridges }}"), "nothing of it is a template: {told}");
    let offered = &chat["tools"][1];
    assert_eq!((&offered["name"], &chat["tools"][0]), (&json!("skill.read"), &json!("t.echo")));
    assert_eq!(offered["input_schema"]["properties"]["name"]["enum"], json!(["bridges"]));
    assert_eq!(graph["nodes"]["call-skill-read"]["graph"]["name"], "skill.read");
    let kept = &graph["graphs"]["skill.read"]["state"]["skills"]["default"]["bridges"];
    let whole = json!({"text": "Never {% say %} never.", "files": ["a.md"], "contents": {"a.md": "An {{ a }}"}});
    assert_eq!(kept, &whole);
    assert_eq!(graph["limits"]["steps"], 1 + 2 * 4);
    let alone = made(&sound(&format!("kind: tools, skills: [{SKILL}]")));
    assert_eq!(alone["nodes"]["model"]["chat"]["system"], "{{ state.skills }}");
}

#[test]
fn the_texts_of_skills_lie_in_no_state_that_a_checkpoint_holds() {
    let graph = sound(&format!("kind: tools, skills: [{SKILL}]"));
    let writers =
        |graph: &Graph, channel: &str| graph.nodes.values().filter(|node| node.save.contains_key(channel)).count();
    let agent = &graph.children["a.agent"];
    assert_eq!((writers(agent, "skills"), writers(&agent.children["skill.read"], "skills")), (0, 0));
}

#[test]
fn agents_of_every_kind_have_skills_and_so_have_the_members_of_a_team() {
    for settings in [
        format!("kind: plan, skills: [{SKILL}]"),
        format!("kind: review, skills: [{SKILL}]"),
        format!("kind: supervisor, skills: [{SKILL}], team: {{ m: {{ about: x }} }}"),
        format!("kind: supervisor, team: {{ m: {{ about: x, skills: [{SKILL}] }} }}"),
    ] {
        let graph = sound(&settings);
        assert!(graph.source.contains("Never {% say %} never."), "{settings}");
        let again = parse_canonical(&graph.source).unwrap();
        assert_eq!(again.hash, graph.hash, "{settings}");
    }
    let codes = |settings: &str| {
        let problems = read(settings).unwrap_err();
        problems.into_iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("kind: tools, skills: [none]"), ["no_file"]);
    assert_eq!(codes("kind: supervisor, team: { m: { about: x, skills: [none] } }"), ["no_file"]);
    assert_eq!(codes(&format!("kind: tools, tools: [skill.read], skills: [{SKILL}]")), ["duplicate_key"]);
}
