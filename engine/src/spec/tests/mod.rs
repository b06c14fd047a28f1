//! What graphs are accepted, and what those that are not get told.

mod bad;
mod good;
mod mutations;
mod schema;
mod skills;
mod whole;

use std::path::Path;

use super::{AgentKind, AgentSpec, Known, Member, Problem, Source, parse, parse_with};
use crate::builder::{GraphBuilder, Node, Type};

/// Every example in the repository: file name and text.
fn examples() -> Vec<(String, String)> {
    let examples = texts_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples"));
    assert!(examples.len() >= 5, "{examples:?}");
    examples
}

fn texts_in(folder: &Path) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(".yaml") && !path.ends_with(".test.yaml")))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    texts.sort();
    texts
}

/// Graphs that every search begins with: file name and text. Those that begin with `refused`
/// are refused.
fn corpus() -> Vec<(String, String)> {
    texts_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec/tests/corpus"))
}

/// What is known where agents are made: graphs that say nothing.
fn with_agents() -> Known {
    let silent = |spec: &AgentSpec| {
        let graph = GraphBuilder::new(&spec.graph).input("user", Type::string());
        let graph = if spec.system { graph.input("system", Type::string()) } else { graph };
        let graph = if spec.history { graph.input("history", Type::array()) } else { graph };
        let instructed = |member: &Member| matches!(member, Member::Agent { system: true, .. });
        let graph = match &spec.kind {
            AgentKind::Supervisor { team } if team.iter().any(instructed) => graph.input("team", Type::object()),
            AgentKind::Review { reviewer, .. } if reviewer.system => graph.input("reviewer", Type::string()),
            _ => graph,
        };
        let graph = graph.output("text", "''").output("json", "null").output("messages", "[]").output("reviews", "1");
        graph.start("a").node("a", Node::local().then("end")).text()
    };
    Known { agents: Some(silent), ..Known::default() }
}

/// The problems of a text as they are shown: code, line, what is marked, message and help.
fn shown(text: &str) -> String {
    let problems = parse(&Source::new("g.yaml", text)).err().unwrap_or_default();
    schema::agree(text, &problems.iter().map(|problem| problem.code.clone()).collect::<Vec<_>>());
    if problems.is_empty() {
        return "fine\n".to_owned();
    }
    for problem in &problems {
        assert!(problem.help.is_some() && !problem.label.is_empty() && problem.label != problem.message, "{problem:?}");
    }
    problems.iter().map(|problem| line(text, problem)).collect()
}

fn line(text: &str, problem: &Problem) -> String {
    let marked = &text[problem.offset..problem.offset + problem.length];
    let before = &text[..problem.offset];
    let column = before.chars().rev().take_while(|mark| *mark != '\n').count() + 1;
    if problem.line > 0 {
        assert_eq!((problem.line, problem.column), (before.matches('\n').count() + 1, column), "{problem:?}");
    }
    let help = problem.help.as_deref().map(|help| format!("\n    help: {help}")).unwrap_or_default();
    format!("{}:{} {} `{marked}`\n    {}{help}\n", problem.line, problem.column, problem.code, problem.message)
}

#[test]
fn every_code_has_a_label_and_a_cure_of_its_own() {
    let other = super::cures::usual("");
    for code in super::CODES.iter().filter(|code| **code != "yaml_syntax") {
        assert_ne!(super::cures::usual(code), other, "{code}");
    }
}

#[test]
fn every_code_has_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let failures = ["expression_failed", "template_failed", "invalid_input", "invalid_answer"];
    for code in super::CODES.iter().chain(&failures) {
        let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
    }
}

#[test]
fn what_the_guide_shows_works() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/graphs.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks: Vec<&str> = guide.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    let (whole, parts): (Vec<&str>, Vec<&str>) = blocks.into_iter().partition(|block| block.starts_with("baton: 1"));
    assert!(whole.len() >= 2 && parts.len() >= 15, "{} {}", whole.len(), parts.len());
    for graph in whole {
        assert_eq!(shown(graph), "fine\n", "{graph}");
    }
    // What is shown of a graph is sound as far as it goes: put into one, only names are missing.
    for part in parts.into_iter().flat_map(alternatives) {
        let text = within_a_graph(&part);
        let problems = parse_with(&Source::new("g.yaml", text.clone()), &with_agents()).err().unwrap_or_default();
        let missing = ["unknown_node", "unknown_channel", "unknown_input", "no_file"];
        let others: Vec<_> = problems.iter().filter(|problem| !missing.contains(&problem.code.as_str())).collect();
        assert!(others.is_empty(), "{others:#?}\n{text}");
    }
}

/// Several forms of one key, which stand below each other in the guide, apart.
fn alternatives(part: &str) -> Vec<String> {
    let mut apart: Vec<String> = Vec::new();
    let mut first: Option<&str> = None;
    for line in part.lines() {
        let key = line.split(':').next().filter(|key| !key.starts_with([' ', '-']));
        if key.is_some() && key == first || apart.is_empty() {
            apart.push(String::new());
        }
        first = first.or(key);
        let last = apart.len() - 1;
        apart[last] += &format!("{line}\n");
    }
    apart
}

/// A graph of which the part is the head, a node's keys, or nodes.
fn within_a_graph(part: &str) -> String {
    let indented = |by: &str| part.lines().map(|line| format!("{by}{line}\n")).collect::<String>();
    let key = part.split(':').next().unwrap();
    let head = ["input", "state", "limits", "start"].contains(&key);
    let of_node = ["save", "args", "then", "ask", "on_error"].contains(&key);
    let mut text = "baton: 1\ngraph: g\n".to_owned();
    match (head, of_node) {
        (true, _) => text += part,
        (_, true) if key == "args" => {
            text += &format!("nodes:\n  a:\n    then: end\n    tool:\n      name: t\n{}", indented("      "));
        }
        (_, true) => {
            let work = if key == "ask" { "" } else { "    tool: { name: t }\n" };
            let then = if key == "then" { "" } else { "    then: end\n" };
            text += &format!("nodes:\n  a:\n{work}{then}{}", indented("    "));
        }
        _ => text += &format!("nodes:\n{}", indented("  ")),
    }
    if !part.contains("start:") {
        let first = text.split("nodes:\n").nth(1).and_then(|nodes| nodes.trim_start().split(':').next());
        text += &format!("start: {}\n", first.unwrap_or("a"));
    }
    if !text.contains("nodes:") {
        text += "nodes: { a: { then: end } }\n";
    }
    text
}
