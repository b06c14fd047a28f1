//! Reading documents that nobody vouches for: each in a child process that has nothing but
//! the open document, limits and a pipe for its answer. A document that breaks its reader
//! fails alone.

mod drill;
#[cfg(fuzzing)]
pub mod fuzzing;
mod html;
pub(crate) mod parse;
mod pdf;
mod reader;
mod settings;
mod text;

pub use reader::{Stop, read};
pub use settings::Settings;
