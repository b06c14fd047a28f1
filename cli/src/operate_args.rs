//! What operators say: which of many, what became of the dead, what the audit holds. What it does
//! is left to `commands::bulk` and `commands::audit`.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help on the terminal: brackets name variables"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What an operation over many is about.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectArgs {
    #[arg(skip)]
    pub(crate) run: Option<String>,
    /// Only runs of the graph of that name
    #[arg(long, value_name = "NAME")]
    pub(crate) graph: Option<String>,
    /// Only runs that stand there: running, failed, …
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only what waits for that: no_worker, question, backoff, …; of what is dead, its kind
    #[arg(long, visible_alias = "kind", value_name = "KIND")]
    pub(crate) why: Option<String>,
    /// Only jobs of that tool
    #[arg(long)]
    pub(crate) tool: Option<String>,
    /// Only jobs of that node
    #[arg(long)]
    pub(crate) node: Option<String>,
    /// Only failures of that class; of what is dead, poison unless given
    #[arg(long)]
    pub(crate) class: Option<String>,
    /// Only what stands so for so long: 90s, 10m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub(crate) older_than: Option<u64>,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
    /// Only show what would be done; so it is without --yes
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
}

impl SelectArgs {
    /// Whether nothing narrows it, and all was not asked for either.
    pub(crate) fn matches_all(&self) -> bool {
        let texts = [&self.run, &self.graph, &self.status, &self.why, &self.tool, &self.node, &self.class];
        texts.into_iter().all(Option::is_none) && self.older_than.is_none() && !self.all
    }
}

/// A time with its unit, in milliseconds.
fn milliseconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time: write 90s, 10m, 2h or 7d");
    let split = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List what is dead: stuck runs, jobs that lost their workers too often, that no worker can
    /// take, or of which nobody knows the outcome
    List {
        #[command(flatten)]
        select: SelectArgs,
    },
    /// Show what is dead of one run
    Show {
        /// The run
        run: String,
    },
    /// Put it to work again, with fresh attempts; without --yes it is only listed
    Redrive {
        /// The run; without one, what the filters name
        run: Option<String>,
        #[command(flatten)]
        select: SelectArgs,
    },
    /// Give it up: jobs end as failed, stuck runs are cancelled; without --yes it is only listed
    Drop {
        /// The run; without one, what the filters name
        run: Option<String>,
        #[command(flatten)]
        select: SelectArgs,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
    #[command(flatten)]
    pub(crate) list: AuditList,
}

/// Which entries are shown.
#[derive(Debug, Args)]
pub(crate) struct AuditList {
    /// Only to this run
    pub(crate) run: Option<String>,
    /// Only what this one did
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only this: submit, cancel, …; or an operation over many by its id
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// Only of the last: 90s, 10m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub(crate) since: Option<u64>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: i32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show who did what, the newest last; the same as without a word
    List(AuditList),
    /// Say whether the log still says what it said; exits 1 where it does not
    Verify {
        /// Hold it against heads that an earlier look saved
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Save where the log ends, to be kept elsewhere
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
}
