//! A graph as a Mermaid flow chart.

use std::fmt::Write;

use super::picture::{Arrow, Box, Kind, Picture, pictures};
use crate::graph::Graph;

/// A flow chart of the graph, each graph it calls in a frame of its own.
#[must_use]
pub fn mermaid(graph: &Graph) -> String {
    let pictures = pictures(graph);
    let mut text = "flowchart TD\n".to_owned();
    for (index, picture) in pictures.iter().enumerate() {
        let prefix = if index == 0 { "n".to_owned() } else { format!("g{index}n") };
        let indent = if index == 0 { "  " } else { "    " };
        if index > 0 {
            _ = writeln!(text, "  subgraph g{index} [\"{}\"]", escaped(&picture.name));
        }
        draw(&mut text, picture, &prefix, indent);
        if index > 0 {
            text += "  end\n";
        }
    }
    text
}

fn draw(text: &mut String, picture: &Picture, prefix: &str, indent: &str) {
    for (index, drawn) in picture.boxes.iter().enumerate() {
        let (open, close) = shape(drawn.kind);
        _ = writeln!(text, "{indent}{prefix}{index}{open}\"{}\"{close}", label(drawn));
    }
    for Arrow { from, to, label, on_error } in &picture.arrows {
        let line = if *on_error { "-.->" } else { "-->" };
        let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", escaped(label)) };
        _ = writeln!(text, "{indent}{prefix}{from} {line}{label} {prefix}{to}");
    }
}

fn shape(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Start | Kind::End => ("((", "))"),
        Kind::Fail => (">", "]"),
        Kind::Tool => ("[", "]"),
        Kind::Chat => ("(", ")"),
        Kind::Ask => ("{{", "}}"),
        Kind::Wait => ("([", "])"),
        Kind::Graph => ("[[", "]]"),
        Kind::Notify => ("[/", "/]"),
        Kind::Local => ("[", "]"),
    }
}

fn label(drawn: &Box) -> String {
    let title = match drawn.kind {
        Kind::Fail => format!("fails: {}", escaped(&drawn.title)),
        Kind::Start | Kind::End => escaped(&drawn.title),
        _ => format!("<b>{}</b>", escaped(&drawn.title)),
    };
    std::iter::once(title).chain(drawn.lines.iter().map(|line| escaped(line))).collect::<Vec<_>>().join("<br/>")
}

/// Letters that Mermaid or HTML would read as something else.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' => _ = write!(escaped, "#{};", u32::from(letter)),
            other => escaped.push(other),
        }
    }
    escaped
}
