//! The words of `baton schedules`. What they do stands in `commands::schedules`.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help on the terminal: brackets name variables"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is done with schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// Make a schedule; repeating it with the same words changes nothing
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        spec: SpecArgs,
    },
    /// Replace what a schedule says; what was due of the old is done
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        spec: SpecArgs,
        /// Only if it has this version
        #[arg(long, value_name = "N")]
        version: Option<u64>,
    },
    /// List schedules
    List,
    /// Show a schedule: when it fires next, what waits, and what came of the last fires
    Get {
        /// Its name
        name: String,
        /// Show so many fires to come
        #[arg(long, value_name = "N", default_value_t = 5)]
        next: u32,
    },
    /// Show when a schedule would fire, without making it
    Preview {
        #[command(flatten)]
        spec: SpecArgs,
        /// Show so many fires
        #[arg(long, value_name = "N", default_value_t = 5)]
        next: u32,
    },
    /// Let it fire no more until it is resumed
    Pause {
        /// Its name
        name: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Let it fire again, from now on
    Resume {
        /// Its name
        name: String,
    },
    /// Run it now
    Run {
        /// Its name
        name: String,
        /// Your name for this run: repeating it changes nothing
        #[arg(long, value_name = "ID")]
        request_id: Option<String>,
        /// Instead of its own policy: skip, queue, cancel_running, allow
        #[arg(long)]
        overlap: Option<String>,
    },
    /// Run what it would have fired in a past range
    Backfill(BackfillArgs),
    /// Remove a schedule; runs it started go on
    Delete {
        /// Its name
        name: String,
    },
}

/// What a schedule says: a file, flags, or flags over a file.
#[derive(Debug, Args)]
pub(crate) struct SpecArgs {
    /// A YAML file
    pub(crate) file: Option<PathBuf>,
    /// The graph, NAME or NAME@VERSION
    #[arg(long)]
    pub(crate) graph: Option<String>,
    /// Its input: a JSON object, or @FILE with one
    #[arg(long, short, value_name = "JSON|@FILE")]
    pub(crate) input: Option<String>,
    /// When: \"minute hour day month weekday\", seconds in front where wanted, or @daily
    #[arg(long)]
    pub(crate) cron: Option<String>,
    /// How often, as 90s, 15m or 1d
    #[arg(long, value_name = "SPAN")]
    pub(crate) every: Option<String>,
    /// A moment that the interval meets
    #[arg(long, value_name = "MOMENT")]
    pub(crate) anchor: Option<String>,
    /// The time zone of the cron expression, as Europe/Berlin
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// Not before then
    #[arg(long, value_name = "MOMENT")]
    pub(crate) start: Option<String>,
    /// Before then only
    #[arg(long, value_name = "MOMENT")]
    pub(crate) end: Option<String>,
    /// Begin each run up to so much later
    #[arg(long, value_name = "SPAN")]
    pub(crate) jitter: Option<String>,
    /// While an earlier run is under way: skip, queue, cancel_running, allow
    #[arg(long)]
    pub(crate) overlap: Option<String>,
    /// What nobody was there for: skip, last, all
    #[arg(long, value_name = "POLICY")]
    pub(crate) catch_up: Option<String>,
    /// How far back that reaches
    #[arg(long, value_name = "SPAN")]
    pub(crate) window: Option<String>,
    /// How many of these begin in a minute
    #[arg(long, value_name = "N")]
    pub(crate) per_minute: Option<u32>,
    /// One thread for all runs
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// The input that is given the time of the fire
    #[arg(long, value_name = "NAME")]
    pub(crate) time_input: Option<String>,
}

/// A past range.
#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    /// The schedule
    pub(crate) name: String,
    /// From then on, as 2026-03-29T01:00:00Z
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: String,
    /// Up to then
    #[arg(long, value_name = "MOMENT")]
    pub(crate) until: String,
    /// Your name for this backfill: repeating it changes nothing
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// Instead of its own policy: skip, queue, cancel_running, allow
    #[arg(long)]
    pub(crate) overlap: Option<String>,
    /// At most so many in a minute
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) per_minute: u32,
    /// Run fires again that had their run
    #[arg(long)]
    pub(crate) again: bool,
}
