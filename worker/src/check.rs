//! Reading settings as a worker would, and opening of them what needs no server: routes, keys,
//! certificates, folders. Everything that is wrong is found in one reading.

use std::collections::BTreeMap;

use anyhow::Context as _;
use baton_common::reference::Key;
use baton_common::sources::Sources;
use baton_common::tool::QueueClass;
use baton_control::grpc::Endpoints;
use baton_inference::{ModelConfig, Price, ProviderConfig, RouteConfig, Routes};
use baton_telemetry::settings::check_filter;
use clap::{ArgMatches, Args as _, FromArgMatches as _};
use serde_json::{Value, json};

use crate::config::{FileConfig, Files, Slack};
use crate::options::Options;
use crate::wiring;

/// The flags of the programs, for whoever lists or reads them.
#[must_use]
pub fn flags() -> clap::Command {
    Options::augment_args(clap::Command::new("baton-worker"))
}

/// The keys of a worker's table of `baton.toml`, with what holds without them; nothing for a
/// table of the operator's own names.
#[must_use]
pub fn keys(table: &str) -> Option<(&'static [Key], Value)> {
    fn with<T: Default + serde::Serialize>(keys: &'static [Key]) -> Option<(&'static [Key], Value)> {
        Some((keys, serde_json::to_value(T::default()).unwrap_or_default()))
    }
    match table {
        "documents" => with::<baton_tools::document::Settings>(baton_tools::document::Settings::KEYS),
        "egress" => with::<baton_egress::Policy>(baton_egress::Policy::KEYS),
        "files" => with::<Files>(Files::KEYS),
        "prices" => with::<Price>(Price::KEYS),
        "providers" => with::<ProviderConfig>(ProviderConfig::KEYS),
        "routes" => Some((RouteConfig::KEYS, json!({}))),
        "slack" => with::<Slack>(Slack::KEYS),
        _ => None,
    }
}

/// Reads everything that a worker with these flags would read. What is wrong is noted in
/// `sources`, which are to be those of a check. Within a runtime.
///
/// # Errors
/// When the flags are none of [`flags`].
pub fn check(flags: &ArgMatches, class: QueueClass, sources: &Sources) -> anyhow::Result<()> {
    let options = Options::from_arg_matches(flags)?;
    let config = options.resolve(class, sources).context("sources that are not for a check")?;
    note(sources, "BATON_BROKER", wiring::broker_options(&config.broker, &config.settings).map(drop));
    note(sources, "BATON_BLOBS", wiring::check_blobs(config.blobs.as_deref()));
    let endpoints = Endpoints::trusting(&config.orchestrator, config.api_key.as_deref(), &config.trust);
    note(sources, "BATON_ORCHESTRATOR", endpoints.map(drop).map_err(Into::into));
    if let Some(filter) = &config.log {
        note(sources, "BATON_LOG", check_filter(filter).map_err(Into::into));
    }
    tables(&config.file, sources);
    for folder in config.switches.debug_dir.iter().filter(|folder| !folder.is_dir()) {
        sources.warn("BATON_DEBUG_DIR", format_args!("{} is no folder", folder.display()));
    }
    Ok(())
}

/// What the worker's tables of the file name: routes with their keys, hooks, folders.
pub fn tables(file: &FileConfig, sources: &Sources) {
    for (name, route) in &file.routes {
        let models = ModelConfig {
            providers: file.providers.clone(),
            routes: BTreeMap::from([(name.clone(), route.clone())]),
            prices: BTreeMap::new(),
        };
        let http = baton_inference::egress::client(&models, &file.egress);
        let routes = Routes::from_config(&models, &http).map(drop);
        note(sources, &format!("[routes.{name}]"), routes.map_err(Into::into));
    }
    for (name, price) in &file.prices {
        let models = ModelConfig { prices: BTreeMap::from([(name.clone(), *price)]), ..ModelConfig::default() };
        let http = baton_inference::egress::client(&models, &file.egress);
        let routes = Routes::from_config(&models, &http).map(drop);
        note(sources, &format!("[prices.{name:?}]"), routes.map_err(Into::into));
    }
    let secret = |reference: &String| baton_inference::config::secret_text(reference).map(drop);
    for (name, reference) in &file.webhooks {
        note(sources, "[webhooks]", secret(reference).with_context(|| name.clone()));
    }
    if let Some(reference) = &file.slack.url {
        note(sources, "[slack]", secret(reference).map_err(Into::into));
    }
    for folder in file.files.roots.iter().filter(|folder| !folder.is_dir()) {
        sources.warn("BATON_FILE_ROOTS", format_args!("{} is no folder", folder.display()));
    }
}

