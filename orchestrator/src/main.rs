//! `baton-orchestrator`: one replica of the control plane. Everything it does lies in the
//! library.

use std::process::ExitCode;

fn main() -> ExitCode {
    baton_orchestrator::process::main()
}
