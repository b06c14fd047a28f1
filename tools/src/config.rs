//! What an operator says of the built-in tools, and the tools that follow from it. Where
//! the settings come from is the caller's part.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::roots::Roots;
use crate::{Tool, artifact, debug, file_list};

/// The operator's part of the built-in tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folders that `file.list` and `doc.extract` may read (`BATON_FILE_ROOTS`).
    pub file_roots: Vec<PathBuf>,
    /// Whether there are `debug.*` tools (`BATON_DEBUG_TOOLS`).
    pub debug_tools: bool,
    /// Where `debug.ledger` writes (`BATON_DEBUG_DIR`).
    pub debug_dir: Option<PathBuf>,
}

/// The tools that this configuration allows.
#[must_use]
pub fn builtin(config: &Config) -> Vec<Tool> {
    let roots = Arc::new(Roots::new(&config.file_roots));
    let mut tools = vec![
        Tool::Io(Arc::new(file_list::FileList::new(roots.clone()))),
        Tool::Io(Arc::new(artifact::Write)),
        Tool::Io(Arc::new(artifact::Read)),
        Tool::Io(Arc::new(artifact::List)),
    ];
    if config.debug_tools {
        tools.extend(debug::tools(config.debug_dir.as_deref()));
    }
    tools
}
