//! The part of `baton.toml` that speaks to workers. Other parts of the file belong to
//! other planes; a key that looks like a misspelt one of ours is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use baton_common::Failure;
use baton_inference::{ModelConfig, ProviderConfig, RouteConfig};
use serde::Deserialize;

/// Tables that workers read.
const OURS: [&str; 7] = ["routes", "providers", "egress", "slack", "webhooks", "documents", "files"];

/// The worker's tables.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FileConfig {
    /// `[routes.NAME] candidates = […]`.
    pub routes: BTreeMap<String, RouteConfig>,
    /// `[providers.NAME] base_url, key, …`.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// `[egress] allow = ["host:port"]` and limits.
    pub egress: baton_egress::Policy,
    /// `[slack] url = "env:NAME"`.
    pub slack: Slack,
    /// `[webhooks] NAME = "env:NAME"`.
    pub webhooks: BTreeMap<String, String>,
    /// Limits of the children that read documents.
    pub documents: baton_tools::document::Settings,
    /// `[files] roots = ["/data"]`.
    pub files: Files,
}

/// Where Slack messages go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slack {
    /// Reference to the incoming webhook's URL.
    pub url: Option<String>,
}

/// What file tools may read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// Folders.
    pub roots: Vec<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no such TOML.
    #[error("{path}: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        reason: String,
    },
    /// What it names cannot be used.
    #[error(transparent)]
    Use(#[from] Failure),
}

/// What flags and environment say of tools.
#[derive(Debug, Clone, Default)]
pub struct ToolSwitches {
    /// Beside those of the file.
    pub file_roots: Vec<PathBuf>,
    /// `debug.*`.
    pub debug_tools: bool,
    /// Where `debug.ledger` writes.
    pub debug_dir: Option<PathBuf>,
}

impl FileConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|reason| Error::Form { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        for key in table.keys().filter(|key| !OURS.contains(&key.as_str())) {
            if let Some(meant) = OURS.iter().find(|ours| distance(ours, key) <= 2) {
                return Err(format!("unknown table [{key}]: did you mean [{meant}]?"));
            }
        }
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What the built-in tools are made from.
    ///
    /// # Errors
    /// When a secret is missing or a route cannot be used.
    pub fn builtin(&self, switches: ToolSwitches) -> Result<crate::builtin::Config, Error> {
        let models = ModelConfig { providers: self.providers.clone(), routes: self.routes.clone() };
        let http = baton_inference::egress::client(&models, &self.egress);
        let routes = baton_inference::Routes::from_config(&models, &http)?;
        let secret = |reference: &String| baton_inference::config::secret_text(reference);
        let mut webhooks = BTreeMap::new();
        for (name, reference) in &self.webhooks {
            webhooks.insert(name.clone(), secret(reference)?);
        }
        let mut file_roots = self.files.roots.clone();
        file_roots.extend(switches.file_roots);
        let tools = baton_tools::Config {
            file_roots,
            documents: self.documents.clone(),
            egress: self.egress.clone(),
            slack_url: self.slack.url.as_ref().map(secret).transpose()?,
            webhooks,
            debug_tools: switches.debug_tools,
            debug_dir: switches.debug_dir,
        };
        Ok(crate::builtin::Config { tools, routes })
    }
}

/// Insertions, deletions and changes between two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_routes_exceptions_and_roots() {
        let config = FileConfig::parse(
            r#"
            [routes.writer]
            candidates = ["local/m", "extractive"]
            [providers.local]
            base_url = "http://127.0.0.1:9/v1"
            [egress]
            allow = ["127.0.0.1:9"]
            [files]
            roots = ["/data"]
            [store]
            url = "redis://x"
            "#,
        )
        .unwrap();
        assert_eq!(config.routes["writer"].candidates.len(), 2);
        assert_eq!(config.files.roots, [PathBuf::from("/data")]);
        let switches = ToolSwitches { file_roots: vec!["/more".into()], ..ToolSwitches::default() };
        assert_eq!(config.builtin(switches).unwrap().tools.file_roots.len(), 2);
    }

    #[test]
    fn misspelt_tables_and_keys_are_errors() {
        assert!(FileConfig::parse("[route.writer]\ncandidates = []").unwrap_err().contains("[routes]"));
        assert!(FileConfig::parse("[routes.w]\ncandidate = []").unwrap_err().contains("candidate"));
        assert!(FileConfig::parse("[slack]\nurl = 1").is_err());
    }

    #[test]
    fn a_missing_secret_is_named() {
        let config = FileConfig::parse("[slack]\nurl = \"env:BATON_TEST_NO_SUCH_URL\"").unwrap();
        let error = config.builtin(ToolSwitches::default()).err().unwrap();
        assert!(error.to_string().contains("BATON_TEST_NO_SUCH_URL"), "{error}");
    }
}
