//! The worker for cpu jobs. Everything it does lies in the library.

use std::process::ExitCode;

use baton_common::tool::QueueClass;

/// Small values of many threads come and go with every step: this one serves them quicker
/// than the system's (`docs/adr/0012`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    baton_worker::process::main(QueueClass::Cpu)
}
