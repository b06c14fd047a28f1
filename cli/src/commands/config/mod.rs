//! `baton config`: what may be set, and what is wrong with what is. Asks no server, and reads
//! settings with the functions of the programs they are for.

mod check;
mod flags;
mod reference;
#[cfg(test)]
mod tests;

use crate::args::Cli;
use crate::config_args::{ConfigArgs, ConfigCommand};
use crate::exit::{Exit, Failed};
use crate::output::Output;

pub(crate) fn config(args: &ConfigArgs, cli: &Cli) -> Result<Exit, Failed> {
    let output = Output { json: cli.json };
    match &args.command {
        Some(ConfigCommand::Check { program, flags }) => check::check(program.map(Into::into), flags, cli, output),
        None => {
            output.result(&reference::json(), |_| reference::markdown());
            Ok(Exit::Succeeded)
        }
    }
}
