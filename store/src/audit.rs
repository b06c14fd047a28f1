//! The chain of the audit: each entry names the link of the one before it, so that none can be
//! changed, taken out or moved without the rest telling. Who may read entries, and where heads
//! are kept for later, is left to others.
//!
//! The link is SHA-1, because a script in Redis can make no other within its budget; what an
//! exported head promises does not rest on it alone (docs/adr/0013).

use baton_common::Partition;
use baton_common::records::{Audit, AuditHead};

/// The link of an entry: over everything it says, and the link before it.
#[must_use]
pub fn link(entry: &Audit) -> String {
    sha1_smol::Sha1::from(text(entry)).digest().to_string()
}

/// What is hashed: each field behind its length, so that no two entries share their bytes.
fn text(entry: &Audit) -> String {
    use std::fmt::Write as _;
    let fields = [
        entry.prior.clone(),
        entry.number.to_string(),
        entry.at.to_string(),
        entry.tenant.to_string(),
        entry.actor.to_string(),
        entry.operation.clone(),
        entry.run.uuid.simple().to_string(),
        entry.subject.clone(),
        entry.before.to_string(),
        entry.after.to_string(),
        entry.verdict.clone(),
    ];
    fields.iter().fold(String::new(), |mut text, field| {
        let _ = write!(text, "{}:{field}", field.len());
        text
    })
}

/// Gives an entry its place behind a head, and tells the new head.
#[must_use]
pub fn append(mut entry: Audit, head: Option<AuditHead>) -> (Audit, AuditHead) {
    let head = head.unwrap_or_default();
    (entry.number, entry.prior) = (head.number + 1, head.link);
    let head = AuditHead { number: entry.number, link: link(&entry) };
    (entry, head)
}

/// How a log is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Entries are gone.
    Missing,
    /// An entry says something else than it did.
    Altered,
    /// An entry stands where another stood.
    Reordered,
}

/// The first place where a partition's log does not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Break {
    /// The partition.
    pub partition: Partition,
    /// The number of the entry, or of the first that is gone.
    pub number: u64,
    /// How.
    pub fault: Fault,
    /// In words.
    pub what: String,
}

/// A head that was kept somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeptHead {
    /// The partition.
    pub partition: Partition,
    /// The last entry's number by then.
    pub number: u64,
    /// Its link.
    pub link: String,
}

/// Walks along a partition's log, an entry at a time.
#[derive(Debug)]
pub struct Walk {
    partition: Partition,
    kept: Option<KeptHead>,
    /// Entries of before the chain.
    pub unchained: u64,
    /// Entries with a link.
    pub chained: u64,
    /// The first entry that has a link and is still kept.
    pub first: Option<u64>,
    last: Option<AuditHead>,
    broken: Option<Break>,
}

impl Walk {
    /// At the beginning of a partition's log, to be held against a head that was kept.
    #[must_use]
    pub fn new(partition: Partition, kept: Option<KeptHead>) -> Self {
        Self { partition, kept, unchained: 0, chained: 0, first: None, last: None, broken: None }
    }

    /// The next entry.
    pub fn step(&mut self, entry: &Audit) {
        if self.broken.is_some() {
            return;
        }
        if entry.number == 0 {
            match &self.last {
                None => self.unchained += 1,
                Some(last) => self.fail(last.number + 1, Fault::Altered, "an entry without a link stands behind it"),
            }
            return;
        }
        match self.last.clone() {
            None if entry.number == 1 && !entry.prior.is_empty() => {
                self.fail(1, Fault::Altered, "the first entry names a link before it");
            }
            // Entries of before the chain are followed by the first of it.
            None if entry.number > 1 && self.unchained > 0 => {
                self.fail(1, Fault::Missing, "the chain does not begin at its first entry");
            }
            None => self.first = Some(entry.number),
            Some(last) if entry.number <= last.number => {
                self.fail(entry.number, Fault::Reordered, "it stands behind a later one");
            }
            Some(last) if entry.number > last.number + 1 => {
                let what = format!("{} entries are gone", entry.number - last.number - 1);
                self.fail(last.number + 1, Fault::Missing, &what);
            }
            Some(last) if entry.prior != last.link => {
                self.fail(last.number, Fault::Altered, "the entry behind it names another link");
            }
            Some(_) => {}
        }
        if self.broken.is_some() {
            return;
        }
        let head = AuditHead { number: entry.number, link: link(entry) };
        if let Some(kept) = self.kept.take_if(|kept| kept.number == head.number)
            && kept.link != head.link
        {
            self.fail(head.number, Fault::Altered, "the head that was kept names another link");
            return;
        }
        self.chained += 1;
        self.last = Some(head);
    }

    /// The end, with the head that the store had when the walk began.
    #[must_use]
    pub fn end(mut self, head: Option<&AuditHead>) -> Walked {
        let last = self.last.clone().unwrap_or_default();
        if self.broken.is_none()
            && let Some(head) = head
        {
            if last.number < head.number {
                let what = format!("the last {} entries are gone", head.number - last.number);
                self.fail(last.number + 1, Fault::Missing, &what);
            } else if last.number == head.number && last.link != head.link {
                self.fail(last.number, Fault::Altered, "the head names another link");
            }
        } else if self.broken.is_none() && self.chained > 0 {
            self.fail(last.number, Fault::Missing, "the log has no head");
        }
        let beyond = self.kept.take().filter(|_| self.broken.is_none());
        let mut unjudged = false;
        if let Some(kept) = beyond {
            if kept.number > last.number {
                self.fail(last.number + 1, Fault::Missing, "it ends before the head that was kept");
            } else {
                unjudged = self.first.is_some_and(|first| kept.number < first);
            }
        }
        Walked {
            unchained: self.unchained,
            chained: self.chained,
            first: self.first,
            last,
            broken: self.broken,
            unjudged,
        }
    }

    fn fail(&mut self, number: u64, fault: Fault, what: &str) {
        self.broken = Some(Break { partition: self.partition, number, fault, what: what.to_owned() });
    }
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// Entries of before the chain.
    pub unchained: u64,
    /// Entries with a link that holds.
    pub chained: u64,
    /// The first entry that has a link and is still kept.
    pub first: Option<u64>,
    /// Where the log ends.
    pub last: AuditHead,
    /// The first place where it does not hold.
    pub broken: Option<Break>,
    /// Whether the head that was kept is older than what is still kept.
    pub unjudged: bool,
}

#[cfg(test)]
mod tests;
