//! Content that is too large for a record: values named by their digest, and the files a
//! run leaves behind.
//!
//! Each tenant has an area of its own; a [`Key`] is a path within it and cannot name
//! anything outside. What [`BlobStore::put`] has answered is on disk. Who may read which
//! blob is decided by the control plane, and what a blob means by whoever wrote it.

pub mod content;
pub mod key;
pub mod objects;
mod parts;
pub mod remote;
mod s3;
pub mod store;

pub use content::{
    berth, check_content, compared_pieces, content_pieces, put_content, put_pieces, read_content, renewed,
};
pub use key::Key;
pub use objects::{Objects, open};
pub use remote::Remote;
pub use store::{Access, BlobStore, Entry, Error, Pieces, Upload};
