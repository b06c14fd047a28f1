//! Which question is meant: by its id, or by the way to the node that asks it: `node`,
//! `node[2]` within a map, `node#3` for its third activation, `caller[2]/node` in a called
//! graph. What is left out is any; an address that leads to one open question only is
//! enough, however short it is.

use baton_common::records::{Interrupt, InterruptState};
use baton_store::RunDetail;

use super::family::Member;
use super::{ApiError, Which};

/// Questions that are listed in an error.
const LISTED_MAX: usize = 20;

/// A question, whose it is, and how it is called.
struct Asked<'a> {
    prefix: &'a str,
    detail: &'a RunDetail,
    interrupt: &'a Interrupt,
    way: Vec<Part<'a>>,
}

/// One name of an address, and what was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part<'a> {
    name: &'a str,
    activation: Option<u32>,
    index: Option<u32>,
}

/// How well an address fits a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It names the node that asks.
    Exact,
    /// It names what that node lies beneath.
    Above,
}

/// The question a caller means, of a run or of one that it called, and whose it is. A node
/// means its open one; where that is answered already, its last one, so that repeating an
/// answer finds what is recorded.
///
/// # Errors
/// When there is none, or several are open there.
pub(super) fn find<'a>(
    root: &'a RunDetail,
    family: &'a [Member],
    which: &Which,
) -> Result<(&'a RunDetail, &'a Interrupt), ApiError> {
    let members = family.iter().map(|member| (member.prefix.as_str(), &member.detail));
    let all: Vec<Asked<'a>> = std::iter::once(("", root)).chain(members).flat_map(asked).collect();
    let path = match which {
        Which::Interrupt(id) => {
            let found = all.iter().find(|asked| asked.interrupt.id == *id);
            return found.map(Asked::both).ok_or_else(|| ApiError::not_found("question", id));
        }
        Which::Node(path) => path,
    };
    let address: Vec<Part<'_>> = path.split('/').map(Part::parse).collect();
    let fitting = |fit: Fit, open: bool| -> Vec<&Asked<'a>> {
        all.iter().filter(|asked| asked.is_open() == open && asked.fit(&address) == Some(fit)).collect()
    };
    for open in [fitting(Fit::Exact, true), fitting(Fit::Above, true)] {
        match open[..] {
            [] => {}
            [one] => return Ok(one.both()),
            _ => return Err(ambiguous(path, &open)),
        }
    }
    let over = [fitting(Fit::Exact, false), fitting(Fit::Above, false)].into_iter().find(|over| !over.is_empty());
    let last = over.into_iter().flatten().max_by_key(|asked| (asked.interrupt.opened_at, asked.interrupt.id));
    let run = root.run.info.id;
    last.map(Asked::both).ok_or_else(|| ApiError::not_found("question", format!("{path} of run {run}")))
}

fn ambiguous(path: &str, open: &[&Asked<'_>]) -> ApiError {
    let mut labels: Vec<String> = open.iter().map(|asked| asked.label(open)).collect();
    labels.sort();
    let more = labels.len().saturating_sub(LISTED_MAX);
    labels.truncate(LISTED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let cause = format!("{path} has several open questions: {}{more}", labels.join(", "));
    ApiError::invalid("question_ambiguous", cause, "name one of them, or its id")
}

fn asked<'a>((prefix, detail): (&'a str, &'a RunDetail)) -> impl Iterator<Item = Asked<'a>> {
    detail.interrupts.iter().map(move |interrupt| {
        let callers = prefix.split('/').filter(|name| !name.is_empty()).map(Part::parse);
        let (activation, index) = (Some(interrupt.job.group.activation), Some(interrupt.job.index));
        let own = interrupt.job.group.node.as_str().split('/').map(|name| Part { name, activation, index });
        Asked { prefix, detail, interrupt, way: callers.chain(own).collect() }
    })
}

impl<'a> Asked<'a> {
    fn both(&self) -> (&'a RunDetail, &'a Interrupt) {
        (self.detail, self.interrupt)
    }

    fn is_open(&self) -> bool {
        self.interrupt.state == InterruptState::Open
    }

    fn fit(&self, address: &[Part<'_>]) -> Option<Fit> {
        let fits = address.len() <= self.way.len() && address.iter().zip(&self.way).all(|(said, is)| said.fits(is));
        let exact = address.len() == self.way.len();
        fits.then_some(if exact { Fit::Exact } else { Fit::Above })
    }

    /// The address that leads here and to none of the others.
    fn label(&self, others: &[&Self]) -> String {
        let group = &self.interrupt.job.group;
        let here = |other: &&&Self| other.prefix == self.prefix && other.interrupt.job.group.node == group.node;
        let activations = others.iter().filter(here).any(|other| other.interrupt.job.group != *group);
        let of = self.detail.groups.iter().find(|(known, _)| known.info.id == *group);
        let mut label = format!("{}{}", self.prefix, group.node);
        if activations {
            label += &format!("#{}", group.activation);
        }
        if of.is_some_and(|(known, _)| known.info.count > 1) {
            label += &format!("[{}]", self.interrupt.job.index);
        }
        label
    }
}

impl<'a> Part<'a> {
    /// `name`, `name#2`, `name[3]` or `name#2[3]`. What is none of these is a name.
    fn parse(text: &'a str) -> Self {
        let indexed = text.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        let (rest, index) = match indexed.and_then(|(rest, index)| Some((rest, index.parse().ok()?))) {
            Some((rest, index)) => (rest, Some(index)),
            None => (text, None),
        };
        match rest.rsplit_once('#').and_then(|(name, number)| Some((name, number.parse().ok()?))) {
            Some((name, activation)) => Self { name, activation: Some(activation), index },
            None => Self { name: rest, activation: None, index },
        }
    }

    fn fits(&self, is: &Part<'_>) -> bool {
        self.name == is.name
            && self.activation.is_none_or(|activation| is.activation.is_none_or(|is| is == activation))
            && self.index.is_none_or(|index| is.index.unwrap_or(0) == index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_as_much_as_it_likes() {
        let part = |name, activation, index| Part { name, activation, index };
        assert_eq!(Part::parse("a"), part("a", None, None));
        assert_eq!(Part::parse("a[2]"), part("a", None, Some(2)));
        assert_eq!(Part::parse("a#3"), part("a", Some(3), None));
        assert_eq!(Part::parse("a#3[2]"), part("a", Some(3), Some(2)));
        assert_eq!(Part::parse("a[x]"), part("a[x]", None, None));
        let is = part("a", Some(3), Some(2));
        assert!(["a", "a[2]", "a#3", "a#3[2]"].iter().all(|said| Part::parse(said).fits(&is)));
        assert!(["b", "a[1]", "a#2", "a#3[0]"].iter().all(|said| !Part::parse(said).fits(&is)));
        assert!(Part::parse("a[0]").fits(&part("a", None, None)), "what runs once is its own first");
    }
}
