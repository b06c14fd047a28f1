//! `cargo xtask chaos`: a fault drill on a private cluster; ends with 1 where a promise was
//! broken or too little was tried, with 2 where it was asked for wrongly.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that prints its findings")]

use std::process::ExitCode;

use baton_integration_tests::chaos::soak::{SoakOptions, soak};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let number = |name: &str, usual: u64| text(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let mut options = SoakOptions::new(number("--seconds", 60), number("--seed", 1));
    if let Some(users) = text("--users").and_then(|text| text.parse().ok()) {
        options.users = users;
    }
    match soak(&options).await {
        Ok(report) => {
            println!("{}", report.table());
            if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
