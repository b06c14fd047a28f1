//! The table of a case: which row is for which call.
//!
//! Rows are found by the node's address. An address with the number of an item goes before
//! one without; below that, rows are for items where there are items, else for calls in order.

use std::collections::BTreeMap;

use baton_engine::spec::cases::{Rows, Segment};

/// Rows by address, and how often each node was called.
pub(super) struct Script<'c, T> {
    rows: &'c BTreeMap<String, Rows<T>>,
    calls: BTreeMap<String, usize>,
}

/// The row for a call.
#[derive(Debug, PartialEq)]
pub(super) enum Cue<'c, T> {
    /// It is there.
    Row(&'c T),
    /// Nothing was written for this node.
    Nothing,
    /// Something was, but not for this call, which is the nth, from 1.
    Exhausted(usize),
}

impl<'c, T> Script<'c, T> {
    pub(super) fn new(rows: &'c BTreeMap<String, Rows<T>>) -> Self {
        Self { rows, calls: BTreeMap::new() }
    }

    /// The row for the next call at that address.
    pub(super) fn next(&mut self, address: &[Segment]) -> Cue<'c, T> {
        let whole = written(address);
        let calls = self.calls.entry(whole.clone()).or_default();
        let nth = *calls;
        *calls += 1;
        if let Some(rows) = self.rows.get(&whole) {
            // With all its numbers an address is of one item: its rows are for calls.
            return rows.pick(None, nth).map_or(Cue::Exhausted(nth + 1), Cue::Row);
        }
        for known in shorter(address) {
            if let Some(rows) = self.rows.get(&written(&known.address)) {
                return rows.pick(known.item, nth).map_or(Cue::Exhausted(nth + 1), Cue::Row);
            }
        }
        Cue::Nothing
    }
}

/// An address without some of its numbers, and the innermost of those left out.
struct Shorter {
    address: Vec<Segment>,
    item: Option<u32>,
}

/// The ways to write an address with fewer numbers, those with more first: the innermost
/// number is left out before those of callers.
fn shorter(address: &[Segment]) -> impl Iterator<Item = Shorter> {
    let numbered: Vec<usize> = (0..address.len()).rev().filter(|place| address[*place].item.is_some()).collect();
    let item = numbered.first().and_then(|place| address[*place].item);
    (1..=numbered.len()).map(move |count| {
        let mut address = address.to_vec();
        for place in &numbered[..count] {
            address[*place].item = None;
        }
        Shorter { address, item }
    })
}

/// The address as people write it.
pub(super) fn written(address: &[Segment]) -> String {
    address.iter().map(ToString::to_string).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(parts: &[(&str, Option<u32>)]) -> Vec<Segment> {
        parts.iter().map(|(node, item)| Segment { node: (*node).to_owned(), item: *item }).collect()
    }

    fn each(values: impl IntoIterator<Item = u32>) -> Rows<u32> {
        Rows::Each(values.into_iter().map(Rows::Same).collect())
    }

    #[test]
    fn rows_are_for_calls_in_order() {
        let rows = BTreeMap::from([("a".to_owned(), each([1, 2])), ("b".to_owned(), Rows::Same(7))]);
        let mut script = Script::new(&rows);
        let (a, b) = (at(&[("a", None)]), at(&[("b", None)]));
        assert_eq!(
            [script.next(&a), script.next(&a), script.next(&a)],
            [Cue::Row(&1), Cue::Row(&2), Cue::Exhausted(3)]
        );
        assert_eq!([script.next(&b), script.next(&b)], [Cue::Row(&7), Cue::Row(&7)]);
        assert_eq!(script.next(&at(&[("c", None)])), Cue::Nothing);
    }

    #[test]
    fn rows_of_a_map_are_for_its_items_and_their_calls() {
        let nested = Rows::Each(vec![Rows::Same(1), each([2, 3])]);
        let rows = BTreeMap::from([("m".to_owned(), nested), ("m[4]".to_owned(), each([8, 9]))]);
        let mut script = Script::new(&rows);
        let item = |number| at(&[("m", Some(number))]);
        assert_eq!(
            [script.next(&item(1)), script.next(&item(0)), script.next(&item(1))],
            [Cue::Row(&2), Cue::Row(&1), Cue::Row(&3)]
        );
        assert_eq!([script.next(&item(4)), script.next(&item(4))], [Cue::Row(&8), Cue::Row(&9)]);
        assert_eq!(script.next(&item(2)), Cue::Exhausted(1));
    }

    #[test]
    fn rows_of_a_called_graph_may_name_the_callers_item_or_not() {
        let rows = BTreeMap::from([("c/a".to_owned(), each([1, 2])), ("c[1]/b".to_owned(), Rows::Same(5))]);
        let mut script = Script::new(&rows);
        assert_eq!(script.next(&at(&[("c", Some(1)), ("a", None)])), Cue::Row(&2));
        assert_eq!(script.next(&at(&[("c", Some(1)), ("b", None)])), Cue::Row(&5));
        assert_eq!(script.next(&at(&[("c", Some(0)), ("b", None)])), Cue::Nothing);
    }
}
