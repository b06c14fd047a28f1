//! The wire: messages and services of `baton.v1`, generated from `proto/`.
//!
//! Only `grpc` modules and clients name these types; everyone else speaks the words of
//! `baton-common`. Conversions are theirs, this crate only tells how an error travels.

pub mod detail;

/// Messages, clients and servers of `baton.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated; the protos hold the comments")]
pub mod v1 {
    tonic::include_proto!("baton.v1");
}

/// The descriptors of every file, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/baton.v1.bin"));

/// The largest message either side takes or sends; larger things travel in pieces.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The size of a piece of a blob.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// The largest blob that travels.
pub const BLOB_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The metadata key that carries the API key, as `Bearer …`.
pub const AUTHORIZATION: &str = "authorization";
