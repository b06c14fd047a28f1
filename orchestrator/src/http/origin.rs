//! Who else could be speaking: a page in a browser of this machine.
//!
//! A server without keys takes every caller on this machine for its owner. Pages from
//! elsewhere reach it through the owner's browser, so a call that shows such an origin, or
//! a name under which this server cannot be known, is refused while nothing else proves
//! who calls.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::api::{ApiError, ErrorKind};

/// Refuses what a browser sends for a page from elsewhere.
pub(super) fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let foreign = match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), _) if !is_local(origin.split_once("://").map_or(origin, |(_, host)| host)) => Some(origin),
        (_, Some(host)) if !is_local(host) => Some(host),
        _ => None,
    };
    match foreign {
        None => Ok(()),
        Some(name) => {
            let name: String = name.chars().take(100).collect();
            let cause = format!("the call comes from {name:?}, and without keys only this machine is served");
            Err(ApiError::new(ErrorKind::Denied, "foreign_origin", cause, "make a key with `baton keys create`"))
        }
    }
}

/// Whether a host, with or without a port, is this machine by its own name or address.
fn is_local(host: &str) -> bool {
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(header::HeaderName, &str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
        check(&headers.collect()).is_err()
    }

    #[test]
    fn pages_from_elsewhere_are_refused_and_this_machine_is_not() {
        let host = |text| (header::HOST, text);
        let origin = |text| (header::ORIGIN, text);
        assert!(!refused(&[host("127.0.0.1:7421")]) && !refused(&[host("localhost")]) && !refused(&[host("[::1]:1")]));
        assert!(!refused(&[host("127.0.0.1:1"), origin("http://localhost:3000")]));
        assert!(refused(&[host("rebound.example:7421")]), "a name that was pointed here");
        assert!(refused(&[host("127.0.0.1:7421"), origin("https://elsewhere.example")]));
        assert!(refused(&[host("127.0.0.1:7421"), origin("null")]));
        assert!(refused(&[host("127.0.0.1.elsewhere.example")]));
    }
}
