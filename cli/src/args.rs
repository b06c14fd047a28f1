//! The words of the command line. What each command does stands in `commands`.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help on the terminal: brackets name variables"
)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config_args::ConfigArgs;
use crate::operate_args::{AuditArgs, DeadCommand, SelectArgs};
use crate::quota_args::QuotasCommand;
use crate::schedule_args::SchedulesCommand;

/// Runs agentic workflows that survive crashes.
#[derive(Debug, Parser)]
#[command(
    name = "baton",
    version,
    after_help = "Exit codes: 0 succeeded, 1 failed, 2 wrong usage or invalid graph, 3 waiting for an answer, \
                  4 not found, 5 server unreachable"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print one JSON value on standard output; progress goes to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The orchestrators, separated by commas [BATON_ORCHESTRATOR]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) orchestrator: Option<String>,
    /// The settings file; baton.toml in this folder where there is one [BATON_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a graph to its end in this process; killed and started again it goes on where it was
    Run(RunArgs),
    /// Serve both planes in this process until Ctrl-C
    Dev(DevArgs),
    /// Validate, apply, list and show graphs
    #[command(subcommand)]
    Graph(GraphCommand),
    /// Start a run on a server
    Submit(SubmitArgs),
    /// Follow a run
    Watch(WatchArgs),
    /// Show a run
    Get {
        /// The run
        run: String,
    },
    /// List runs, new ones first
    List(ListArgs),
    /// Answer a question of a run; without an answer, show what is asked
    Answer(AnswerArgs),
    /// Ask a run to stop, or many: without --yes they are only listed
    Cancel {
        /// The run; without one, those that the filters name
        run: Option<String>,
        #[command(flatten)]
        select: SelectArgs,
    },
    /// What does not come through by itself: list it, put it to work again, or give it up
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Tell a thread something that a run of it waits for, or will
    Signal(SignalArgs),
    /// List the checkpoints of a run, new ones first, and who wrote what
    History(HistoryArgs),
    /// Show the state at a checkpoint
    State(StateArgs),
    /// Show what changed between two checkpoints
    Diff(DiffArgs),
    /// Change the state of a run's thread, as a checkpoint of its own
    Edit(EditArgs),
    /// Start a run that goes on from an earlier checkpoint, on a thread of its own
    Fork(ForkArgs),
    /// Take a run that failed, was cancelled or is stuck up again, or many: without --yes they are only listed
    Retry(RetryArgs),
    /// Compute a run again from its recorded results, and compare every checkpoint
    Replay {
        /// The run
        run: String,
    },
    /// Let a run go on that is stuck, once its cause is gone
    Unpark {
        /// The run
        run: String,
    },
    /// Make schedules that run graphs by themselves, and look after them
    #[command(subcommand)]
    Schedules(SchedulesCommand),
    /// List workers
    Workers,
    /// List queues
    Queues,
    /// List the files of a run, or fetch one
    Artifacts(ArtifactsArgs),
    /// Show who did what, and whether the log of it holds
    Audit(AuditArgs),
    /// Read what was written down of runs before they were removed
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Look after the blob store
    #[command(subcommand)]
    Blobs(BlobsCommand),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Set, list and delete quotas: how much of what may be used, by whom
    #[command(subcommand)]
    Quotas(QuotasCommand),
    /// Say whether the server answers, for probes
    Health,
    /// Tell what may be set, and find what is wrong with what is
    Config(ConfigArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// List archived runs, by id
    List {
        /// The most of them
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// `next_page` of the page before
        #[arg(long, value_name = "TOKEN")]
        page: Option<String>,
    },
    /// Print one, a line of JSON for each record
    Show {
        /// The run
        run: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlobsCommand {
    /// Say how much is kept, and how much nothing refers to
    Stats,
    /// Delete what nothing refers to and is older than the grace
    Sweep,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The graph, a YAML file
    pub(crate) graph: PathBuf,
    /// The input: a JSON object, or @FILE with one
    #[arg(long, short, value_name = "JSON|@FILE")]
    pub(crate) input: Option<String>,
    /// Answer a question beforehand; the n-th for a node is for its n-th activation
    #[arg(long, value_name = "NODE=JSON")]
    pub(crate) answer: Vec<String>,
    /// The thread whose state the run continues
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// Your name for this run: the same one goes on with the same run
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// Keep what the run is computed from, so that it can be replayed
    #[arg(long)]
    pub(crate) record: bool,
    /// Where everything is kept [BATON_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
pub(crate) struct DevArgs {
    /// Where HTTP is served, or off; port 0 chooses a free one [BATON_HTTP_ADDR]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) http_addr: Option<String>,
    /// Where gRPC is served; port 0 chooses a free one [BATON_GRPC_ADDR]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) grpc_addr: Option<String>,
    /// Where everything is kept [BATON_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GraphCommand {
    /// Say what is wrong with a graph, with places and cures; needs no server
    Validate {
        /// The graph, a YAML file
        graph: PathBuf,
        /// Ask the server, which knows the tools of its workers and the graphs applied to it
        #[arg(long)]
        server: bool,
    },
    /// Make a graph known to the server under its name
    Apply {
        /// The graph, a YAML file
        graph: PathBuf,
    },
    /// List the graphs the server knows
    List,
    /// Tell what a graph takes, gives, keeps and does
    Show {
        /// A YAML file, or an applied graph: NAME or NAME@VERSION
        graph: String,
        /// Print its whole text, with all it includes
        #[arg(long)]
        source: bool,
    },
    /// Draw a graph
    Draw {
        /// A YAML file, or an applied graph: NAME or NAME@VERSION
        graph: String,
        /// mermaid, a text that many documents draw, or svg, a picture
        #[arg(long, default_value = "mermaid", value_parser = ["mermaid", "svg"])]
        format: String,
        /// Write it to this file; svg where it ends so
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Play the cases of test files against their graphs, in virtual time; needs no server
    Test {
        /// Files with cases, each beside its graph: NAME.test.yaml
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Let open runs of a graph go on with another version of it, where they fit
    Migrate {
        /// The applied graph: NAME, or NAME@VERSION for runs of that version only
        graph: String,
        /// The version they go on with; the one that NAME means now unless given
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Only tell which runs would fit
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the JSON Schema of the language, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// An applied graph: NAME or NAME@VERSION
    pub(crate) graph: String,
    /// The input: a JSON object, or @FILE with one
    #[arg(long, short, value_name = "JSON|@FILE")]
    pub(crate) input: Option<String>,
    /// Your name for this run: the same one answers with the same run
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// The thread whose state the run continues
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// Keep what the run is computed from, so that it can be replayed
    #[arg(long)]
    pub(crate) record: bool,
    /// Follow the run until it ends or waits for an answer
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The run
    pub(crate) run: String,
    /// Only events behind this number
    #[arg(long, default_value_t = 0)]
    pub(crate) after: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only runs that stand there: queued, running, succeeded, failed, …
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only runs of this thread
    #[arg(long)]
    pub(crate) thread: Option<String>,
    /// Say of each open run why it does not end just now
    #[arg(long)]
    pub(crate) why: bool,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: i32,
    /// Where the last page ended
    #[arg(long)]
    pub(crate) page: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The run; without one, show every open question
    pub(crate) run: Option<String>,
    /// The question's id, or its node; with --approve or --reject the only open one
    pub(crate) question: Option<String>,
    /// The decision as JSON, or @FILE with it
    pub(crate) decision: Option<String>,
    /// Approve
    #[arg(long, conflicts_with_all = ["decision", "reject"])]
    pub(crate) approve: bool,
    /// Reject
    #[arg(long, conflicts_with = "decision")]
    pub(crate) reject: bool,
    /// A comment beside --approve or --reject
    #[arg(long)]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// The thread, or one of its runs
    pub(crate) target: String,
    /// The signal's name
    pub(crate) name: String,
    /// What it says: JSON, or @FILE with it
    pub(crate) value: Option<String>,
    /// Your name for this signal: the same one is taken once
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The run
    pub(crate) run: String,
    /// Only checkpoints before this one
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<u64>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: i32,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The run
    pub(crate) run: String,
    /// The checkpoint; the last one otherwise
    #[arg(long, value_name = "SEQ")]
    pub(crate) at: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The run
    pub(crate) run: String,
    /// The earlier checkpoint; 0 is before the first
    pub(crate) from: u64,
    /// The later checkpoint; the last one otherwise
    pub(crate) to: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// The run
    pub(crate) run: String,
    /// A new value for a channel: JSON, a text, or @FILE; null takes the value away
    #[arg(long, value_name = "CHANNEL=JSON", required = true)]
    pub(crate) set: Vec<String>,
    /// The checkpoint you saw: another one by now is a conflict
    #[arg(long, value_name = "SEQ")]
    pub(crate) expected: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// The run to go on from
    pub(crate) run: String,
    /// Its checkpoint; the last one otherwise
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
    /// A value to change first
    #[arg(long, value_name = "CHANNEL=JSON")]
    pub(crate) set: Vec<String>,
    /// The thread of the new run; one of its own otherwise
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// Your name for this fork: the same one answers with the same run
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The run; without one, those that the filters name
    pub(crate) run: Option<String>,
    /// The checkpoint to go on from; otherwise the failure itself is tried again, and what
    /// succeeded beside it stays
    #[arg(long, value_name = "SEQ", requires = "run")]
    pub(crate) from: Option<u64>,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ArtifactsArgs {
    /// The run
    pub(crate) run: String,
    /// A file of it, to be fetched
    pub(crate) path: Option<String>,
    /// Where the fetched file goes; standard output otherwise
    #[arg(long, short, requires = "path")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key; its text is shown this once
    Create {
        /// Who acts with it
        #[arg(long)]
        actor: String,
        /// What it may do: submit, read, answer, operate, work
        #[arg(long, value_delimiter = ',', required = true)]
        scope: Vec<String>,
        /// It ends after so many days; never without
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: Option<u32>,
        /// Whose it is, if not the caller's tenant; only the key of the server's settings names another
        #[arg(long)]
        tenant: Option<String>,
    },
    /// List keys, without their texts
    List,
    /// End a key
    Revoke {
        /// Its public part
        id: String,
    },
}
