//! What an operator says of the child processes that read documents.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

baton_common::described! {
    /// Program and limits of the child.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Settings {
        /// The program that reads documents, a worker or `baton`; by default this one.
        pub program: Option<PathBuf>,
        /// Its arguments before the hidden one.
        pub args: Vec<String>,
        /// How long one document may take, in milliseconds.
        pub time_ms_max: u64,
        /// How long one document may compute, in seconds.
        pub cpu_seconds_max: u64,
        /// How much memory one document may take, in bytes, beside four times its own size.
        pub memory_bytes_max: u64,
        /// The largest document, in bytes.
        pub bytes_max: u64,
        /// The most text one document may hold, in bytes.
        pub text_bytes_max: u64,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            program: None,
            args: Vec::new(),
            time_ms_max: 120_000,
            cpu_seconds_max: 60,
            memory_bytes_max: 1024 * 1024 * 1024,
            bytes_max: 256 * 1024 * 1024,
            text_bytes_max: 32 * 1024 * 1024,
        }
    }
}

impl Settings {
    /// The program to start. On Linux it is this very process's, even when its file was
    /// replaced meanwhile.
    pub(crate) fn program(&self) -> std::io::Result<PathBuf> {
        match &self.program {
            Some(program) => Ok(program.clone()),
            None if cfg!(target_os = "linux") => Ok(PathBuf::from("/proc/self/exe")),
            None => std::env::current_exe(),
        }
    }

    /// How much address space a document of that size may take beside what its reader has at once.
    pub(crate) fn memory_for(&self, bytes: u64) -> u64 {
        self.memory_bytes_max.saturating_add(bytes.saturating_mul(4))
    }
}
