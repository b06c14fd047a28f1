//! What is kept of a schedule: its spec, how far its fires are decided, those not settled
//! yet, and what came of the last ones. `look` and `start` decide on it.

use baton_common::{Actor, RunId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, Fire, Kind, Range, Spec};

/// Fires that are shown after they were settled.
const RECENT_MAX: usize = 20;
/// Runs that are remembered as under way.
const OPEN_MAX: usize = 100;

/// Since when and why nothing fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: Actor,
    /// Why.
    pub note: String,
}

/// What came of a fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its run was accepted.
    Started(RunId),
    /// It had its run already.
    Known(RunId),
    /// An earlier run was under way.
    Overlap,
    /// Too many were waiting.
    Full,
    /// It was refused: an error's code.
    Refused(String),
}

/// A fire that is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// See [`Fire::key`].
    pub key: String,
    /// When it should be.
    pub nominal: Timestamp,
    /// Why.
    pub kind: Kind,
    /// When that was settled.
    pub at: Timestamp,
    /// What came of it.
    pub verdict: Verdict,
}

/// How many fires came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Had a run.
    pub started: u64,
    /// Of these, late or asked for.
    pub made_up: u64,
    /// Left out since an earlier run was under way or too many waited.
    pub skipped: u64,
    /// Left out since nobody was there.
    pub missed: u64,
    /// Left out since it was paused.
    pub paused: u64,
    /// Refused.
    pub refused: u64,
}

/// A schedule as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// What was said.
    pub spec: Spec,
    /// Rises with each edit of the spec.
    pub version: u64,
    /// Who said it.
    pub by: Actor,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was edited last.
    pub updated_at: Timestamp,
    /// Whether and why nothing fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Fires up to then are decided.
    pub mark: Timestamp,
    /// Fires that are decided and not settled, in order.
    #[serde(default)]
    pub pending: Vec<Fire>,
    /// Ranges under way.
    #[serde(default)]
    pub ranges: Vec<Range>,
    /// Runs that were started and are not known to be over.
    #[serde(default)]
    pub open: Vec<RunId>,
    /// The last fires that were settled, new ones first.
    #[serde(default)]
    pub recent: Vec<Past>,
    /// How many came to what.
    #[serde(default)]
    pub counts: Counts,
}

impl Record {
    /// A new schedule. What it would have fired before now is none of its fires.
    #[must_use]
    pub fn new(tenant: TenantId, name: String, spec: Spec, by: Actor, now: Timestamp) -> Self {
        Self {
            tenant,
            name,
            spec,
            version: 1,
            by,
            created_at: now,
            updated_at: now,
            paused: None,
            mark: now,
            pending: Vec::new(),
            ranges: Vec::new(),
            open: Vec::new(),
            recent: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Puts another spec in its place. Fires up to now were the old one's: look before.
    pub fn edit(&mut self, spec: Spec, by: Actor, now: Timestamp) {
        self.spec = spec;
        self.version += 1;
        self.by = by;
        self.updated_at = now;
        self.mark = self.mark.max(now);
    }

    /// The next moments at which it fires.
    ///
    /// # Errors
    /// When its spec cannot be read.
    pub fn upcoming(&self, count: usize) -> Result<Vec<Timestamp>, Error> {
        let calendar = self.spec.calendar()?;
        Ok(std::iter::successors(calendar.next(self.mark), |at| calendar.next(*at)).take(count).collect())
    }

    /// Settles a fire; nothing where that was done before.
    pub fn settle(&mut self, key: &str, verdict: Verdict, now: Timestamp) {
        let Some(place) = self.pending.iter().position(|fire| fire.key == key) else { return };
        let fire = self.pending.remove(place);
        match &verdict {
            Verdict::Started(run) => {
                self.counts.started += 1;
                self.counts.made_up += u64::from(fire.kind != Kind::OnTime);
                self.opened(*run);
            }
            Verdict::Known(run) => self.opened(*run),
            Verdict::Overlap | Verdict::Full => self.counts.skipped += 1,
            Verdict::Refused(_) => self.counts.refused += 1,
        }
        let past = Past { key: fire.key, nominal: fire.nominal, kind: fire.kind, at: now, verdict };
        self.recent.insert(0, past);
        self.recent.truncate(RECENT_MAX);
    }

    fn opened(&mut self, run: RunId) {
        if !self.open.contains(&run) {
            self.open.push(run);
        }
        let surplus = self.open.len().saturating_sub(OPEN_MAX);
        self.open.drain(..surplus);
    }

    /// Puts a fire off whose submit was refused for now.
    pub fn put_off(&mut self, key: &str, until: Timestamp) {
        if let Some(fire) = self.pending.iter_mut().find(|fire| fire.key == key) {
            fire.put_off += 1;
            fire.at = until;
        }
    }

    /// A fire of that key, settled lately.
    #[must_use]
    pub fn past(&self, key: &str) -> Option<&Past> {
        self.recent.iter().find(|past| past.key == key)
    }
}
