//! What commands start from: how they speak, the settings, and the way to the server.

use std::path::PathBuf;

use baton_common::sources::Sources;
use baton_control::grpc::{DEFAULT_ADDRESS, Trust};
use baton_telemetry::settings;
use baton_worker::config::{FileConfig, ToolSwitches};

use crate::args::Cli;
use crate::client::Client;
use crate::exit::Failed;
use crate::output::Output;

/// Settings of this call.
pub(crate) struct Setup {
    pub(crate) output: Output,
    pub(crate) sources: Sources,
    /// The settings file, if the call named one.
    pub(crate) config: Option<PathBuf>,
    orchestrator: Option<String>,
}

impl Setup {
    pub(crate) fn new(cli: &Cli) -> Result<Self, Failed> {
        let sources = settings::read(cli.config.as_deref(), settings::environment())?;
        Ok(Self::over(sources, cli.json, cli.config.clone(), cli.orchestrator.clone()))
    }

    /// Over settings that were read already.
    pub(crate) fn over(sources: Sources, json: bool, config: Option<PathBuf>, orchestrator: Option<String>) -> Self {
        Self { output: Output { json }, sources, config, orchestrator }
    }

    /// The server that was named, or the one on this machine.
    pub(crate) fn client(&self) -> Result<Client, Failed> {
        let addresses = self.orchestrator.clone().or_else(|| self.sources.get("BATON_ORCHESTRATOR"));
        let trust = Trust::of(&self.sources)
            .map_err(|error| Failed::usage("invalid_setting", error, "name files that hold PEM"))?;
        let (addresses, key) = (addresses.as_deref().unwrap_or(DEFAULT_ADDRESS), self.sources.get("BATON_API_KEY"));
        Client::new(addresses, key.as_deref(), &trust)
    }

    /// The worker's tables of the settings file.
    pub(crate) fn worker_config(&self) -> Result<FileConfig, Failed> {
        Ok(FileConfig::from_sources(&self.sources)?)
    }

    /// Which tools there are, and what they may read beyond the settings file.
    pub(crate) fn switches(&self) -> Result<ToolSwitches, Failed> {
        Ok(ToolSwitches {
            file_roots: Vec::new(),
            debug_tools: self.debug_tools()?,
            debug_dir: self.sources.get("BATON_DEBUG_DIR").map(PathBuf::from),
        })
    }

    /// Whether debug tools, and what they are for, are shown.
    pub(crate) fn debug_tools(&self) -> Result<bool, Failed> {
        Ok(self.sources.switch("BATON_DEBUG_TOOLS")?.unwrap_or(false))
    }

    /// Where embedded clusters keep everything: named, or a folder of the user's own.
    pub(crate) fn data_dir(&self, named: Option<&PathBuf>) -> Result<PathBuf, Failed> {
        let own = || {
            let variable = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
            let shared = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
            Some(shared.or_else(|| Some(variable("HOME")?.join(".local/share")))?.join("baton"))
        };
        let chosen = named.cloned().or_else(|| self.sources.get("BATON_DATA_DIR").map(PathBuf::from)).or_else(own);
        chosen.ok_or_else(|| {
            Failed::usage("no_data_dir", "there is no home folder to keep data in", "set BATON_DATA_DIR")
        })
    }
}
