//! The settings of the worker binaries: flags before environment before `baton.toml`
//! before defaults, by one list of names. What a worker makes of them is left to the
//! process.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help on the terminal: brackets name variables"
)]

use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use baton_common::sources::{self, Sources};
use baton_common::tool::QueueClass;
use baton_control::grpc::Trust;
use clap::Args;
use clap::builder::BoolishValueParser;

use crate::config::{FileConfig, ToolSwitches};
use crate::settings::Settings;

const BROKER: &str = "amqp://127.0.0.1:5672/%2f";
const ORCHESTRATOR: &str = "http://127.0.0.1:7420";
const DATA_DIR: &str = ".baton";
const METRICS_ADDR: &str = "0.0.0.0:7422";

/// Flags. Each setting is also a variable (`BATON_SLOTS`) and a line of `baton.toml`
/// (`slots`); secrets have no flag.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// The broker: amqp://… or amqps://…, hosts of a cluster with commas [BATON_BROKER]
    #[arg(long, global = true)]
    broker: Option<String>,
    /// The orchestrators, separated by commas [BATON_ORCHESTRATOR]
    #[arg(long, global = true)]
    orchestrator: Option<String>,
    /// Jobs at once; 64 for io, one for each core for cpu [BATON_SLOTS]
    #[arg(long, global = true)]
    slots: Option<usize>,
    /// Where the spool and the probe's file lie [BATON_DATA_DIR]
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// The orchestrators' blob store, where this worker may reach it itself: file:FOLDER (shared with
    /// them) or s3://BUCKET/PREFIX?endpoint=URL&region=NAME; without it, large content goes to
    /// signed addresses or through an orchestrator [BATON_BLOBS]
    #[arg(long, global = true)]
    blobs: Option<String>,
    /// The most bytes of a result or file that a tool makes piece by piece [BATON_BLOB_BYTES_MAX]
    #[arg(long, global = true)]
    blob_bytes_max: Option<u64>,
    /// Offer the debug.* tools [BATON_DEBUG_TOOLS]
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new()
    )]
    debug_tools: Option<bool>,
    /// Where debug.ledger writes [BATON_DEBUG_DIR]
    #[arg(long, global = true)]
    debug_dir: Option<PathBuf>,
    /// Folders that file tools may read, separated by colons [BATON_FILE_ROOTS]
    #[arg(long, global = true)]
    file_roots: Option<OsString>,
    /// Queues beyond those of the class, such as cap.gpu, separated by commas [BATON_QUEUES]
    #[arg(long, value_delimiter = ',', global = true)]
    queues: Option<Vec<String>>,
    /// Take from the queues named by --queues alone, not from those of the class [BATON_QUEUES_ONLY]
    #[arg(
        long, global = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new()
    )]
    queues_only: Option<bool>,
    /// How much cpu threads yield to the rest of the machine, from 0 to 19 [BATON_CPU_NICE]
    #[arg(long, global = true)]
    cpu_nice: Option<u8>,
    /// Jobs may go on this long after a shutdown, in milliseconds [BATON_DRAIN_MS]
    #[arg(long, global = true)]
    drain_ms: Option<u64>,
    /// A call without an answer is repeated after this long, in milliseconds [BATON_CALL_TIMEOUT_MS]
    #[arg(long, global = true)]
    call_timeout_ms: Option<u64>,
    /// The longest pause before a call is repeated, in milliseconds [BATON_BACKOFF_MS_MAX]
    #[arg(long, global = true)]
    backoff_ms_max: Option<u64>,
    /// Where metrics are served, or off [BATON_METRICS_ADDR]
    #[arg(long, global = true)]
    metrics_addr: Option<String>,
    /// The settings file; baton.toml in this folder where there is one [BATON_CONFIG]
    #[arg(long, global = true)]
    pub(crate) config: Option<PathBuf>,
}

