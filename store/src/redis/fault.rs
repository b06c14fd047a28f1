//! What an error of the server or the connection means for the caller. Values never enter
//! the text.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::Error;

/// The error as the store tells it.
pub(super) fn fault(error: &RedisError) -> Error {
    let code = error.code().unwrap_or_default();
    let told = || error.to_string().chars().take(200).collect::<String>();
    match (error.kind(), code) {
        (_, "NOAUTH" | "WRONGPASS") | (ErrorKind::AuthenticationFailed, _) => Error::Broken(
            "the server lets nobody in with this login: give its name and password as redis://USER:PASSWORD@HOST:PORT, \
             with %40 for an @ in either"
                .to_owned(),
        ),
        (_, "NOPERM") => Error::Broken(format!(
            "the login may not do all that a store does: {}; give it the rights that docs/operations/redis.md lists",
            told()
        )),
        (_, "OOM" | "MISCONF") => Error::Full(told()),
        (_, "BUSY" | "NOREPLICAS" | "UNKILLABLE") => Error::Unavailable(told()),
        (_, "WRONGTYPE") => Error::Broken(told()),
        (ErrorKind::Server(kind), _) => match kind {
            ServerErrorKind::BusyLoading
            | ServerErrorKind::NoScript
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly => Error::Unavailable(told()),
            _ => Error::Broken(told()),
        },
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType | ErrorKind::InvalidClientConfig, _) => {
            Error::Broken(told())
        }
        _ => Error::Unavailable(told()),
    }
}

/// Whether the connection leads to a server that is no primary any more.
pub(super) fn demoted(error: &RedisError) -> bool {
    // A primary without replicas may have been left behind.
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || error.code() == Some("NOREPLICAS")
}

/// Whether the server has forgotten a script.
pub(super) fn forgotten(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
