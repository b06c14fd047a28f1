//! Ids, each a type of its own, and the partition they name.
//!
//! Everything about a thread, its runs and their jobs lies in one partition, so that one
//! atomic write can change them together.

#[macro_use]
mod macros;
mod digest;
mod job;
mod number;
mod process;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::Hasher;

pub use digest::{GraphHash, IdempotencyKey, InterruptId};
pub use job::{GroupId, JobId};
pub use number::{DispatchSeq, Fence, Gen, Seq, Version};
pub(crate) use number::{NUMBER_BYTES, add_number};
pub use process::{ClaimRequest, WorkerId};

/// Why a text is no id of the kind it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct Error {
    /// The kind of id.
    pub kind: &'static str,
    /// The text that was refused, cut to 80 characters.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl Error {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, text: text.chars().take(80).collect(), rule }
    }
}

/// What is known by its text, and adds it to others without making it first.
pub trait Text {
    /// Adds the text, as `to_string` has it.
    ///
    /// # Errors
    /// When it is not taken.
    fn add_to(&self, text: &mut impl fmt::Write) -> fmt::Result;
}

/// The name of a channel: one text for all the states, checkpoints and threads that know it.
pub type ChannelName = Arc<str>;

/// The longest text id, in bytes.
pub const TEXT_ID_BYTES_MAX: usize = 128;

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $extra:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text: 1 to 128 bytes, ASCII letters, digits and a few marks.
            ///
            /// # Errors
            /// When the text is empty, too long or holds another character.
            pub fn parse(text: &str) -> Result<Self, Error> {
                if text.is_empty() || text.len() > TEXT_ID_BYTES_MAX {
                    return Err(Error::new($kind, text, "it has 1 to 128 characters"));
                }
                if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || $extra.as_bytes().contains(&byte)) {
                    return Err(Error::new($kind, text, concat!("it holds letters, digits and ", $extra)));
                }
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

text_ids! {
    /// Whose data it is. Comes from the authenticated caller, never from a body.
    TenantId = "tenant", "_-.";
    /// Who acted: a person, a key or a component.
    Actor = "actor", "_-.:@";
    /// Long-lived state with a stable name.
    ThreadId = "thread id", "_-.:@~";
    /// A caller's own name for a submit, so that repeating it changes nothing.
    RequestId = "request id", "_-.:@~";
    /// A node's name, behind the path of the node it lies in: `review` or `agent/tools`.
    NodePath = "node path", "_-/";
}

impl TenantId {
    /// The tenant of a server without configured keys.
    #[must_use]
    pub fn local() -> Self {
        Self(Arc::from("local"))
    }
}

impl Actor {
    /// Baton itself.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::from("system"))
    }

    /// The caller of a server without configured keys.
    #[must_use]
    pub fn local() -> Self {
        Self(Arc::from("local"))
    }
}

/// A thread of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ThreadKey {
    /// Whose thread it is.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub thread: ThreadId,
}

impl ThreadKey {
    /// The partition that holds everything about this thread: the one a reserved id
    /// (`~NNN~…`) names, else H(tenant, thread) mod 256.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.thread.named_partition().unwrap_or_else(|| {
            Partition(Hasher::new().field(self.tenant.as_str()).field(self.thread.as_str()).finish().0[0])
        })
    }
}

impl fmt::Display for ThreadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.thread)
    }
}

impl ThreadId {
    /// The thread of a submit that names none: uuid v5 of (tenant, request id), so that a
    /// repeated submit finds it.
    #[must_use]
    pub fn for_request(tenant: &TenantId, request: &RequestId) -> Self {
        Self(name_uuid(&[tenant.as_str(), request.as_str()]).to_string().into())
    }

    /// The thread of a child, in the partition of what it belongs to.
    #[must_use]
    pub fn beside(run: RunId) -> Self {
        Self(format!("~{}~{}", run.partition, run.uuid).into())
    }

    /// A thread of that name in a partition: a fork lies where its origin does.
    ///
    /// # Errors
    /// When the name is too long.
    pub fn within(partition: Partition, name: &str) -> Result<Self, Error> {
        Self::parse(&format!("~{partition}~{name}"))
    }

