//! What is described, what programs read, what their flags' help names and what the page says
//! are the same.

use std::ffi::OsString;
use std::path::Path;

use baton_common::reference::{Program, SETTINGS, Setting, TABLES};
use baton_common::sources::Sources;
use clap::{Command, CommandFactory as _};

use super::check::{Named, own};
use super::{flags, reference};
use crate::args::Cli;

/// `docs/operations/configuration.md` is the reference; `UPDATE_EXPECT=1` writes it anew.
#[test]
fn the_page_is_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/configuration.md");
    let wanted = reference::markdown();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(page == wanted, "run this test with UPDATE_EXPECT=1 to write {}", path.display());
    }
}

/// Flags of a command and of those below it.
fn all_flags(command: &Command) -> Vec<clap::Arg> {
    let below = command.get_subcommands().flat_map(all_flags);
    command.get_arguments().cloned().chain(below).collect()
}

#[test]
fn the_help_of_flags_names_the_settings_of_the_reference() {
    for program in Program::ALL {
        let flags = match program {
            Program::Cli => all_flags(&Cli::command()),
            _ => all_flags(&flags::of(program)),
        };
        assert!(flags.len() > 5, "{}", program.name());
        for flag in flags {
            let (named, own) = (flags::named(&flag), flags::setting(&flag));
            if program != Program::Cli || named.is_some() {
                assert_eq!(
                    named.as_deref(),
                    Some(own.as_str()),
                    "the help of --{} of {}",
                    flag.get_id(),
                    program.name()
                );
                let setting = Setting::of_name(&own).unwrap_or_else(|| panic!("{own} is described nowhere"));
                assert!(setting.of.contains(&program), "{own} is no setting of {}", program.name());
                assert!(!setting.is_secret(), "{own}: whoever lists processes sees flags");
            }
        }
    }
    // Those that check takes are those that there are.
    let own = flags::of(Program::Cli);
    let taken: std::collections::BTreeSet<String> = own.get_arguments().map(flags::setting).collect();
    assert_eq!(taken, flags::settings(Program::Cli));
}

#[tokio::test]
async fn baton_asks_for_what_is_described_as_its_own_and_for_nothing_else() {
    let sources = Sources::check(None, []);
    let matches = flags::of(Program::Cli).no_binary_name(true).get_matches_from::<_, OsString>([]);
    own(&matches, &Named::default(), &sources).await.unwrap();
    let mut asked = sources.asked();
    // Read before the others, and by the failpoints.
    asked.extend(["BATON_CONFIG", "BATON_FAIL"].map(str::to_owned));
    let described = SETTINGS.iter().filter(|setting| setting.of.contains(&Program::Cli));
    let mut described: Vec<&str> = described.map(|setting| setting.name).collect();
    described.sort_unstable();
    assert_eq!(asked.iter().map(String::as_str).collect::<Vec<_>>(), described);
    assert_eq!(sources.wrong(), []);
}

#[test]
fn every_table_tells_its_keys_unless_names_are_the_operators_own() {
    for table in TABLES {
        assert_eq!(
            reference::keys(table.name).is_none(),
            ["secrets", "webhooks"].contains(&table.name),
            "{}",
            table.name
        );
        for key in reference::keys(table.name).map(|(keys, _)| keys).unwrap_or_default() {
            assert!(key.takes().is_some() && key.help().len() > 5, "{}.{}", table.name, key.name);
        }
    }
}
