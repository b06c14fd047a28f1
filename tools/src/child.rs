//! The child process that reads one hostile document. It gets the document as its standard
//! input, limits itself before it looks at a byte, writes one answer and ends. Who starts
//! it, waits for it and ends it is [`crate::document`]'s part.
//!
//! A program whose workers extract documents calls [`run_if_asked`] first thing in `main`.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rlimit::Resource;
use serde::{Deserialize, Serialize};

use crate::document::parse;

/// The hidden argument, followed by a [`Task`] as JSON.
pub const ARGUMENT: &str = "--read-one-document-and-exit";

/// What the child is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// The document's name, for its kind.
    pub name: String,
    /// Size of the document, in bytes.
    pub bytes: u64,
    /// How much address space it may take beside what it has when it begins, in bytes.
    pub memory_bytes_max: u64,
    /// How long it may compute, in seconds.
    pub cpu_seconds_max: u64,
    /// Whether documents that misbehave on request are obeyed.
    pub drills: bool,
}

/// What the child answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What the document says.
    Read(Reading),
    /// Why it says nothing.
    Failed {
        /// Stable code.
        code: String,
        /// A phrase for people.
        message: String,
    },
}

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What the document really is.
    pub media_type: String,
    /// Its pages.
    pub pages: Vec<Page>,
    /// Pages that could not be read, while others could.
    pub damaged_pages: Vec<u32>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// From 1.
    pub page: u32,
    /// Its text.
    pub text: String,
}

/// Reads a document and ends the process if this process was started for it; returns
/// otherwise.
pub fn run_if_asked() {
    let mut args = std::env::args().skip_while(|arg| arg != ARGUMENT);
    if args.next().is_none() {
        return;
    }
    let task = args.next().and_then(|text| serde_json::from_str::<Task>(&text).ok());
    let written = task.is_some_and(|task| confine(&task).and_then(|()| answer(&task)).is_ok());
    std::process::exit(if written { 0 } else { 3 });
}

/// Gives up what reading does not need.
fn confine(task: &Task) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let limit = |resource: Resource, wanted: u64, hard: u64| {
        let (_, hardest) = resource.get()?;
        resource.set(wanted.min(hardest), hard.min(hardest))
    };
    let seconds = task.cpu_seconds_max;
    limit(Resource::CORE, 0, 0)?;
    limit(Resource::FSIZE, 0, 0)?;
    limit(Resource::NOFILE, 32, 32)?;
    let memory = address_space()?.saturating_add(task.memory_bytes_max);
    limit(Resource::AS, memory, memory)?;
    // The softer limit's signal says what happened; the hard one kills.
    limit(Resource::CPU, seconds, seconds.saturating_add(2))
}

/// How much address space the process has: its program, its libraries and what its allocator
/// took for itself, in bytes.
fn address_space() -> std::io::Result<u64> {
    #[cfg(target_os = "linux")]
    {
        let held = std::fs::read_to_string("/proc/self/statm")?;
        let pages = held.split_whitespace().next().and_then(|pages| pages.parse::<u64>().ok());
        let pages = pages.ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(pages.saturating_mul(rustix::param::page_size() as u64))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(0)
}

fn answer(task: &Task) -> std::io::Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    let mut bytes = Vec::with_capacity(usize::try_from(task.bytes).unwrap_or(0));
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    let answer = catch_unwind(AssertUnwindSafe(|| parse::parse(task, &bytes)));
    let text = serde_json::to_vec(&answer.unwrap_or_else(|_| Answer::damaged("the document")))?;
    let mut out = std::io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}

impl Answer {
    /// A failure of that code.
    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Failed { code: code.to_owned(), message: message.into() }
    }

    /// The document breaks its format's rules.
    pub(crate) fn damaged(what: &str) -> Self {
        Self::failed(
            "document_damaged",
            format!("{what} breaks the rules of its format; try to save the document anew"),
        )
    }
}
