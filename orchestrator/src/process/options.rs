//! The settings of the program: flags before environment before `baton.toml` before
//! defaults, by one list of names.
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help on the terminal: brackets name variables"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use baton_common::sources::Sources;
use baton_control::grpc::Trust;
use baton_store::machine::Guards;
use baton_telemetry::settings;
use clap::Args;

use super::addresses::{GRPC_ADDR, address, http_address};
use super::sabotage;
use crate::listener::TlsFiles;
use crate::{Settings, wiring};

const STORE: &str = "redis://127.0.0.1:6379";
const BROKER: &str = "amqp://127.0.0.1:5672/%2f";
/// Twice as long as content is referred to again.
const BLOB_GRACE_MS_MIN: u64 = 2 * baton_blobs::content::REUSED_WITHIN_MS;
/// How often blobs are swept unless said otherwise.
const BLOB_SWEEP_MS: u64 = 6 * 3_600_000;
/// 90 days.
const ARCHIVE_MS: u64 = 90 * 24 * 3_600_000;
const DATA_DIR: &str = ".baton";

/// Flags. Each setting is also a variable (`BATON_STORE`) and a line of `baton.toml`
/// (`store`); secrets have no flag.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// The store: redis://…, redis+sentinel://…, redis+cluster://… (rediss for TLS), sqlite:FOLDER or memory: [BATON_STORE]
    #[arg(long, global = true)]
    pub store: Option<String>,
    /// The broker: amqp://…, amqps://… (hosts of a cluster with commas) or memory: [BATON_BROKER]
    #[arg(long, global = true)]
    pub broker: Option<String>,
    /// Large values and files: file:FOLDER, s3://BUCKET/PREFIX?endpoint=URL&region=NAME or memory: [BATON_BLOBS]
    #[arg(long, global = true)]
    pub blobs: Option<String>,
    /// Where gRPC is served; port 0 chooses a free one [BATON_GRPC_ADDR]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub grpc_addr: Option<String>,
    /// Where HTTP is served, or off; port 0 chooses a free one [BATON_HTTP_ADDR]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub http_addr: Option<String>,
    /// The certificate that gRPC and HTTP show, with its chain, in PEM; in the clear without [BATON_TLS_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, in PEM [BATON_TLS_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Who vouches for clients, which then must show a certificate, in PEM [BATON_TLS_CLIENT_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// Where files lie unless --blobs says so [BATON_DATA_DIR]
    #[arg(long, global = true)]
    pub data_dir: Option<PathBuf>,
    /// How long calls and steps under way may take after a signal, in milliseconds [BATON_GRACE_MS]
    #[arg(long, global = true)]
    pub grace_ms: Option<u64>,
    /// Runs that are advanced at once [BATON_ADVANCES_MAX]
    #[arg(long, global = true)]
    pub advances_max: Option<usize>,
    /// The settings file; baton.toml in this folder where there is one [BATON_CONFIG]
    #[arg(long, global = true)]
    pub config: Option<PathBuf>,
}

/// The settings, resolved.
pub struct Config {
    /// Address of the store.
    pub store: String,
    /// Address of the broker.
    pub broker: String,
    /// Address of the blob store.
    pub blobs: String,
    /// Where gRPC is served.
    pub grpc_addr: SocketAddr,
    /// Where HTTP is served; nowhere without one.
    pub http_addr: Option<SocketAddr>,
    /// What gRPC and HTTP show; in the clear without.
    pub tls: Option<TlsFiles>,
    /// How the probe trusts what it asks.
    pub trust: Trust,
    /// A key of the tenant `local` with every scope; a secret.
    pub api_key: Option<String>,
    /// A key that lets workers in and nobody else; a secret.
    pub worker_key: Option<String>,
    /// Where the bound address is written.
    pub addr_file: Option<PathBuf>,
    /// The log filter.
    pub log: Option<String>,
    /// What the orchestrator is told.
    pub settings: Settings,
    /// The share of runs that is traced, if it is said.
    pub trace_ratio: Option<f64>,
    /// Which checks of the store hold: all, but in drills.
    pub guards: Guards,
}

