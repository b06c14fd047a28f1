//! Spans as the receiver prints them, and whether those of a run hang together: over parents and
//! links one piece, with no parent missing, in the orchestrator and in a worker.

use std::collections::{BTreeMap, BTreeSet};

use baton_telemetry::names;

/// A span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// Its process.
    pub service: String,
    /// Its trace.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// Its parent's; empty for a root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Attributes, as printed.
    pub attributes: BTreeMap<String, String>,
    /// Ids of the spans it is linked to.
    pub links: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Resource,
    Span,
    Link,
    Event,
}

/// Reads what the receiver printed.
#[must_use]
pub fn read(printed: &str) -> Vec<Span> {
    let (mut spans, mut service, mut part) = (Vec::<Span>::new(), String::new(), Part::Resource);
    for line in printed.lines() {
        let line = line.trim();
        if line.contains("ResourceSpans #") {
            (part, service) = (Part::Resource, String::new());
        } else if line.starts_with("Span #") {
            spans.push(Span { service: service.clone(), ..Span::default() });
            part = Part::Span;
        } else if line.starts_with("SpanLink #") {
            part = Part::Link;
        } else if line.starts_with("SpanEvent #") {
            part = Part::Event;
        } else if let Some((key, value)) = line.split_once(':') {
            note(&mut spans, &mut service, part, key.trim(), value.trim());
        }
    }
    spans
}

fn note(spans: &mut [Span], service: &mut String, part: Part, key: &str, value: &str) {
    let (attribute, key) = (key.starts_with("->"), key.trim_start_matches("->").trim());
    if part == Part::Resource && key == "service.name" {
        *service = bare(value).to_owned();
    }
    let Some(span) = spans.last_mut() else { return };
    match (part, attribute, key) {
        (Part::Span, false, "Trace ID") => value.clone_into(&mut span.trace),
        (Part::Span, false, "Parent ID") => value.clone_into(&mut span.parent),
        (Part::Span, false, "ID") => value.clone_into(&mut span.id),
        (Part::Span, false, "Name") => value.clone_into(&mut span.name),
        (Part::Span, true, key) => drop(span.attributes.insert(key.to_owned(), bare(value).to_owned())),
        (Part::Link, _, "ID") => span.links.push(value.to_owned()),
        _ => {}
    }
}

/// `Str(x)` is `x`.
fn bare(value: &str) -> &str {
    let inner = value.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(value).trim_matches('"')
}

/// What a run with a question between two jobs has.
const NAMES: [&str; 12] = [
    names::SPAN_SUBMIT,
    names::SPAN_WORKFLOW,
    names::SPAN_SUPERSTEP,
    names::SPAN_COMMIT,
    names::SPAN_SEND,
    names::SPAN_WAIT,
    names::SPAN_CLAIM,
    names::SPAN_GRANT,
    names::SPAN_TOOL,
    names::SPAN_RESUME,
    names::SPAN_RECORD,
    names::SPAN_ANSWER,
];

/// The spans of a run: those that name it, what these are linked to, and all in their traces.
#[must_use]
pub fn of_run<'a>(spans: &'a [Span], run: &str) -> Vec<&'a Span> {
    let names_it = |span: &&Span| span.attributes.get(names::RUN_ID).is_some_and(|found| found == run);
    let own: Vec<&Span> = spans.iter().filter(names_it).collect();
    let linked: BTreeSet<&str> = own.iter().flat_map(|span| &span.links).map(String::as_str).collect();
    let near = spans.iter().filter(|span| linked.contains(span.id.as_str()));
    let traces: BTreeSet<&str> = own.into_iter().chain(near).map(|span| span.trace.as_str()).collect();
    spans.iter().filter(|span| traces.contains(span.trace.as_str())).collect()
}

/// What is missing for the trace of a run to be whole.
#[must_use]
pub fn missing(all: &[Span], run: &str) -> Vec<String> {
    let spans = of_run(all, run);
    let mut found = Vec::new();
    for name in NAMES {
        if !spans.iter().any(|span| is_named(span, name)) {
            found.push(format!("no span {name}"));
        }
    }
    for service in ["baton-orchestrator", "baton-worker"] {
        if !spans.iter().any(|span| span.service.starts_with(service)) {
            found.push(format!("no span of {service}"));
        }
    }
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    for span in &spans {
        if !span.parent.is_empty() && !ids.contains(span.parent.as_str()) {
            found.push(format!("{} has a parent that nobody sent", span.name));
        }
    }
    let pieces = pieces(&spans);
    if pieces > 1 {
        found.push(format!("its {} spans are in {pieces} pieces", spans.len()));
    }
    found
}

