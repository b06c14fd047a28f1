//! The tools that ship with Baton, for both classes: a worker announces those of its own.

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
    tools.push(Tool::Io(std::sync::Arc::new(Chat::new(config.routes))));
    tools
}

/// A catalogue of all built-in tools.
///
/// # Errors
/// As [`Catalogue::new`].
pub fn builtin_catalogue(config: Config) -> Result<Catalogue, catalogue::Error> {
    Catalogue::new(builtin_tools(config))
}
