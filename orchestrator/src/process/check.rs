//! Reading settings as an orchestrator would, and opening of them what needs no server, so that
//! everything that would end a start, or surprise after one, is found before it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use baton_common::sources::Sources;
use baton_telemetry::settings::check_filter;
use clap::{ArgMatches, Args as _, FromArgMatches as _};

use super::options::Options;
use crate::plane::secret_text;
use crate::{auth, wiring};

/// The flags of the program, for whoever lists or reads them.
#[must_use]
pub fn flags() -> clap::Command {
    Options::augment_args(clap::Command::new("baton-orchestrator"))
}

/// Reads everything that an orchestrator with these flags would read. What is wrong is noted
/// in `sources`, which are to be those of a check.
///
/// # Errors
/// When the flags are none of [`flags`].
pub async fn check(flags: &ArgMatches, sources: &Sources) -> anyhow::Result<()> {
    let config = Options::from_arg_matches(flags)?.resolve_from(sources).context("sources that are not for a check")?;
    let note = |name: &str, result: Result<(), String>| {
        let _ = sources.or_noted(name, result, || ());
    };
    note("BATON_STORE", wiring::check_store(&config.store).map_err(|error| error.to_string()));
    note("BATON_BROKER", wiring::check_broker(&config.broker).map_err(|error| error.to_string()));
    note("BATON_BLOBS", wiring::check_blobs(&config.blobs).map_err(|error| error.to_string()));
    for mistake in config.tls.iter().flat_map(crate::listener::TlsFiles::mistakes) {
        note(mistake.setting(), Err(mistake.to_string()));
    }
    if let Some(filter) = &config.log {
        note("BATON_LOG", check_filter(filter).map_err(|error| error.to_string()));
    }
    check_secrets(&config.settings.secrets, sources).await;
    let addresses = [("BATON_GRPC_ADDR", Some(config.grpc_addr)), ("BATON_HTTP_ADDR", config.http_addr)];
    for (name, address) in addresses {
        let Some(address) = address.filter(|address| !address.ip().is_loopback()) else { continue };
        if !auth::may_listen(address, config.api_key.is_some() || config.worker_key.is_some()) {
            sources.warn(
                name,
                "it is reachable from other machines: without BATON_API_KEY it starts only where the store holds keys",
            );
        }
        if config.tls.is_none() {
            sources.warn(name, "served in the clear beyond this machine: set BATON_TLS_CERT and BATON_TLS_KEY, or let a proxy speak TLS");
        }
    }
    if config.http_addr == Some(config.grpc_addr) && config.grpc_addr.port() != 0 {
        note("BATON_HTTP_ADDR", Err("it is that of gRPC: each wants a port of its own".to_owned()));
    }
    if config.settings.cluster_secret.is_none() {
        sources.warn(
            "BATON_CLUSTER_SECRET",
            "without it permits and tokens keep honest processes apart and stop nobody else",
        );
    }
    Ok(())
}

/// Whether the secrets that graphs may name are there.
pub async fn check_secrets(secrets: &BTreeMap<String, String>, sources: &Sources) {
    for (name, reference) in secrets {
        let found = secret_text(reference).await.map(drop).map_err(|why| format!("secret {name} {why}"));
        // In a check nothing is refused.
        let _ = sources.or_noted("[secrets]", found, || ());
    }
}

#[cfg(test)]
mod tests {
    use baton_common::reference::{Otherwise, Program, SETTINGS, Takes};

    use super::*;

    async fn checked(said: &[(&str, &str)]) -> Sources {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources::check(None, said);
        check(&flags().get_matches_from(["baton-orchestrator"]), &sources).await.expect("flags of its own");
        sources
    }

    #[tokio::test]
    async fn it_asks_for_what_is_described_as_its_own_and_for_nothing_else() {
        let mut asked = checked(&[]).await.asked();
        // Read before the others, and by the failpoints.
        asked.extend(["BATON_CONFIG", "BATON_FAIL"].map(str::to_owned));
        let described = SETTINGS.iter().filter(|setting| setting.of.contains(&Program::Orchestrator));
        let described: Vec<&str> = described.map(|setting| setting.name).collect();
        let mut sorted = described.clone();
        sorted.sort_unstable();
        assert_eq!(asked.iter().map(String::as_str).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn what_is_described_as_default_is_what_it_takes() {
        let shown = |said: Vec<(String, String)>| {
            let config = Options::default().resolve(said).expect("settings");
            let settings = crate::Settings { replica: String::new(), seed: 0, ..config.settings };
            let places = (config.store, config.broker, config.blobs, config.grpc_addr, config.http_addr);
            format!("{places:?} {settings:?}")
        };
        let own = SETTINGS.iter().filter(|setting| setting.of.contains(&Program::Orchestrator));
        for setting in own {
            if let Otherwise::Value(value) = setting.otherwise {
                let said = vec![(setting.name.to_owned(), value.to_owned())];
                assert_eq!(shown(said), shown(Vec::new()), "{}", setting.name);
            }
            let beginning = setting.otherwise.text().split([' ', ';']).next().unwrap_or_default();
            if matches!(setting.takes, Takes::Milliseconds) {
                let said = vec![(setting.name.to_owned(), beginning.to_owned())];
                assert_eq!(shown(said), shown(Vec::new()), "{}", setting.name);
            }
        }
    }

    #[tokio::test]
    async fn everything_is_found_at_once_and_no_secret_is_told() {
        let sources = checked(&[
            ("BATON_STORE", "redis+cluster://me:s3cret@h/7"),
            ("BATON_BROKER", "kafka://me:s3cret@h"),
            ("BATON_GRPC_ADDR", "everywhere"),
            ("BATON_HTTP_ADDR", "0.0.0.0:1"),
            ("BATON_GRACE_MS", "soon"),
            ("BATON_TLS_CERT", "/nowhere/cert.pem"),
            ("BATON_TLS_KEY", "/nowhere/key.pem"),
            ("BATON_TLS_CA", "/nowhere/ca.pem"),
            ("BATON_TLS_CLIENT_CERT", "/nowhere/client.pem"),
            ("BATON_SABOTAGE", "no-idea"),
            ("BATON_READER", "new"),
            ("BATON_LOG", "loudly=very"),
        ])
        .await;
        let wrong = sources.wrong();
        for name in [
            "BATON_STORE",
            "BATON_BROKER",
            "BATON_GRPC_ADDR",
            "BATON_GRACE_MS",
            "BATON_TLS_CERT",
            "BATON_TLS_KEY",
            "BATON_TLS_CA",
            "BATON_TLS_CLIENT_CERT",
            "BATON_SABOTAGE",
            "BATON_READER",
            "BATON_LOG",
        ] {
            assert!(wrong.iter().any(|finding| finding.setting.as_deref() == Some(name)), "{name} in {wrong:#?}");
        }
        assert!(!format!("{wrong:?}").contains("s3cret"), "{wrong:?}");
        assert!(sources.odd().iter().any(|finding| finding.setting.as_deref() == Some("BATON_HTTP_ADDR")));
    }

    #[tokio::test]
    async fn what_a_start_takes_a_check_takes() {
        let sources =
            checked(&[("BATON_STORE", "memory:"), ("BATON_BROKER", "memory:"), ("BATON_BLOBS", "memory:")]).await;
        assert_eq!(sources.wrong(), []);
    }
}
