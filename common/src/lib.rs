//! The words of Baton: ids, records, transitions, jobs, failures and settings.
//!
//! Everything here is data. It names what the planes say to each other and what a store
//! keeps, and leaves every decision to `engine` (what a graph does next) and to
//! `store::machine` (what a transition changes). Nothing here performs input or output.

pub mod commit;
pub mod failpoint;
pub mod failure;
pub mod hash;
pub mod ids;
pub mod job;
pub mod json_text;
pub mod pace;
pub mod payload;
pub mod records;
pub mod reference;
pub mod settings;
pub mod shared;
pub mod sources;
mod spare;
pub mod time;
pub mod tool;
pub mod trace;
pub mod transition;

pub use failure::{ErrorClass, Failure};
pub use hash::{Digest, Hasher, append_canonical_json, canonical_json};
pub use ids::{
    Actor, ChannelName, Fence, Gen, GraphHash, GroupId, InterruptId, JobId, NodePath, Partition, RequestId, RunId, Seq,
    TenantId, ThreadId, ThreadKey, Version, WorkerId,
};
pub use json_text::JsonText;
pub use payload::{BlobRef, Payload};
pub use shared::{Shared, id_of};
pub use time::Timestamp;
pub use trace::TraceContext;
