//! The part of `baton.toml` that speaks to workers. Where the file comes from, and which
//! tables there are at all, is decided where settings are read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use baton_common::Failure;
use baton_common::sources::{self, Sources};
use baton_inference::{ModelConfig, Price, ProviderConfig, RouteConfig};
use serde::{Deserialize, Serialize};

/// The worker's tables.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FileConfig {
    /// `[routes.NAME] candidates = […]`.
    pub routes: BTreeMap<String, RouteConfig>,
    /// `[providers.NAME] base_url, key, …`.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// `[prices.MODEL] input, cached, output`.
    pub prices: BTreeMap<String, Price>,
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

baton_common::described! {
    /// Where Slack messages go.
    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Slack {
        /// Reference to the incoming webhook's URL.
        pub url: Option<String>,
    }
}

baton_common::described! {
    /// What file tools may read.
    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Files {
        /// Folders; `BATON_FILE_ROOTS` stands in their place.
        pub roots: Vec<PathBuf>,
    }
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
    /// The worker's tables. What `BATON_FILE_ROOTS` says, even if that is nothing, stands in
    /// place of the roots of `[files]`.
    ///
    /// # Errors
    /// With the place in the file that is not understood.
    pub fn from_sources(sources: &Sources) -> Result<Self, sources::Error> {
        let mut config: Self = sources.whole()?;
        if let Some(roots) = sources.paths("BATON_FILE_ROOTS") {
            config.files.roots = roots;
        }
        Ok(config)
    }

    /// What the built-in tools are made from.
    ///
    /// # Errors
    /// When a secret is missing or a route cannot be used.
    pub fn builtin(&self, switches: ToolSwitches) -> Result<crate::builtin::Config, Failure> {
        let models =
            ModelConfig { providers: self.providers.clone(), routes: self.routes.clone(), prices: self.prices.clone() };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FileConfig, String> {
        let sources = Sources::read(Some(("baton.toml", text)), []).map_err(|error| error.to_string())?;
        FileConfig::from_sources(&sources).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_names_routes_exceptions_and_roots() {
        let config = parse(
            r#"
            [routes.writer]
            candidates = ["local/m", "extractive"]
            [providers.local]
            base_url = "http://127.0.0.1:9/v1"
            [egress]
            allow = ["127.0.0.1:9"]
            [files]
            roots = ["/data"]
            [secrets]
            other = "env:PLANE"
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
        assert!(parse("[route.writer]\ncandidates = []").unwrap_err().contains("did you mean routes?"));
        let error = parse("[routes.w]\ncandidate = []").unwrap_err();
        assert!(error.contains("candidate") && error.contains("line 2") && error.contains("baton.toml"), "{error}");
        assert!(parse("[slack]\nurl = 1").is_err());
    }

    #[test]
    fn a_missing_secret_is_named() {
        let config = parse("[slack]\nurl = \"env:BATON_TEST_NO_SUCH_URL\"").unwrap();
        let error = config.builtin(ToolSwitches::default()).err().unwrap();
        assert!(error.to_string().contains("BATON_TEST_NO_SUCH_URL"), "{error}");
    }
}
