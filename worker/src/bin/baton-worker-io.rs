//! The worker for io jobs. Everything it does lies in the library.

use std::process::ExitCode;

use baton_common::tool::QueueClass;

fn main() -> ExitCode {
    baton_worker::process::main(QueueClass::Io)
}
