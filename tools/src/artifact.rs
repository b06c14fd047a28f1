//! `artifact.write`, `artifact.read`, `artifact.list`: the files that a run leaves behind.

mod list;
mod read;
mod write;

pub use list::List;
pub use read::Read;
pub use write::Write;