/// A name may go on with what it is about: `publish io.normal`.
fn is_named(span: &Span, name: &str) -> bool {
    span.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// How many pieces the spans are in: connected by parents and links, either way.
fn pieces(spans: &[&Span]) -> usize {
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let mut beside = BTreeMap::<&str, Vec<&str>>::new();
    for span in spans {
        let others = std::iter::once(&span.parent).chain(&span.links).map(String::as_str);
        for other in others.filter(|other| ids.contains(other)) {
            beside.entry(other).or_default().push(&span.id);
            beside.entry(&span.id).or_default().push(other);
        }
    }
    let (mut seen, mut pieces) = (BTreeSet::new(), 0);
    for id in ids {
        if seen.contains(id) {
            continue;
        }
        pieces += 1;
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(beside.get(id).into_iter().flatten());
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "012-abc";

    /// What the receiver prints of a run: a first segment down to the outcome of its job, in a row,
    /// and a second one that an answer woke.
    fn printed() -> String {
        let span = |id: &str, parent: &str, trace: &str, name: &str| {
            format!(
                "Span #0\n    Trace ID       : {trace}\n    Parent ID      : {parent}\n    ID             : {id}\n    \
                 Name           : {name}\n    Kind           : SPAN_KIND_INTERNAL\nStart time: 1795304872726293991\n\
                 Attributes:\n     -> baton.run_id: Str({RUN})\n"
            )
        };
        let service =
            |name: &str| format!("INFO ResourceSpans #0\nResource attributes:\n     -> service.name: Str({name})\n");
        let link = |id: &str| format!("SpanLink #0\n     -> Trace ID: t1\n     -> ID: {id}\n     -> TraceState: \n");
        let mut text = service("baton-orchestrator");
        for (place, name) in NAMES.iter().take(11).enumerate() {
            if place == 5 {
                text += &service("baton-worker-io");
            }
            let parent = if place == 0 { String::new() } else { format!("s{}", place - 1) };
            text += &span(&format!("s{place}"), &parent, "t1", &format!("{name} of it"));
        }
        text += &service("baton-orchestrator");
        text += &span("a", "", "t2", "answer");
        text += &(span("w", "", "t3", "invoke_workflow e2e-ask") + &link("s2") + &link("a"));
        text
    }

    #[test]
    fn spans_are_read_as_the_receiver_prints_them() {
        let spans = read(&printed());
        assert_eq!(spans.len(), 13);
        assert_eq!((spans[5].service.as_str(), spans[5].parent.as_str()), ("baton-worker-io", "s4"));
        assert_eq!(spans[5].name, "wait of it");
        assert_eq!(spans[12].links, ["s2", "a"]);
        assert_eq!((spans[12].trace.as_str(), spans[12].attributes[names::RUN_ID].as_str()), ("t3", RUN));
    }

    #[test]
    fn a_trace_is_whole_only_with_every_parent_and_link() {
        assert_eq!(missing(&read(&printed()), RUN), [""; 0]);
        for link in ["s2", "a"] {
            let cut = printed().replace(&format!("-> ID: {link}\n"), "-> ID: x\n");
            assert_eq!(missing(&read(&cut), RUN), ["its 13 spans are in 2 pieces"], "without the link to {link}");
        }
        for place in 1..11 {
            let cut = printed().replace(&format!("Parent ID      : s{}\n", place - 1), "Parent ID      : x\n");
            assert!(missing(&read(&cut), RUN).iter().any(|one| one.contains("a parent that nobody sent")), "{place}");
        }
        let alone = printed().replace("baton-worker-io", "else");
        assert_eq!(missing(&read(&alone), RUN), ["no span of baton-worker"]);
        assert!(missing(&read(&printed()), "other").iter().any(|one| one == "no span superstep"));
    }
}
