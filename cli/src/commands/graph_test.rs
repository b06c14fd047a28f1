//! `baton graph test`: plays the cases of test files and tells what differs. What a case
//! looks like is `engine`'s part, how it is played that of the embedded cluster.

use std::path::{Path, PathBuf};

use baton_embedded::rehearsal::{self, Difference, Played};
use baton_engine::graph::Graph;
use baton_engine::spec;
use baton_engine::spec::cases::{self, Case};
use serde_json::{Value, json};

use crate::exit::{Exit, Failed};
use crate::graph_file::{GraphFile, wire};
use crate::paint::{Paint, plain};
use crate::problems::Source;
use crate::setup::Setup;

/// A file with cases, and the graph they are of.
struct Suite {
    name: String,
    file: GraphFile,
    graph: Graph,
    cases: Vec<Case>,
}

/// A case that was played.
struct Tried {
    name: String,
    /// What came of it, or why it was not played to an end.
    played: Result<Played, String>,
    differences: Vec<Difference>,
}

impl Tried {
    fn passed(&self) -> bool {
        self.differences.is_empty() && self.played.as_ref().is_ok_and(|played| played.problems.is_empty())
    }
}

pub(super) fn test(files: &[PathBuf], setup: &Setup) -> Result<Exit, Failed> {
    // All are read before any is played: a mistake in the last shows at once.
    let mut suites = Vec::new();
    for path in files {
        match read(path, setup)? {
            Ok(suite) => suites.push(suite),
            Err(exit) => return Ok(exit),
        }
    }
    let tried: Vec<(&Suite, Vec<Tried>)> =
        suites.iter().map(|suite| (suite, suite.cases.iter().map(|case| try_out(suite, case)).collect())).collect();
    let all = || tried.iter().flat_map(|(_, cases)| cases);
    let (count, passed) = (all().count(), all().filter(|case| case.passed()).count());
    let each = tried.iter().map(|(suite, cases)| {
        json!({
            "file": suite.name,
            "graph": suite.graph.name,
            "version": suite.graph.hash.to_string(),
            "cases": cases.iter().map(form).collect::<Vec<_>>(),
        })
    });
    let value = json!({ "passed": passed, "failed": count - passed, "files": each.collect::<Vec<_>>() });
    setup.output.result(&value, |paint| {
        let mut text = String::new();
        for (suite, cases) in &tried {
            text += &format!("{}  {}\n", paint.bold(plain(&suite.graph.name)), paint.dim(plain(&suite.name)));
            cases.iter().for_each(|case| text += &told(case, paint));
            text.push('\n');
        }
        text + &summary(count, passed, paint)
    });
    Ok(if passed == count { Exit::Succeeded } else { Exit::Failed })
}

/// Reads a file with cases and its graph; tells what is wrong with either.
fn read(path: &Path, setup: &Setup) -> Result<Result<Suite, Exit>, Failed> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let cause = format!("the test file {name} cannot be read: {error}");
        Failed::usage("file_unreadable", cause, "name a file such as newsletter.test.yaml")
    })?;
    let source = spec::Source::new(name.clone(), text);
    let refused = |problems: Vec<spec::Problem>| {
        let cause = format!("the test file {name} is not valid");
        let mut failed = Failed::usage("invalid_test", cause, "correct the file");
        failed.problems = wire(problems);
        setup.output.failed(&failed, &[Source { name: name.clone(), text: source.text.clone() }])
    };
    let graph = match cases::graph_of(&source) {
        Ok(graph) => path.parent().unwrap_or(Path::new("")).join(graph),
        Err(problems) => return Ok(Err(refused(problems))),
    };
    let file = GraphFile::read(&graph)?;
    let graph = match file.parse() {
        Ok(graph) => graph,
        Err(failed) => return Ok(Err(setup.output.failed(&failed, &file.sources()))),
    };
    Ok(match cases::parse(&source, &graph) {
        Ok(cases) => Ok(Suite { name, file, graph, cases }),
        Err(problems) => Err(refused(problems)),
    })
}

fn try_out(suite: &Suite, case: &Case) -> Tried {
    let name = case.name.clone();
    match rehearsal::play(&suite.graph, suite.file.source(), case) {
        Ok(played) => Tried { name, differences: rehearsal::differences(&case.expect, &played), played: Ok(played) },
        Err(error) => Tried { name, differences: Vec::new(), played: Err(format!("{error:#}")) },
    }
}

/// The form for programs.
fn form(case: &Tried) -> Value {
    let differences = case.differences.iter().map(|one| {
        let mut value = json!({ "at": one.at });
        if let Some(expected) = &one.expected {
            value["expected"] = expected.clone();
        }
        if let Some(found) = &one.found {
            value["found"] = found.clone();
        }
        value
    });
    let mut value =
        json!({ "name": case.name, "passed": case.passed(), "differences": differences.collect::<Vec<_>>() });
    match &case.played {
        Ok(played) => {
            value["status"] = json!(played.status);
            value["output"] = json!(played.output);
            value["failure"] = json!(
                played
                    .failure
                    .as_ref()
                    .map(|failed| json!({ "code": failed.code, "node": failed.node, "message": failed.message }))
            );
            value["visited"] = json!(played.visited);
            value["took_ms"] = json!(played.took_ms);
            value["problems"] = json!(played.problems);
            value["waits"] = json!(played.waits);
        }
        Err(why) => value["problems"] = json!([why]),
    }
    value
}

/// The lines for people: one where all is well, what differs otherwise.
fn told(case: &Tried, paint: Paint) -> String {
    let took = case.played.as_ref().map_or(0, |played| played.took_ms);
    // What takes no time needs no word about it.
    let took = if took < 1_000 { String::new() } else { format!("  {}", paint.dim(rehearsal::duration(took))) };
    let mark = if case.passed() { paint.green("✓") } else { paint.red("✗") };
    let mut text = format!("  {mark} {}{took}\n", plain(&case.name));
    if case.passed() {
        return text;
    }
    let mut line = |line: String| text += &format!("      {line}\n");
    for Difference { at, expected, found } in &case.differences {
        line(plain(at));
        let (expected, found) = (expected.as_ref().map(shown), found.as_ref().map(shown));
        expected.into_iter().for_each(|expected| line(paint.red(format!("- {expected}"))));
        found.into_iter().for_each(|found| line(paint.green(format!("+ {found}"))));
    }
    match &case.played {
        Ok(played) => {
            if let Some(failed) = &played.failure {
                let at = if failed.node.is_empty() { "the run" } else { &failed.node };
                line(format!("{at} failed with {}: {}", failed.code, plain(&failed.message)));
            }
            played.waits.iter().for_each(|wait| line(format!("waits for {}", plain(wait))));
            played.problems.iter().for_each(|problem| line(plain(problem)));
        }
        Err(why) => line(plain(why)),
    }
    text
}

/// A value on one line; a list of names as names.
fn shown(value: &Value) -> String {
    let names = value.as_array().map(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    match (value, names) {
        (Value::String(text), _) => plain(&format!("{text:?}")),
        (_, Some(Some(names))) if !names.is_empty() => plain(&format!("[{}]", names.join(", "))),
        (value, _) => plain(&value.to_string()),
    }
}

fn summary(count: usize, passed: usize, paint: Paint) -> String {
    let cases = if count == 1 { "1 case".to_owned() } else { format!("{count} cases") };
    match count - passed {
        0 => format!("{cases}: {}", paint.green("all as expected")),
        failed => format!("{cases}: {passed} as expected, {}", paint.red(format!("{failed} not"))),
    }
}
