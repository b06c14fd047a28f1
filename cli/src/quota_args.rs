//! What `baton quotas` takes. What it does is left to `commands::quotas`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum QuotasCommand {
    /// Set a quota, in place of the one of that name
    Set(QuotaSetArgs),
    /// List quotas and what is used of them
    List,
    /// Show a quota and what is used of it
    Get {
        /// Its name
        name: String,
    },
    /// Delete a quota
    Delete {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct QuotaSetArgs {
    /// Its name
    pub(crate) name: String,
    /// How much: concurrency 8 | rate 100/s burst 20 | tokens 2000000/day | usd 12.50/month | runs 500
    #[arg(required = true, num_args = 1..)]
    pub(crate) limit: Vec<String>,
    /// Only of this tenant; * gives each one a share of its own
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only calls of this tool, or * for each
    #[arg(long)]
    pub(crate) tool: Option<String>,
    /// Only model calls over this route, or * for each
    #[arg(long)]
    pub(crate) route: Option<String>,
    /// Only of runs that this actor submitted, or * for each
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Work beyond it fails, instead of waiting
    #[arg(long)]
    pub(crate) refuse: bool,
}
