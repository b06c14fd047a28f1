//! The one HTTP client of tools, models and hooks.
//!
//! A name is resolved once, its addresses are judged, and the connection goes to one of
//! those that passed; each redirect is a request like the first. Private, loopback,
//! link-local, mapped and metadata addresses are refused unless the operator's list names
//! host and port. What a request means, and whether it is repeated, is the caller's part.

pub mod address;
pub mod client;
mod error;
pub mod policy;
mod redirect;
pub mod request;
mod resolve;
pub mod response;
pub mod retry_after;

pub use client::Client;
pub use policy::{Allow, Policy};
pub use request::Request;
pub use reqwest::Method;
pub use resolve::{Lookup, SystemLookup};
pub use response::Response;
pub use url::Url;
