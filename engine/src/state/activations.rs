//! How often each node was activated: small in every checkpoint, however many nodes a graph
//! has. Most are activated once at most, so a bit each says it; the others have a number.

use std::collections::BTreeMap;

use baton_common::NodePath;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const BITS: usize = 4;

/// How often each node was activated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Activations {
    /// Nodes that were activated once, four to a digit, by their place in the graph.
    once: Vec<u8>,
    /// How often others were, and what has no place in the graph.
    more: BTreeMap<NodePath, u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Form {
    Bits {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        once: String,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        more: BTreeMap<NodePath, u32>,
    },
    /// As it was written before there were bits.
    Numbers(BTreeMap<NodePath, u32>),
}

impl Activations {
    /// The number of a node's next activation, from 1. `place` is the node's place in its
    /// graph, if it is a node of it.
    pub(crate) fn next(&mut self, place: Option<usize>, path: &NodePath) -> u32 {
        if let Some(count) = self.more.get_mut(path) {
            *count += 1;
            return *count;
        }
        let Some(place) = place else {
            self.more.insert(path.clone(), 1);
            return 1;
        };
        let (digit, bit) = (place / BITS, 1_u8 << (place % BITS));
        if self.once.len() <= digit {
            self.once.resize(digit + 1, 0);
        }
        if self.once[digit] & bit == 0 {
            self.once[digit] |= bit;
            return 1;
        }
        self.once[digit] &= !bit;
        while self.once.last() == Some(&0) {
            self.once.pop();
        }
        self.more.insert(path.clone(), 2);
        2
    }

    /// Tells by their paths what was told by places, given the nodes in order of their places.
    pub(crate) fn name<'a>(&mut self, nodes: impl Iterator<Item = &'a NodePath>) {
        let once = std::mem::take(&mut self.once);
        for (place, path) in nodes.enumerate() {
            if once.get(place / BITS).is_some_and(|digit| digit & (1 << (place % BITS)) != 0) {
                self.more.entry(path.clone()).or_insert(1);
            }
        }
    }
}

impl Serialize for Activations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.once.iter().map(|digit| char::from_digit(u32::from(*digit), 16).unwrap_or('0'));
        Form::Bits { once: digits.collect(), more: self.more.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Activations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Bits { once, more } => {
                let digit = |mark: char| mark.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let once = once.chars().map(digit).collect::<Option<Vec<u8>>>();
                let once = once.ok_or_else(|| serde::de::Error::custom("not hexadecimal digits"))?;
                Ok(Self { once, more })
            }
            Form::Numbers(more) => Ok(Self { once: Vec::new(), more }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(name: &str) -> NodePath {
        NodePath::parse(name).unwrap()
    }

    #[test]
    fn activations_are_counted_by_node() {
        let mut counts = Activations::default();
        let next = |counts: &mut Activations, place, name: &str| counts.next(place, &path(name));
        assert_eq!((1..4).map(|_| next(&mut counts, Some(9), "a")).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(next(&mut counts, Some(5), "b"), 1);
        assert_eq!((1..3).map(|_| next(&mut counts, None, "a/undo")).collect::<Vec<_>>(), [1, 2]);
        let text = serde_json::to_value(&counts).unwrap();
        assert_eq!(text, json!({"once": "02", "more": {"a": 3, "a/undo": 2}}));
        let mut read: Activations = serde_json::from_value(text).unwrap();
        assert_eq!((next(&mut read, Some(9), "a"), next(&mut read, Some(5), "b")), (4, 2));
    }

    #[test]
    fn nodes_that_move_to_other_places_keep_their_counts() {
        let mut counts = Activations::default();
        let (a, b, c) = (path("a"), path("b"), path("c"));
        counts.next(Some(0), &a);
        counts.next(Some(1), &c);
        counts.name([&a, &c].into_iter());
        assert_eq!((counts.next(Some(0), &a), counts.next(Some(1), &b), counts.next(Some(2), &c)), (2, 1, 2));
    }

    #[test]
    fn what_was_written_before_there_were_bits_is_read() {
        let mut read: Activations = serde_json::from_value(json!({"once": 1, "a": 3})).unwrap();
        assert_eq!((read.next(Some(0), &path("a")), read.next(Some(1), &path("once"))), (4, 2));
        let mut read: Activations = serde_json::from_value(json!({"a": 3})).unwrap();
        assert_eq!(read.next(Some(0), &path("a")), 4);
        assert_eq!(serde_json::from_value::<Activations>(json!({})).unwrap(), Activations::default());
    }
}
