//! `baton config check`: reads settings as programs would, and tells everything that is wrong,
//! and where each value comes from. No secret is told.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use baton_common::failpoint;
use baton_common::reference::{Program, SETTINGS, Setting, TABLES};
use baton_common::settings::Timings;
use baton_common::sources::{Finding, Origin, Sources};
use baton_common::tool::QueueClass;
use baton_control::grpc::DEFAULT_ADDRESS;
use baton_control::grpc::{Endpoints, Trust};
use baton_orchestrator::process;
use baton_telemetry::settings;
use clap::{ArgMatches, FromArgMatches as _};
use serde_json::{Value, json};

use super::flags;
use crate::args::Cli;
use crate::commands::dev;
use crate::config_args::OwnFlags;
use crate::exit::{Exit, Failed};
use crate::local;
use crate::output::{Output, table};
use crate::paint::{Paint, plain};
use crate::setup::Setup;

/// What was found of one program.
pub(super) struct Report {
    program: Program,
    file: Option<String>,
    wrong: Vec<Finding>,
    odd: Vec<Finding>,
    values: Vec<Told>,
    tables: Vec<String>,
}

/// A setting's value and where it comes from.
struct Told {
    name: String,
    value: String,
    from: Origin,
}

pub(super) fn check(program: Option<Program>, said: &[OsString], cli: &Cli, output: Output) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let programs = program.map_or(Program::ALL.to_vec(), |program| vec![program]);
    let named = Named { config: cli.config.clone(), orchestrator: cli.orchestrator.clone() };
    let environment: Vec<(String, String)> = settings::environment().collect();
    let reports = programs.into_iter().map(|program| runtime.block_on(report(program, said, &named, &environment)));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    let ok = reports.iter().all(|report| report.wrong.is_empty());
    let shown = reports.iter().map(|report| (report.program.name().to_owned(), report.json()));
    let value = json!({ "ok": ok, "programs": shown.collect::<serde_json::Map<_, _>>() });
    output.result(&value, |paint| reports.iter().map(|report| report.text(paint)).collect::<Vec<_>>().join("\n"));
    Ok(if ok { Exit::Succeeded } else { Exit::Usage })
}

/// Flags of `baton` itself.
#[derive(Default)]
pub(super) struct Named {
    pub(super) config: Option<PathBuf>,
    pub(super) orchestrator: Option<String>,
}

/// Reads the settings of a program with these flags.
pub(super) async fn report(
    program: Program,
    said: &[OsString],
    named: &Named,
    environment: &[(String, String)],
) -> Result<Report, Failed> {
    let command = flags::of(program).no_binary_name(true).disable_help_flag(true);
    let matches = command.clone().try_get_matches_from(said).map_err(|error| {
        let cause = error.to_string();
        Failed::usage(
            "invalid_setting",
            cause.lines().next().unwrap_or_default(),
            "write the program's flags behind --",
        )
    })?;
    let config = matches.try_get_one::<PathBuf>("config").ok().flatten().cloned().or_else(|| named.config.clone());
    let sources = settings::check(config.as_deref(), environment.to_vec());
    let mut told = flags::told(&command, &matches);
    if let Some(config) = &config {
        told.insert("BATON_CONFIG".to_owned(), config.display().to_string());
    }
    if program == Program::Cli
        && let Some(orchestrator) = &named.orchestrator
    {
        told.entry("BATON_ORCHESTRATOR".to_owned()).or_insert_with(|| orchestrator.clone());
    }
    match program {
        Program::Orchestrator => process::check(&matches, &sources).await?,
        Program::Worker => baton_worker::check::check(&matches, QueueClass::Io, &sources)?,
        Program::Cli => own(&matches, named, &sources).await?,
    }
    let points = environment.iter().find(|(name, _)| name == failpoint::VARIABLE);
    if let Some((name, points)) = points {
        let _ = sources.or_noted(name, failpoint::Plan::parse(points).map(drop), || ());
    }
    Ok(Report::new(program, &sources, &told))
}

