//! How a command ends: its exit code, and the one form in which errors are told.

use std::process::ExitCode;

use baton_proto::{detail, v1};
use baton_telemetry::settings;
use serde_json::{Value, json};
use tonic::{Code, Status};

/// The exit codes, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done; a run succeeded.
    Succeeded = 0,
    /// It was not done; a run failed or was cancelled.
    Failed = 1,
    /// Wrong usage or an invalid graph.
    Usage = 2,
    /// A run waits for an answer.
    Waiting = 3,
    /// There is no such thing.
    NotFound = 4,
    /// The server cannot be reached.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What went wrong, and what helps.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) code: String,
    pub(crate) cause: String,
    pub(crate) cure: String,
    pub(crate) problems: Vec<v1::Problem>,
}

impl Failed {
    pub(crate) fn new(exit: Exit, code: &str, cause: impl ToString, cure: impl ToString) -> Self {
        let (cause, cure) = (cause.to_string(), cure.to_string());
        Self { exit, code: code.to_owned(), cause, cure, problems: Vec::new() }
    }

    pub(crate) fn usage(code: &str, cause: impl ToString, cure: impl ToString) -> Self {
        Self::new(Exit::Usage, code, cause, cure)
    }

    /// The form for programs.
    pub(crate) fn json(&self) -> Value {
        let mut error = json!({ "code": self.code, "cause": self.cause, "cure": self.cure });
        if !self.problems.is_empty() {
            error["problems"] = crate::problems::json(&self.problems);
        }
        json!({ "error": error })
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, "failed", format!("{error:#}"), "")
    }
}

impl From<baton_common::sources::Error> for Failed {
    fn from(error: baton_common::sources::Error) -> Self {
        Self::usage("invalid_setting", error, "")
    }
}

impl From<settings::Error> for Failed {
    fn from(error: settings::Error) -> Self {
        match error {
            settings::Error::NotUnderstood(error) => error.into(),
            settings::Error::Unreadable { ref source, .. } => {
                Self::usage("config_unreadable", format!("{error}: {source}"), "check --config and BATON_CONFIG")
            }
        }
    }
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        let exit = match status.code() {
            Code::NotFound => Exit::NotFound,
            Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
            Code::Unavailable | Code::DeadlineExceeded => Exit::Unreachable,
            _ => Exit::Failed,
        };
        match detail::of_status(&status) {
            Some(detail) => {
                Self { problems: detail.problems, ..Self::new(exit, &detail.code, detail.cause, detail.cure) }
            }
            None if exit == Exit::Unreachable => Self::new(
                exit,
                "server_unreachable",
                "the server cannot be reached",
                "start one with `baton dev`, or name it in BATON_ORCHESTRATOR",
            ),
            None => Self::new(exit, "call_failed", status.message(), ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_exit_codes() {
        let exit = |code| Failed::from(Status::new(code, "x")).exit;
        assert_eq!(exit(Code::NotFound), Exit::NotFound);
        assert_eq!(exit(Code::InvalidArgument), Exit::Usage);
        assert_eq!(exit(Code::Unavailable), Exit::Unreachable);
        assert_eq!(exit(Code::PermissionDenied), Exit::Failed);
    }
}
