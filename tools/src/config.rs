//! What an operator says of the built-in tools, and the tools that follow from it. Where
//! the settings come from is the caller's part.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use baton_egress::{Client, Policy};
use serde::{Deserialize, Serialize};

use crate::doc_extract::DocExtract;
use crate::document::Settings;
use crate::file_list::FileList;
use crate::http_request::HttpRequest;
use crate::roots::Roots;
use crate::webhook::{SlackPost, WebhookPost};
use crate::{Tool, artifact, debug};

/// The operator's part of the built-in tools.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folders that `file.list` and `doc.extract` may read (`BATON_FILE_ROOTS`).
    pub file_roots: Vec<PathBuf>,
    /// Program and limits of the child processes that read documents.
    pub documents: Settings,
    /// Exceptions and limits of requests to the outside.
    pub egress: Policy,
    /// Slack's incoming webhook; a secret.
    pub slack_url: Option<String>,
    /// Webhooks by name, `default` for calls that name none; secrets.
    pub webhooks: BTreeMap<String, String>,
    /// Whether there are `debug.*` tools (`BATON_DEBUG_TOOLS`).
    pub debug_tools: bool,
    /// Where `debug.ledger` writes (`BATON_DEBUG_DIR`).
    pub debug_dir: Option<PathBuf>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("file_roots", &self.file_roots)
            .field("documents", &self.documents)
            .field("egress", &self.egress)
            .field("slack_url", &self.slack_url.as_ref().map(|_| "…"))
            .field("webhooks", &self.webhooks.keys())
            .field("debug_tools", &self.debug_tools)
            .field("debug_dir", &self.debug_dir)
            .finish()
    }
}

/// The tools that this configuration allows, with an HTTP client of their own.
#[must_use]
pub fn builtin(config: &Config) -> Vec<Tool> {
    builtin_with(config, &Client::new(config.egress.clone()))
}

/// The same over a client that others share.
#[must_use]
pub fn builtin_with(config: &Config, client: &Client) -> Vec<Tool> {
    let roots = Arc::new(Roots::new(&config.file_roots));
    let mut tools = vec![
        Tool::Io(Arc::new(FileList::new(roots.clone()))),
        Tool::Cpu(Arc::new(DocExtract::new(roots, config.documents.clone(), config.debug_tools))),
        Tool::Io(Arc::new(HttpRequest::new(client.clone()))),
        Tool::Io(Arc::new(SlackPost::new(client.clone(), config.slack_url.clone()))),
        Tool::Io(Arc::new(WebhookPost::new(client.clone(), config.webhooks.clone()))),
        Tool::Io(Arc::new(artifact::Write)),
        Tool::Io(Arc::new(artifact::Read)),
        Tool::Io(Arc::new(artifact::List)),
    ];
    if config.debug_tools {
        tools.extend(debug::tools(config.debug_dir.as_deref()));
    }
    tools
}
