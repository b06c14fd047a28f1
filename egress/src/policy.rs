//! What an operator says of requests to the outside: exceptions and limits.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

baton_common::described! {
    /// Exceptions and limits.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Policy {
        /// Hosts and ports that may be reached wherever they lie.
        pub allow: Vec<Allow>,
        /// How long a connection may take to stand, in milliseconds.
        pub connect_timeout_ms: u64,
        /// How long a request and its answer may take unless the request says otherwise.
        pub timeout_ms: u64,
        /// How many bytes an answer may have, once decompressed, unless the request says
        /// otherwise.
        pub body_bytes_max: u64,
        /// How many redirects are followed.
        pub redirects_max: u32,
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            connect_timeout_ms: 10_000,
            timeout_ms: 60_000,
            body_bytes_max: 16 * 1024 * 1024,
            redirects_max: 5,
        }
    }
}

impl Policy {
    /// The default limits with these exceptions.
    #[must_use]
    pub fn allowing(allow: impl IntoIterator<Item = Allow>) -> Self {
        Self { allow: allow.into_iter().collect(), ..Self::default() }
    }

    /// Whether an exception names this host and port.
    #[must_use]
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = plain(host);
        self.allow.iter().any(|allow| allow.port == port && allow.host == host)
    }
}

/// One exception, written `host:port`; an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allow {
    host: String,
    port: u16,
}

/// A text that is no `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not host:port, such as models.internal:8080 or [::1]:8080")]
pub struct Error(String);

impl Allow {
    /// That host and port.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: plain(host), port }
    }
}

impl FromStr for Allow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        // The same reading of a host as that of a request's URL.
        let url = url::Url::parse(&format!("http://{host}/")).map_err(|_| wrong())?;
        match url.host_str() {
            Some(found) if url.path() == "/" && url.username().is_empty() && url.port().is_none() => {
                Ok(Self::new(found, port))
            }
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Allow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Serialize for Allow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Allow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One spelling per host: lower case, no brackets, no final dot.
fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_names_host_and_port() {
        let allow = ["Models.Internal:8080", "127.0.0.1:11434", "[::1]:9"].map(|text| text.parse().unwrap());
        let policy = Policy::allowing(allow);
        assert!(policy.allows("models.internal.", 8080));
        assert!(!policy.allows("models.internal", 8081));
        assert!(policy.allows("127.0.0.1", 11434));
        assert!(!policy.allows("localhost", 11434));
        assert!(policy.allows("[::1]", 9));
        for text in ["", "host", "host:", ":80", "host:0", "host:70000", "http://host:80", "a/b:80", "u@h:80"] {
            assert!(text.parse::<Allow>().is_err(), "{text:?}");
        }
        assert_eq!(policy.allow[2].to_string(), "[::1]:9");
    }
}
