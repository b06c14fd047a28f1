//! `cargo xtask chaos`: fault drills on a private cluster. Ends with 1 where a promise was
//! broken or too little was tried, with 2 where it was asked for wrongly.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that prints its findings")]

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use baton_integration_tests::chaos::report::Report;
use baton_integration_tests::chaos::sabotage::Sabotage;
use baton_integration_tests::chaos::scenario::{Given, Scenario};
use baton_integration_tests::chaos::soak::{SoakOptions, soak};

const USAGE: &str = "cargo xtask chaos [--seconds N] [--seed S] [--users N] [--json]   the soak: everything at once
                  --only T3[,T6]  [--quick]                     scenarios of the catalogue
                  --quick                                       all of them, as in the tests
                  --sabotage no-cas                             without one check: must fail
                  --sabotages                                   each of them, and all must fail";

/// What was asked for.
#[derive(Default)]
struct Asked {
    seconds: Option<u64>,
    seed: u64,
    users: Option<usize>,
    only: Vec<Scenario>,
    quick: bool,
    json: bool,
    sabotage: Option<Sabotage>,
    sabotages: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("error: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match drill(&asked).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Asked> {
    let mut asked = Asked { seed: 1, ..Asked::default() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => asked.seconds = Some(value()?.parse().context("--seconds is a number")?),
            "--seed" => asked.seed = value()?.parse().context("--seed is a number")?,
            "--users" => asked.users = Some(value()?.parse().context("--users is a number")?),
            "--only" => asked.only = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--sabotage" => asked.sabotage = Some(value()?.parse()?),
            "--sabotages" => asked.sabotages = true,
            "--quick" => asked.quick = true,
            "--json" => asked.json = true,
            other => bail!("unknown argument {other:?}"),
        }
    }
    Ok(asked)
}

/// Whether every promise was kept, or was missed where a check is missing.
async fn drill(asked: &Asked) -> anyhow::Result<bool> {
    if asked.sabotages {
        let mut found = true;
        for sabotage in Sabotage::ALL {
            let scenario = Scenario::that_misses(sabotage);
            let missed = !play(asked, scenario, Some(sabotage)).await?;
            println!("without {sabotage}: {}", if missed { "found, as it must be" } else { "NOT FOUND" });
            found &= missed;
        }
        return Ok(found);
    }
    if asked.only.is_empty() && !asked.quick {
        if let Some(sabotage) = asked.sabotage {
            // On purpose first, which is soon; and then by chance.
            if !play(asked, Scenario::that_misses(sabotage), Some(sabotage)).await? {
                return Ok(false);
            }
        }
        let mut options = SoakOptions::new(asked.seconds.unwrap_or(300), asked.seed);
        options.sabotage = asked.sabotage;
        options.users = asked.users.unwrap_or(options.users);
        return Ok(told(asked, &soak(&options).await?));
    }
    let scenarios = if asked.only.is_empty() { Scenario::ALL.to_vec() } else { asked.only.clone() };
    let mut kept = true;
    for scenario in scenarios {
        kept &= play(asked, scenario, asked.sabotage).await?;
    }
    Ok(kept)
}

async fn play(asked: &Asked, scenario: Scenario, sabotage: Option<Sabotage>) -> anyhow::Result<bool> {
    let full = !asked.quick && sabotage.is_none();
    let given = Given { seed: asked.seed, sabotage, rabbit: None, full };
    match scenario.play(given).await {
        Ok((report, _)) => Ok(told(asked, &report)),
        // A drill that does not come to its end has shown something too.
        Err(error) if sabotage.is_some() => {
            println!("{scenario}: {error:#}");
            Ok(false)
        }
        Err(error) => Err(error.context(format!("{scenario} cannot be played"))),
    }
}

/// Tells it; whether every promise was kept.
fn told(asked: &Asked, report: &Report) -> bool {
    if asked.json {
        println!("{}", report.json())
    } else {
        println!("{}", report.table())
    }
    report.violations.is_empty()
}