/// The settings, resolved.
pub(crate) struct Config {
    /// Address of the broker.
    pub(crate) broker: String,
    /// Addresses of the orchestrators.
    pub(crate) orchestrator: String,
    /// This worker's key; a secret.
    pub(crate) api_key: Option<String>,
    /// Whom `https` trusts, and what it shows.
    pub(crate) trust: Trust,
    /// Address of the blob store, if it has one of its own.
    pub(crate) blobs: Option<String>,
    /// Where the spool and the probe's file lie.
    pub(crate) data_dir: PathBuf,
    /// Where metrics are served, and whether that was said; nowhere, without.
    pub(crate) metrics: Option<(SocketAddr, bool)>,
    /// The log filter.
    pub(crate) log: Option<String>,
    pub(crate) trace_ratio: Option<f64>,
    /// The file's tables, with the file roots that were said elsewhere in place of its own.
    pub(crate) file: FileConfig,
    /// Which tools there are beyond those of the file.
    pub(crate) switches: ToolSwitches,
    /// What the loop is told.
    pub(crate) settings: Settings,
}

impl Options {
    /// Puts the flags before what environment and file say.
    ///
    /// # Errors
    /// When a value is not understood.
    pub(crate) fn resolve(&self, class: QueueClass, sources: &Sources) -> Result<Config, sources::Error> {
        let text = |flag: &Option<String>, name, default: &str| {
            flag.clone().or_else(|| sources.get(name)).unwrap_or_else(|| default.to_owned())
        };
        let path = |flag: &Option<PathBuf>, name| flag.clone().or_else(|| sources.get(name).map(PathBuf::from));
        let mut file = FileConfig::from_sources(sources)?;
        if let Some(roots) = &self.file_roots {
            file.files.roots = std::env::split_paths(roots).filter(|root| !root.as_os_str().is_empty()).collect();
        }
        Ok(Config {
            broker: text(&self.broker, "BATON_BROKER", BROKER),
            orchestrator: text(&self.orchestrator, "BATON_ORCHESTRATOR", ORCHESTRATOR),
            api_key: sources.get("BATON_API_KEY"),
            trust: Trust::of(sources).map_err(|error| sources::Error::Value {
                name: error.setting().to_owned(),
                cause: error.to_string(),
            })?,
            blobs: self.blobs.clone().or_else(|| sources.get("BATON_BLOBS")),
            data_dir: self.folder(sources),
            metrics: sources.settled(self.metrics(sources), || None)?,
            log: sources.get("BATON_LOG"),
            trace_ratio: baton_telemetry::trace_ratio(sources)?,
            file,
            switches: ToolSwitches {
                file_roots: Vec::new(),
                debug_tools: self
                    .debug_tools
                    .map_or_else(|| sources.switch("BATON_DEBUG_TOOLS"), |flag| Ok(Some(flag)))?
                    == Some(true),
                debug_dir: path(&self.debug_dir, "BATON_DEBUG_DIR"),
            },
            settings: self.settings(class, sources)?,
        })
    }

    fn metrics(&self, sources: &Sources) -> Result<Option<(SocketAddr, bool)>, sources::Error> {
        let name = "BATON_METRICS_ADDR";
        let said = self.metrics_addr.clone().or_else(|| sources.get(name));
        let text = said.as_deref().unwrap_or(METRICS_ADDR).trim();
        if text == "off" {
            return Ok(None);
        }
        let address = text.parse().map_err(|_| sources::Error::Value {
            name: name.to_owned(),
            cause: "it is an address and a port, such as 0.0.0.0:7422, or off".to_owned(),
        })?;
        Ok(Some((address, said.is_some())))
    }

    fn folder(&self, sources: &Sources) -> PathBuf {
        let said = self.data_dir.clone().or_else(|| sources.get("BATON_DATA_DIR").map(PathBuf::from));
        said.unwrap_or_else(|| PathBuf::from(DATA_DIR))
    }

