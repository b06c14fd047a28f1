//! The way from the last commit of a run back to who submitted it, by parents and links alone,
//! over the spans that an independent collector received.

use std::collections::BTreeMap;

use baton_testbed::CollectedSpan;

/// How one span leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Parent,
    Link(&'static str),
}

/// One step of the way: by what, to which span, and which process must have made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stride {
    pub(super) by: By,
    pub(super) name: &'static str,
    pub(super) process: u32,
}

impl Stride {
    pub(super) fn new(by: By, name: &'static str, process: u32) -> Self {
        Self { by, name, process }
    }
}

/// Walks from `start`, and answers the span it comes to and what that one names as its parent.
pub(super) fn walk<'a>(
    spans: &'a [CollectedSpan],
    start: &'a CollectedSpan,
    way: &[Stride],
) -> Result<&'a CollectedSpan, String> {
    let by_id: BTreeMap<(&str, &str), &CollectedSpan> =
        spans.iter().map(|span| ((span.trace.as_str(), span.id.as_str()), span)).collect();
    let mut at = start;
    for (number, Stride { by, name, process }) in way.iter().enumerate() {
        let next = match by {
            By::Parent => (at.trace.as_str(), at.parent.as_str()),
            By::Link(why) => at
                .links
                .iter()
                .find(|link| link.attributes.iter().any(|(key, value)| key == "baton.link" && value == why))
                .map(|link| (link.trace.as_str(), link.id.as_str()))
                .ok_or_else(|| format!("stride {number}: {} has no link {why}", at.name))?,
        };
        let missing = || format!("stride {number}: {} leads by {by:?} to nothing", at.name);
        let found = by_id.get(&next).ok_or_else(missing)?;
        if found.name != *name {
            return Err(format!("stride {number}: {} leads by {by:?} to {}, not to {name}", at.name, found.name));
        }
        let pid = found.attribute("process.pid").unwrap_or_default();
        if pid != process.to_string() {
            return Err(format!("stride {number}: {name} was made by process {pid}, not {process}"));
        }
        at = found;
    }
    Ok(at)
}

/// The spans without what one stride goes by, wherever it stands in the way: as if whoever puts
/// it in had not.
pub(super) fn without(spans: &[CollectedSpan], from: &str, by: By) -> Vec<CollectedSpan> {
    let mut spans = spans.to_vec();
    for span in spans.iter_mut().filter(|span| span.name == from) {
        match by {
            By::Parent => span.parent.clear(),
            By::Link(why) => span.links.retain(|link| link.attributes.iter().all(|(_, value)| value != why)),
        }
    }
    spans
}
