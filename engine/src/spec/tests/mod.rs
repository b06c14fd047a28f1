//! What graphs are accepted, and what those that are not get told.

mod bad;
mod good;
mod mutations;
mod schema;
mod whole;

use super::{Problem, Source, parse};

/// Every example in the repository: file name and text.
fn examples() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut examples: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    examples.sort();
    assert!(examples.len() >= 5, "{examples:?}");
    examples
}

/// The problems of a text as they are shown: code, line, what is marked, message and help.
fn shown(text: &str) -> String {
    let problems = parse(&Source::new("g.yaml", text)).err().unwrap_or_default();
    schema::agree(text, &problems.iter().map(|problem| problem.code.clone()).collect::<Vec<_>>());
    if problems.is_empty() {
        return "fine\n".to_owned();
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
fn every_code_has_a_page() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let failures = ["expression_failed", "template_failed", "invalid_input", "invalid_answer"];
    for code in super::CODES.iter().chain(&failures) {
        let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
    }
}

#[test]
fn the_guide_shows_a_graph_that_works() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/graphs.md");
    let guide = std::fs::read_to_string(folder).unwrap();
    let graph = guide.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(shown(graph), "fine\n");
}
