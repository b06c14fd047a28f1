//! One fire of a schedule and its id, from which its run's id follows: whoever starts it,
//! and however often, it is one run.

use baton_common::{Hasher, RequestId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, Overlap, print_moment};

/// The longest name of a schedule, and the longest name of a backfill or of a run that was
/// asked for: a request id holds both.
pub const NAME_CHARS_MAX: usize = 64;
/// See [`NAME_CHARS_MAX`].
pub const REQUEST_CHARS_MAX: usize = 32;

/// Why it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its time came.
    OnTime,
    /// Nobody was there when its time came.
    CatchUp,
    /// Somebody asked for a past range.
    Backfill,
    /// Somebody asked for it.
    Manual,
}

/// A fire that is decided and not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fire {
    /// Its name within the schedule: the nominal time in UTC, where it is asked for
    /// more than once a name behind that.
    pub key: String,
    /// When it should be.
    pub nominal: Timestamp,
    /// Why.
    pub kind: Kind,
    /// Not before then: jitter lies between, or a pause after a refusal.
    pub at: Timestamp,
    /// What a backfill or a person said instead of the schedule's own policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Whether its run may exist: from then on it is submitted until that is settled.
    #[serde(default)]
    pub begun: bool,
    /// How often its submit was put off.
    #[serde(default)]
    pub put_off: u32,
}

impl Fire {
    /// The fire of a nominal time.
    pub(crate) fn nominal(nominal: Timestamp, kind: Kind) -> Self {
        Self { key: print_moment(nominal), nominal, kind, at: nominal, overlap: None, begun: false, put_off: 0 }
    }

    /// Begins it late by what follows from its id.
    pub(crate) fn jittered(mut self, tenant: &TenantId, schedule: &str, jitter_ms: u64) -> Self {
        if jitter_ms > 0 {
            let hash = Hasher::new().field("jitter").field(tenant.as_str()).field(schedule).field(&self.key).finish();
            let (number, _) = hash.0.split_at(8);
            let number = number.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            self.at = self.at.plus_ms(number % (jitter_ms + 1));
        }
        self
    }
}

/// The request id of a fire's submit.
///
/// # Errors
/// When the names are too long, which checks before have refused.
pub fn request_id(schedule: &str, key: &str) -> Result<RequestId, Error> {
    RequestId::parse(&format!("schedule:{schedule}:{key}")).map_err(|error| Error::new(error.to_string(), ""))
}

/// Checks the name of a schedule, a backfill or a run that is asked for.
///
/// # Errors
/// When it is empty, too long or holds other characters than letters, digits, `_`, `-` and `.`.
pub fn check_name(name: &str, chars_max: usize) -> Result<(), Error> {
    let fits = !name.is_empty() && name.len() <= chars_max;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if fits && name.bytes().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    let cure = format!("use 1 to {chars_max} letters, digits, _, - and .");
    Err(Error::new(format!("{shown:?} is no name"), cure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_make_a_request_id() {
        let (name, request) = ("n".repeat(NAME_CHARS_MAX), "r".repeat(REQUEST_CHARS_MAX));
        let nominal = print_moment(Timestamp(1_774_746_000_000));
        for key in [nominal.clone(), format!("{nominal}~{request}"), format!("run:{request}")] {
            assert!(request_id(&name, &key).is_ok(), "{key}");
        }
    }

    #[test]
    fn jitter_follows_from_the_id() {
        let tenant = TenantId::local();
        let fire = |s: i64| Fire::nominal(Timestamp(s * 1_000), Kind::OnTime).jittered(&tenant, "a", 10_000);
        let late: Vec<u64> = (0..50).map(|s| fire(s).at.since_ms(Timestamp(s * 1_000))).collect();
        assert_eq!(late, (0..50).map(|s| fire(s).at.since_ms(Timestamp(s * 1_000))).collect::<Vec<_>>());
        assert!(
            late.iter().all(|ms| *ms <= 10_000)
                && late.iter().any(|ms| *ms > 5_000)
                && late.iter().any(|ms| *ms < 5_000)
        );
    }
}
