//! A job's id: the run, the activation of a node, and a place within it.

use std::fmt;
use std::str::FromStr;

use super::{Error, Gen, NUMBER_BYTES, NodePath, RunId, Text, add_number};
use crate::{Digest, Hasher};

/// One activation of one node: `node#activation`. The activation counts from 1 and is
/// never the superstep's number, which depends on timing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// The node.
    pub node: NodePath,
    /// Which activation of it.
    pub activation: u32,
}

impl GroupId {
    /// Its text, as `to_string` has it and in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.node.as_str().len() + NUMBER_BYTES);
        // A String takes whatever is written.
        let _ = self.add_to(&mut text);
        text
    }
}

impl Text for GroupId {
    fn add_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        text.write_str(self.node.as_str())?;
        text.write_char('#')?;
        add_number(u64::from(self.activation), text)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.add_to(f)
    }
}

impl FromStr for GroupId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::new("group id", text, "it is a node path, # and a number");
        let (node, activation) = text.rsplit_once('#').ok_or_else(refused)?;
        Ok(Self { node: NodePath::parse(node)?, activation: activation.parse().map_err(|_| refused())? })
    }
}

/// One index of a group: `run/gen/group/index`. Attempts of a job share its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    /// The run it belongs to.
    pub run: RunId,
    /// The generation of the run.
    pub r#gen: Gen,
    /// The activation it belongs to.
    pub group: GroupId,
    /// Its place within the group, from 0.
    pub index: u32,
}

impl JobId {
    /// H of the id, the seed of its jitter.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Hasher::new().text(self).finish()
    }

    /// Its text, as `to_string` has it and in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(RunId::BYTES + self.group.node.as_str().len() + 3 * NUMBER_BYTES);
        // A String takes whatever is written.
        let _ = self.add_to(&mut text);
        text
    }
}

impl Text for JobId {
    fn add_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        self.run.add_to(text)?;
        text.write_char('/')?;
        add_number(u64::from(self.r#gen.0), text)?;
        text.write_char('/')?;
        self.group.add_to(text)?;
        text.write_char('/')?;
        add_number(u64::from(self.index), text)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.add_to(f)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::new("job id", text, "it is run/gen/node#activation/index");
        let (run, rest) = text.split_once('/').ok_or_else(refused)?;
        let (generation, rest) = rest.split_once('/').ok_or_else(refused)?;
        let (group, index) = rest.rsplit_once('/').ok_or_else(refused)?;
        Ok(Self {
            run: run.parse()?,
            r#gen: Gen(generation.parse().map_err(|_| refused())?),
            group: group.parse()?,
            index: index.parse().map_err(|_| refused())?,
        })
    }
}

text_serde! { GroupId JobId }
