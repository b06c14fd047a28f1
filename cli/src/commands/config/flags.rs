//! Which settings are flags too, and what was said by flags: read from the programs' own
//! definitions of them.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::reference::Program;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args as _, Command, CommandFactory as _};

use crate::args::Cli;
use crate::config_args::OwnFlags;

/// The flags of a program that stand for settings.
pub(super) fn of(program: Program) -> Command {
    match program {
        Program::Orchestrator => baton_orchestrator::process::flags(),
        Program::Worker => baton_worker::check::flags(),
        Program::Cli => OwnFlags::augment_args(Command::new("baton")),
    }
}

/// The settings that are flags of a program, by the help of those flags.
pub(super) fn settings(program: Program) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match program {
        Program::Cli => gather(&Cli::command(), &mut found),
        _ => gather(&of(program), &mut found),
    }
    found
}

fn gather(command: &Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(named));
    command.get_subcommands().for_each(|command| gather(command, found));
}

/// The setting that a flag's help names.
pub(super) fn named(flag: &Arg) -> Option<String> {
    let help = flag.get_help()?.to_string();
    let (_, name) = help.strip_suffix(']')?.rsplit_once('[')?;
    Some(name.to_owned()).filter(|name| name.starts_with("BATON_"))
}

/// The setting that a flag is by its own name.
pub(super) fn setting(flag: &Arg) -> String {
    format!("BATON_{}", flag.get_id().as_str().to_uppercase())
}

/// What flags said, by setting.
pub(super) fn told(command: &Command, matches: &ArgMatches) -> BTreeMap<String, String> {
    let said = command.get_arguments().filter(|flag| {
        matches.try_contains_id(flag.get_id().as_str()).unwrap_or(false)
            && matches.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine)
    });
    let text = |flag: &Arg| {
        let values = matches.get_raw(flag.get_id().as_str()).into_iter().flatten();
        values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
    };
    said.map(|flag| (setting(flag), text(flag))).collect()
}
