//! The tools that ship with Baton, for both classes: a worker announces those of its own.

use std::sync::Arc;

use baton_tools::roots::Roots;
use baton_tools::{Catalogue, Tool, catalogue};

use crate::chat::Chat;

/// What the tools of a worker are made from.
pub struct Config {
    /// Folders, switches and targets of the built-in tools.
    pub tools: baton_tools::Config,
    /// The routes of `chat`.
    pub routes: baton_inference::Routes,
}

/// All built-in tools.
#[must_use]
pub fn builtin_tools(config: Config) -> Vec<Tool> {
    let mut tools = baton_tools::builtin(&config.tools);
    tools.extend(baton_rag::tools());
    let roots = Arc::new(Roots::new(&config.tools.file_roots));
    tools.push(Tool::Io(Arc::new(Chat::new(config.routes, roots))));
    tools
}

/// A catalogue of all built-in tools.
///
/// # Errors
/// As [`Catalogue::new`].
pub fn builtin_catalogue(config: Config) -> Result<Catalogue, catalogue::Error> {
    Catalogue::new(builtin_tools(config))
}
