//! Problems of a graph beside the lines they are in. Finding them is `engine`'s part.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use baton_proto::v1::Problem;
use serde_json::{Value, json};

use crate::paint::Paint;

/// A file that problems point into.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As problems name it.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Draws every problem below its place, of a thing that is not valid because of them.
pub(crate) fn draw(what: &str, problems: &[Problem], sources: &[Source], paint: Paint) -> String {
    let renderer = if paint.is_on() { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Unicode);
    let mut drawn = String::new();
    for problem in problems {
        drawn.push_str(&one(&renderer, Level::ERROR, problem, sources));
        drawn.push_str("\n\n");
    }
    let count = problems.len();
    let plural = if count == 1 { "problem" } else { "problems" };
    drawn.push_str(&format!("{} {count} {plural}\n", paint.red(paint.bold(format!("invalid {what}:")))));
    drawn
}

/// Draws what is odd and does no harm.
pub(crate) fn draw_notes(notes: &[Problem], sources: &[Source], paint: Paint) -> String {
    let renderer = if paint.is_on() { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Unicode);
    notes.iter().map(|note| format!("{}\n\n", one(&renderer, Level::WARNING, note, sources))).collect()
}

/// The form for programs.
pub(crate) fn json(problems: &[Problem]) -> Value {
    let each = problems.iter().map(|problem| {
        json!({
            "code": problem.code, "message": problem.message, "label": problem.label, "help": problem.help,
            "file": problem.file, "line": problem.line, "column": problem.column,
            "offset": problem.offset, "length": problem.length,
        })
    });
    each.collect()
}

fn one(renderer: &Renderer, level: Level<'_>, problem: &Problem, sources: &[Source]) -> String {
    let source = sources.iter().find(|source| source.name == problem.file);
    let title = level.primary_title(problem.message.as_str()).id(problem.code.as_str());
    let group = match source {
        Some(source) => {
            let mut annotation = AnnotationKind::Primary.span(span(problem, &source.text));
            // Saying the same twice helps nobody.
            if problem.label != problem.message {
                annotation = annotation.label(problem.label.as_str());
            }
            title.element(Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation))
        }
        None => title.element(Level::NOTE.message(place(problem))),
    };
    let group = match problem.help.as_str() {
        "" => group,
        help => group.element(Level::HELP.message(help.to_owned())),
    };
    renderer.render(&[group])
}

fn place(problem: &Problem) -> String {
    format!("{}:{}:{}", problem.file, problem.line, problem.column)
}

/// The marked part, never outside of the text or within a letter.
fn span(problem: &Problem, text: &str) -> std::ops::Range<usize> {
    let whole = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = whole(usize::try_from(problem.offset).unwrap_or(usize::MAX));
    let length = usize::try_from(problem.length).unwrap_or(usize::MAX);
    start..whole(start.saturating_add(length)).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_stands_below_its_place_with_label_and_help() {
        let text = "nodes:\n  a:\n    thn: end\n";
        let problem = Problem {
            code: "unknown_key".into(),
            message: "a node has no key thn".into(),
            label: "unknown".into(),
            help: "did you mean then?".into(),
            file: "g.yaml".into(),
            line: 3,
            column: 5,
            offset: 16,
            length: 3,
        };
        let source = Source { name: "g.yaml".into(), text: text.into() };
        let drawn = draw("graph", &[problem], &[source], Paint::stdout());
        for part in [
            "error[unknown_key]: a node has no key thn",
            "g.yaml:3:5",
            "3 │     thn: end",
            "━━━ unknown",
            "help: did you mean then?",
            "1 problem",
        ] {
            assert!(drawn.contains(part), "{part:?} is missing in\n{drawn}");
        }
    }

    #[test]
    fn a_place_beyond_the_text_is_drawn_at_its_end() {
        let problem = Problem { offset: 1, length: 900, file: "g".into(), ..Problem::default() };
        let drawn = draw("graph", &[problem], &[Source { name: "g".into(), text: "ä".into() }], Paint::stdout());
        assert!(drawn.contains("invalid graph"));
    }
}
