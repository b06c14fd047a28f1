//! What is said of settings. What it does is left to `commands::config`.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help on the terminal: brackets name variables"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use baton_common::reference::Program;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::DevArgs;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct ConfigArgs {
    /// Print every setting of every program, in Markdown
    #[arg(long)]
    pub(crate) reference: bool,
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read file and environment as a program would, and tell everything that is wrong
    Check {
        /// The program; all of them without
        #[arg(long = "for", value_name = "PROGRAM")]
        program: Option<Whose>,
        /// Flags that the program would be given
        #[arg(last = true, requires = "program")]
        flags: Vec<OsString>,
    },
}

/// A program, as it is named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whose {
    Orchestrator,
    Worker,
    Cli,
}

impl From<Whose> for Program {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Orchestrator => Self::Orchestrator,
            Whose::Worker => Self::Worker,
            Whose::Cli => Self::Cli,
        }
    }
}

/// Flags of `baton` that stand for settings.
#[derive(Debug, Default, Args)]
pub(crate) struct OwnFlags {
    #[arg(long)]
    pub(crate) orchestrator: Option<String>,
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dev: DevArgs,
}