impl Options {
    /// Reads environment and file, and puts the flags before them.
    ///
    /// # Errors
    /// When a name is unknown, a value is not understood or the file cannot be read.
    pub fn resolve(&self, environment: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Config> {
        self.resolve_from(&settings::read(self.config.as_deref(), environment)?)
    }

    /// Puts the flags before what environment and file say.
    ///
    /// # Errors
    /// When a value is not understood.
    pub fn resolve_from(&self, sources: &Sources) -> anyhow::Result<Config> {
        let text = |flag: &Option<String>, name, default: String| {
            flag.clone().or_else(|| sources.get(name)).unwrap_or(default)
        };
        let data_dir = self.data_dir.clone().or_else(|| sources.get("BATON_DATA_DIR").map(PathBuf::from));
        let data_dir = data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let blobs = text(&self.blobs, "BATON_BLOBS", format!("file:{}", data_dir.join("blobs").display()));
        let broker = text(&self.broker, "BATON_BROKER", BROKER.to_owned());
        let grpc_addr = address("BATON_GRPC_ADDR", &text(&self.grpc_addr, "BATON_GRPC_ADDR", GRPC_ADDR.to_owned()));
        let free = || SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let grpc_addr = sources.or_noted("BATON_GRPC_ADDR", grpc_addr, free)?;
        let drill = sources.settled(sabotage::read(sources), sabotage::Drill::default)?;
        let mut settings = self.settings(sources, &broker)?;
        settings.sweep &= drill.sweep;
        let reader = sources.settled(sabotage::reader(sources), || None)?;
        settings.reader = reader.unwrap_or(settings.reader);
        let http_addr = self.http_addr.clone().or_else(|| sources.get("BATON_HTTP_ADDR"));
        let http_addr = http_address(http_addr.as_deref(), grpc_addr);
        let tls = sources.or_noted("BATON_TLS_CERT", self.tls_files(sources), || None)?;
        Ok(Config {
            store: text(&self.store, "BATON_STORE", STORE.to_owned()),
            settings,
            guards: drill.guards,
            broker,
            blobs,
            http_addr: sources.or_noted("BATON_HTTP_ADDR", http_addr, || None)?,
            grpc_addr,
            tls,
            trust: Trust::of(sources)?,
            api_key: sources.get("BATON_API_KEY"),
            worker_key: sources.get("BATON_WORKER_KEY"),
            addr_file: sources.get("BATON_ADDR_FILE").map(PathBuf::from),
            log: sources.get("BATON_LOG"),
            trace_ratio: baton_telemetry::trace_ratio(sources)?,
        })
    }

    fn tls_files(&self, sources: &Sources) -> anyhow::Result<Option<TlsFiles>> {
        let said = [("BATON_TLS_CERT", &self.tls_cert), ("BATON_TLS_KEY", &self.tls_key)];
        let flags = said.into_iter().chain([("BATON_TLS_CLIENT_CA", &self.tls_client_ca)]);
        Ok(TlsFiles::of(|name| {
            let flag = flags.clone().find(|(known, _)| *known == name).and_then(|(_, flag)| flag.clone());
            flag.or_else(|| sources.get(name).map(PathBuf::from))
        })?)
    }

    fn settings(&self, sources: &Sources, broker: &str) -> anyhow::Result<Settings> {
        let defaults = Settings::default();
        let advances_max =
            self.advances_max.map_or_else(|| sources.parse("BATON_ADVANCES_MAX"), |flag| Ok(Some(flag)))?;
        let grace_ms = self.grace_ms.map_or_else(|| sources.parse("BATON_GRACE_MS"), |flag| Ok(Some(flag)))?;
        let random = uuid::Uuid::new_v4();
        Ok(Settings {
            timings: sources.timings()?,
            replica: format!("{}-{}", std::process::id(), random.simple()),
            sweep: sources.switch("BATON_SWEEP")?.unwrap_or(defaults.sweep),
            broker_forgets: wiring::broker_forgets(broker),
            advances_max: advances_max.unwrap_or(defaults.advances_max),
            grace_ms: grace_ms.unwrap_or(defaults.grace_ms),
            connection_age_ms: sources.parse("BATON_CONNECTION_AGE_MS")?.unwrap_or(defaults.connection_age_ms),
            watches_max: sources.parse("BATON_WATCHES_MAX")?.unwrap_or(defaults.watches_max),
            admission_fill_percent: sources
                .parse("BATON_ADMISSION_FILL_PERCENT")?
                .unwrap_or(defaults.admission_fill_percent),
            backlog_max: sources.parse("BATON_BACKLOG_MAX")?.unwrap_or(defaults.backlog_max),
            lane_share: sources.parse("BATON_LANE_SHARE")?.unwrap_or(defaults.lane_share),
            blob_sweep_ms: sources.parse("BATON_BLOB_SWEEP_MS")?.unwrap_or(BLOB_SWEEP_MS),
            archive_ms: sources.parse("BATON_ARCHIVE_MS")?.unwrap_or(ARCHIVE_MS),
            blob_grace_ms: sources
                .parse("BATON_BLOB_GRACE_MS")?
                .unwrap_or(defaults.blob_grace_ms)
                .max(BLOB_GRACE_MS_MIN),
            cluster_secret: sources.get("BATON_CLUSTER_SECRET"),
            secrets: sources.table("secrets")?,
            seed: random.as_u64_pair().0,
            ..defaults
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("b.toml");
        std::fs::write(
            &file,
            "store = \"memory:\"\nbroker = \"memory:\"\n[timing]\nlease_ms = 900\n[secrets]\na = \"env:A\"",
        )
        .expect("a file");
        let options = Options { config: Some(file), store: Some("sqlite:x".into()), ..Options::default() };
        let variables =
            [("BATON_STORE", "redis://y"), ("BATON_GRPC_ADDR", "localhost:0"), ("BATON_TIMING_TICK_MS", "3")];
        let config = options.resolve(environment(&variables)).expect("settings");
        assert_eq!((config.store.as_str(), config.broker.as_str()), ("sqlite:x", "memory:"));
        assert_eq!(config.grpc_addr.to_string(), "127.0.0.1:0");
        assert_eq!((config.settings.timings.lease_ms, config.settings.timings.tick_ms), (900, 3));
        assert!(config.settings.broker_forgets && config.settings.secrets.contains_key("a"));
    }

    #[test]
    fn an_unknown_variable_ends_the_start() {
        let error = Options::default().resolve(environment(&[("BATON_GPRC_ADDR", "x")])).err().expect("unknown");
        assert!(error.to_string().contains("BATON_GRPC_ADDR"), "{error}");
    }
}