    /// A thread that nothing else will name.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    fn named_partition(&self) -> Option<Partition> {
        let (number, _) = self.0.strip_prefix('~')?.split_once('~')?;
        (number.len() == 3).then(|| number.parse().ok().map(Partition)).flatten()
    }
}

/// One of 256 parts of a store; fixed when the store is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u8);

impl Partition {
    /// How many there are.
    pub const COUNT: u16 = 256;

    /// All of them, in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (0..=u8::MAX).map(Self)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// One execution on a thread: `NNN-<uuid>`, where NNN is the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// Where everything about it lies.
    pub partition: Partition,
    /// Its name within the partition.
    pub uuid: Uuid,
}

impl RunId {
    /// The run of a submit: uuid v5 of (tenant, thread, request id) where a request id is
    /// given, so that a repeated submit names the same run; v7 otherwise.
    #[must_use]
    pub fn for_submit(thread: &ThreadKey, request: Option<&RequestId>) -> Self {
        let uuid = match request {
            Some(request) => name_uuid(&[thread.tenant.as_str(), thread.thread.as_str(), request.as_str()]),
            None => Uuid::now_v7(),
        };
        Self { partition: thread.partition(), uuid }
    }

    /// The run of a child: H(parent run, generation, group, index), in the parent's partition.
    #[must_use]
    pub fn for_child(job: &JobId) -> Self {
        Self { partition: job.run.partition, uuid: name_uuid(&["child", &job.text()]) }
    }
}

impl RunId {
    /// Bytes of its text.
    pub(crate) const BYTES: usize = 4 + Hyphenated::LENGTH;

    fn text_in(self, text: &mut [u8; Self::BYTES]) -> &str {
        let number = self.partition.0;
        let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit);
        text[..3].copy_from_slice(&digits);
        text[3] = b'-';
        self.uuid.hyphenated().encode_lower(&mut text[4..]);
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl Text for RunId {
    fn add_to(&self, text: &mut impl fmt::Write) -> fmt::Result {
        text.write_str(self.text_in(&mut [0; Self::BYTES]))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.add_to(f)
    }
}

impl FromStr for RunId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::new("run id", text, "it is a partition of three digits, a dash and a uuid");
        let (partition, uuid) = text.split_once('-').ok_or_else(refused)?;
        if partition.len() != 3 {
            return Err(refused());
        }
        let partition = Partition(partition.parse().map_err(|_| refused())?);
        Ok(Self { partition, uuid: Uuid::parse_str(uuid).map_err(|_| refused())? })
    }
}

text_serde! { RunId }

fn name_uuid(fields: &[&str]) -> Uuid {
    let name = fields.iter().fold(Hasher::new(), |hasher, field| hasher.field(field)).finish();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &name.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(name: &str) -> ThreadKey {
        ThreadKey { tenant: TenantId::local(), thread: ThreadId::parse(name).unwrap_or_else(|e| panic!("{e}")) }
    }

    #[test]
    fn a_repeated_submit_names_the_same_run() {
        let request = RequestId::parse("r-1").ok();
        let first = RunId::for_submit(&thread("t"), request.as_ref());
        assert_eq!(first, RunId::for_submit(&thread("t"), request.as_ref()));
        assert_ne!(first, RunId::for_submit(&thread("u"), request.as_ref()));
        assert_ne!(RunId::for_submit(&thread("t"), None), RunId::for_submit(&thread("t"), None));
    }

    #[test]
    fn a_reserved_thread_names_its_partition() {
        assert_eq!(thread("~017~child").partition(), Partition(17));
        assert_eq!(thread("~17~x").partition(), thread("~17~x").partition());
    }

    #[test]
    fn a_job_id_reads_back() {
        let text = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11/2/agent/tools#4/17";
        let job: JobId = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(job.to_string(), text);
        assert_eq!(job.group.node.as_str(), "agent/tools");
    }

    #[test]
    fn marks_that_keys_use_are_refused() {
        for text in ["", "a|b", "a b", "ä", "a/b"] {
            assert!(ThreadId::parse(text).is_err(), "{text}");
        }
    }
}