/// What `baton` reads, whatever it is told to do.
pub(super) async fn own(matches: &ArgMatches, named: &Named, sources: &Sources) -> Result<(), Failed> {
    let own = OwnFlags::from_arg_matches(matches).map_err(anyhow::Error::from)?;
    let orchestrator = own.orchestrator.clone().or_else(|| named.orchestrator.clone());
    let setup = Setup::over(sources.clone(), true, None, orchestrator.clone());
    let note = |name: &str, result: Result<(), String>| {
        // In a check nothing is refused.
        let _ = sources.or_noted(name, result, || ());
    };
    let trust = Trust::of(sources).map_err(anyhow::Error::from)?;
    let addresses = orchestrator.or_else(|| sources.get("BATON_ORCHESTRATOR"));
    let (addresses, key) = (addresses.as_deref().unwrap_or(DEFAULT_ADDRESS), sources.get("BATON_API_KEY"));
    let endpoints = Endpoints::trusting(addresses, key.as_deref(), &trust).map(drop);
    note("BATON_ORCHESTRATOR", endpoints.map_err(|error| error.to_string()));
    dev::addresses(&own.dev, &setup)?;
    let folder = setup.data_dir(own.dev.data_dir.as_ref());
    note("BATON_DATA_DIR", folder.as_ref().map(drop).map_err(|failed| failed.cause.clone()));
    let options = local::options(&setup, folder.unwrap_or_default())?;
    baton_worker::check::tables(&options.config, sources);
    process::check_secrets(&options.secrets, sources).await;
    let files = sources.or_noted("BATON_TLS_CERT", local::tls_files(&setup), || None).map_err(anyhow::Error::from)?;
    for mistake in files.iter().flat_map(baton_orchestrator::listener::TlsFiles::mistakes) {
        note(mistake.setting(), Err(mistake.to_string()));
    }
    let _ = baton_telemetry::trace_ratio(sources)?;
    if let Some(filter) = sources.get("BATON_LOG") {
        note("BATON_LOG", settings::check_filter(&filter).map_err(|error| error.to_string()));
    }
    let _ = sources.get("BATON_ADDR_FILE");
    Ok(())
}

impl Report {
    fn new(program: Program, sources: &Sources, flags: &BTreeMap<String, String>) -> Self {
        let own = SETTINGS.iter().filter(|setting| setting.of.contains(&program));
        let mut values: Vec<Told> = own.map(|setting| told(setting, sources, flags)).collect();
        if TABLES.iter().any(|table| table.name == "timing" && table.of.contains(&program)) {
            values.extend(timings(sources));
        }
        let of = |name: &&str| TABLES.iter().any(|table| table.name == *name && table.of.contains(&program));
        Self {
            program,
            file: sources.place().map(str::to_owned),
            wrong: sources.wrong(),
            odd: sources.odd(),
            values,
            tables: sources.tables().filter(of).map(str::to_owned).collect(),
        }
    }

    fn json(&self) -> Value {
        let findings = |all: &[Finding]| -> Vec<Value> {
            all.iter().map(|finding| json!({ "setting": finding.setting, "cause": finding.cause })).collect()
        };
        let values = self.values.iter();
        let values = values.map(|told| json!({ "name": told.name, "value": told.value, "from": told.from.name() }));
        json!({
            "file": self.file,
            "wrong": findings(&self.wrong),
            "odd": findings(&self.odd),
            "settings": values.collect::<Vec<_>>(),
            "tables": self.tables,
        })
    }

    fn text(&self, paint: Paint) -> String {
        let file = self.file.as_deref().unwrap_or("no settings file");
        let mut text = format!("{}  {}\n", paint.bold(self.program.name()), paint.dim(plain(file)));
        let said = self.values.iter().filter(|told| told.from != Origin::Default);
        let mut rows: Vec<Vec<String>> =
            said.map(|told| vec![told.name.clone(), plain(&told.value), told.from.name().to_owned()]).collect();
        let untouched = self.values.iter().filter(|told| told.from == Origin::Default);
        // Timings that nobody named are told to programs, and in the reference.
        let untouched = untouched.filter(|told| !told.name.starts_with("BATON_TIMING_"));
        rows.extend(
            untouched
                .map(|told| [&told.name, &plain(&told.value), told.from.name()].map(|cell| paint.dim(cell)).to_vec()),
        );
        text += &table(paint, &["SETTING", "VALUE", "FROM"], &rows);
        for name in &self.tables {
            text += &format!("{}\n", plain(&format!("[{name}] of {file}")));
        }
        for (mark, findings) in [(paint.red("wrong:"), &self.wrong), (paint.yellow("odd:"), &self.odd)] {
            for Finding { setting, cause } in findings {
                let setting = setting.as_ref().map(|name| format!("{}: ", paint.bold(plain(name)))).unwrap_or_default();
                text += &format!("{mark} {setting}{}\n", plain(cause));
            }
        }
        if self.wrong.is_empty() {
            text += &format!("{}\n", paint.green("nothing is wrong"));
        }
        text
    }
}

fn told(setting: &Setting, sources: &Sources, flags: &BTreeMap<String, String>) -> Told {
    let (value, from) = match flags.get(setting.name) {
        Some(value) => (Some(value.clone()), Origin::Flag),
        None => (sources.get(setting.name), sources.origin(setting.name)),
    };
    let shown = |value: String| setting.shown(&value);
    let value = match from {
        // Marks of Markdown are for the reference.
        Origin::Default => setting.otherwise.text().replace('`', ""),
        _ => value.map(shown).unwrap_or_default(),
    };
    Told { name: setting.name.to_owned(), value, from }
}

fn timings(sources: &Sources) -> Vec<Told> {
    // What is wrong with them was told already.
    let timings = serde_json::to_value(sources.timings().unwrap_or_default()).unwrap_or_default();
    let one = |name: &str| {
        let variable = format!("BATON_TIMING_{}", name.to_uppercase());
        let from = sources.origin(&variable);
        Told { name: variable, value: timings[name].to_string(), from }
    };
    Timings::KEYS.iter().map(|key| one(key.name)).collect()
}
