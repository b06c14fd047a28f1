//! `baton-orchestrator`: one replica of the control plane. Everything it does lies in the
//! library.

use std::process::ExitCode;

/// Small values of many threads come and go with every step: this one serves them quicker
/// than the system's (`docs/adr/0012`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    baton_orchestrator::process::main()
}
