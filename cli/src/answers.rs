//! Answers given beforehand: `--answer NODE=JSON`, the n-th to the n-th activation.

use std::collections::BTreeMap;

use baton_proto::v1::{Event, Interrupt};
use serde_json::Value;

use crate::exit::Failed;

/// Answers by address, in the order they were given.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answers {
    given: BTreeMap<String, Vec<Value>>,
    asked: BTreeMap<String, usize>,
}

impl Answers {
    /// Reads `NODE=JSON` each.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Failed> {
        let mut answers = Self::default();
        for text in texts {
            let refused = |cause: String| {
                Failed::usage(
                    "invalid_answer",
                    cause,
                    r#"write --answer NODE=JSON, such as approve='{"action":"approve"}'"#,
                )
            };
            let (address, json) = text.split_once('=').ok_or_else(|| refused(format!("{text:?} names no node")))?;
            let value = serde_json::from_str(json)
                .map_err(|error| refused(format!("the answer for {address} is no JSON: {error}")))?;
            answers.given.entry(address.trim().to_owned()).or_default().push(value);
        }
        Ok(answers)
    }

    /// Notes which activation a question belongs to.
    pub(crate) fn note(&mut self, asked: &Event) {
        let activation = asked.group.rsplit_once('#').and_then(|(_, number)| number.parse::<usize>().ok());
        self.asked.insert(asked.text.clone(), activation.unwrap_or(1));
    }

    /// The answer for a question, if one was given: for its item, its node, or what that node
    /// lies beneath, whatever comes nearest.
    pub(crate) fn find(&self, question: &Interrupt) -> Option<&Value> {
        let nth = self.asked.get(&question.id).copied().unwrap_or(1).max(1);
        let exact = format!("{}[{}]", question.node, question.index);
        let above = question.node.rmatch_indices('/').map(|(end, _)| &question.node[..end]);
        let mut addresses = [exact.as_str(), question.node.as_str()].into_iter().chain(above);
        addresses.find_map(|address| self.given.get(address))?.get(nth - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(id: &str, node: &str, index: u32) -> Interrupt {
        Interrupt { id: id.into(), node: node.into(), index, ..Interrupt::default() }
    }

    #[test]
    fn the_nth_answer_is_for_the_nth_activation() {
        let mut answers = Answers::parse(&["a=1".into(), "a=2".into(), "m[3]={}".into()]).expect("answers");
        for (id, group) in [("x", "a#1"), ("y", "a#2"), ("z", "a#3")] {
            answers.note(&Event { group: group.into(), text: id.into(), ..Event::default() });
        }
        assert_eq!(answers.find(&question("x", "a", 0)), Some(&json!(1)));
        assert_eq!(answers.find(&question("y", "a", 0)), Some(&json!(2)));
        assert_eq!(answers.find(&question("z", "a", 0)), None);
        assert_eq!(answers.find(&question("w", "m", 3)), Some(&json!({})));
        assert_eq!(answers.find(&question("w", "m", 2)), None);
    }

    #[test]
    fn an_answer_for_a_node_is_for_what_is_asked_beneath_it() {
        let answers = Answers::parse(&["pay=1".into(), "sub[2]/pay/approve=2".into()]).expect("answers");
        assert_eq!(answers.find(&question("x", "pay/approve", 4)), Some(&json!(1)));
        assert_eq!(answers.find(&question("y", "sub[2]/pay/approve", 0)), Some(&json!(2)));
        assert_eq!(answers.find(&question("z", "sub[1]/pay/approve", 0)), None);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(Answers::parse(&["approve".into()]).is_err());
        assert!(Answers::parse(&["approve=yes".into()]).is_err());
    }
}