fn note(sources: &Sources, name: &str, result: anyhow::Result<()>) {
    // In a check nothing is refused.
    let _ = sources.or_noted(name, result.map_err(|error| format!("{error:#}")), || ());
}

#[cfg(test)]
mod tests {
    use baton_common::reference::{Otherwise, Program, SETTINGS};

    use super::*;

    fn checked(file: &str, said: &[(&str, &str)]) -> Sources {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources::check(Some(("baton.toml", file)), said);
        check(&flags().get_matches_from(["baton-worker-io"]), QueueClass::Io, &sources).unwrap();
        sources
    }

    #[tokio::test]
    async fn it_asks_for_what_is_described_as_its_own_and_for_nothing_else() {
        let mut asked = checked("", &[]).asked();
        // Read before the others, and by the failpoints.
        asked.extend(["BATON_CONFIG", "BATON_FAIL"].map(str::to_owned));
        let described = SETTINGS.iter().filter(|setting| setting.of.contains(&Program::Worker));
        let mut described: Vec<&str> = described.map(|setting| setting.name).collect();
        described.sort_unstable();
        assert_eq!(asked.iter().map(String::as_str).collect::<Vec<_>>(), described);
    }

    #[test]
    fn what_is_described_as_default_is_what_it_takes() {
        let shown = |said: Option<(String, String)>| {
            let sources = Sources::read(None, said).unwrap();
            let config = Options::default().resolve(QueueClass::Io, &sources).unwrap();
            let places = (config.broker, config.orchestrator, config.blobs, config.data_dir);
            format!("{places:?} {:?} {:?}", config.switches, config.settings)
        };
        for setting in SETTINGS.iter().filter(|setting| setting.of.contains(&Program::Worker)) {
            if let Otherwise::Value(value) = setting.otherwise {
                assert_eq!(shown(Some((setting.name.to_owned(), value.to_owned()))), shown(None), "{}", setting.name);
            }
        }
    }

    #[tokio::test]
    async fn everything_is_found_at_once_and_no_secret_is_told() {
        let file = "slot = 1\n[routes.a]\ncandidates = [\"nobody/m\"]\n[routes.b]\ncandidate = 1\n\
                    [providers.x]\nkey = 7\n[providers]\ny = \"s3cret\"\n[egress]\nallow = [\"everything\"]\n\
                    [webhooks]\nalarm = \"s3cret\"\n[slack]\nurl = \"env:BATON_TEST_NO_SUCH_URL\"";
        let file = file.replace("[providers]\ny = \"s3cret\"\n", "");
        let sources = checked(
            &file,
            &[
                ("BATON_BROKER", "memory:"),
                ("BATON_BLOBS", "memory:"),
                ("BATON_ORCHESTRATOR", "not an address"),
                ("BATON_SLOTS", "many"),
                ("BATON_METRICS_ADDR", "everywhere"),
                ("BATON_QUEUES_ONLY", "1"),
                ("BATON_TLS_CLIENT_KEY", "/nowhere/key.pem"),
                ("BATON_FILE_ROOTS", "/nowhere/at/all"),
            ],
        );
        let (wrong, odd) = (sources.wrong(), sources.odd());
        let names: Vec<&str> = wrong.iter().filter_map(|finding| finding.setting.as_deref()).collect();
        for name in [
            "BATON_BROKER",
            "BATON_BLOBS",
            "BATON_ORCHESTRATOR",
            "BATON_SLOTS",
            "BATON_METRICS_ADDR",
            "BATON_QUEUES_ONLY",
            "BATON_TLS_CLIENT_KEY",
            "[routes.a]",
            "[routes.b]",
            "[providers.x]",
            "[egress]",
            "[webhooks]",
            "[slack]",
        ] {
            assert!(names.contains(&name), "{name} in {wrong:#?}");
        }
        assert!(wrong.iter().any(|finding| finding.cause.contains("did you mean slots?")), "{wrong:#?}");
        assert!(odd.iter().any(|finding| finding.cause.contains("/nowhere/at/all")), "{odd:#?}");
        assert!(!format!("{wrong:?}{odd:?}").contains("s3cret"), "{wrong:#?}");
    }

    #[test]
    fn every_key_of_a_table_is_described_by_its_type() {
        for table in ["documents", "egress", "files", "prices", "providers", "routes", "slack"] {
            let (keys, otherwise) = keys(table).unwrap();
            for key in keys {
                assert!(key.takes().is_some(), "{table}.{}: nobody has described {}", key.name, key.kind);
                assert!(table == "routes" || otherwise.get(key.name).is_some(), "{table}.{}", key.name);
            }
        }
    }
}