    fn settings(&self, class: QueueClass, sources: &Sources) -> Result<Settings, sources::Error> {
        let defaults = Settings::new(class);
        let queues = || sources.get("BATON_QUEUES").map(|text| text.split(',').map(str::to_owned).collect());
        let queues: Vec<String> = self.queues.clone().or_else(queues).unwrap_or_default();
        let queues = queues.iter().map(|queue| queue.trim()).filter(|queue| !queue.is_empty());
        let queues: Vec<String> = queues.map(str::to_owned).collect();
        let only = self.queues_only.map_or_else(|| sources.switch("BATON_QUEUES_ONLY"), |flag| Ok(Some(flag)))?;
        if only == Some(true) && queues.is_empty() {
            let cause = "it leaves no queue to take from: name some in BATON_QUEUES".to_owned();
            let refused = sources::Error::Value { name: "BATON_QUEUES_ONLY".to_owned(), cause };
            sources.settled(Err(refused), || ())?;
        }
        let number = |flag, name, default: u64| Ok(or_said(flag, sources, name)?.unwrap_or(default).max(1));
        Ok(Settings {
            blob_bytes_max: number(self.blob_bytes_max, "BATON_BLOB_BYTES_MAX", defaults.blob_bytes_max)?,
            scratch: Some(self.folder(sources)),
            slots: or_said(self.slots, sources, "BATON_SLOTS")?.unwrap_or(defaults.slots).max(1),
            extra_queues: queues,
            class_queues: only != Some(true),
            cpu_nice: or_said(self.cpu_nice, sources, "BATON_CPU_NICE")?.unwrap_or(defaults.cpu_nice).min(19),
            drain_grace_ms: or_said(self.drain_ms, sources, "BATON_DRAIN_MS")?.unwrap_or(defaults.drain_grace_ms),
            call_timeout_ms: number(self.call_timeout_ms, "BATON_CALL_TIMEOUT_MS", defaults.call_timeout_ms)?,
            backoff_ms_max: number(self.backoff_ms_max, "BATON_BACKOFF_MS_MAX", defaults.backoff_ms_max)?,
            ..defaults
        })
    }
}

/// The flag, or what environment and file say.
fn or_said<T: FromStr<Err: Display>>(
    flag: Option<T>,
    sources: &Sources,
    name: &str,
) -> Result<Option<T>, sources::Error> {
    flag.map_or_else(|| sources.parse(name), |flag| Ok(Some(flag)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    fn resolve(flags: &[&str], file: &str, environment: &[(&str, &str)]) -> Config {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources::read(Some(("baton.toml", file)), environment).unwrap();
        let flags = Flags::parse_from(["worker"].iter().chain(flags)).options;
        flags.resolve(QueueClass::Io, &sources).unwrap()
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_the_file() {
        let file = "slots = 3\ndrain_ms = 7\nqueues = [\"cap.gpu\", \"cap.tpu\"]\ndebug_tools = true";
        let config = resolve(&["--slots=5"], file, &[("BATON_SLOTS", "4"), ("BATON_DRAIN_MS", "8")]);
        assert_eq!((config.settings.slots, config.settings.drain_grace_ms), (5, 8));
        assert_eq!(config.settings.extra_queues, ["cap.gpu", "cap.tpu"]);
        assert_eq!((config.switches.debug_tools, config.settings.call_timeout_ms), (true, 5_000));
        assert!(!resolve(&["--debug-tools=false"], file, &[]).switches.debug_tools);
        assert!(resolve(&["--debug-tools"], "", &[]).switches.debug_tools);
    }

    #[test]
    fn queues_only_wants_queues() {
        let config = resolve(&["--queues=cap.gpu"], "queues_only = true", &[]);
        assert_eq!(config.settings.queues(), ["cap.gpu"]);
        let sources = Sources::read(None, [("BATON_QUEUES_ONLY".to_owned(), "1".to_owned())]).unwrap();
        let error = Options::default().resolve(QueueClass::Io, &sources).err().unwrap();
        assert!(error.to_string().contains("BATON_QUEUES"), "{error}");
    }

    #[test]
    fn metrics_are_served_unless_it_is_said_otherwise() {
        let said = |value: &str| resolve(&[], "", &[("BATON_METRICS_ADDR", value)]).metrics;
        assert_eq!(resolve(&[], "", &[]).metrics, Some(([0, 0, 0, 0], 7422)).map(|at| (at.into(), false)));
        assert_eq!(said("127.0.0.1:1"), Some(([127, 0, 0, 1], 1)).map(|at| (at.into(), true)));
        assert_eq!(said("off"), None);
    }

    #[test]
    fn no_file_roots_means_none_wherever_it_is_said() {
        let roots = |flags: &[&str], environment: &[_]| {
            resolve(flags, "[files]\nroots = [\"/data\"]", environment).file.files.roots
        };
        assert_eq!(roots(&[], &[]), [PathBuf::from("/data")]);
        assert_eq!(roots(&[], &[("BATON_FILE_ROOTS", "/a:/b")]), [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(roots(&[], &[("BATON_FILE_ROOTS", "")]), Vec::<PathBuf>::new());
        assert_eq!(roots(&["--file-roots="], &[("BATON_FILE_ROOTS", "/a")]), Vec::<PathBuf>::new());
    }
}
