//! Which log lines are let through.

use tracing_subscriber::EnvFilter;

use crate::Error;

/// Libraries that speak too much at `info`; a filter that names one of them wins.
const QUIET: [&str; 12] = [
    "h2=warn",
    "hyper=warn",
    "tonic=warn",
    "tower=warn",
    "lapin=warn",
    // It would log the bodies of messages that no queue took.
    "lapin::returned_messages=off",
    // A refused look at a queue closes its channel: usual, and told by whoever looked.
    "lapin::channel=off",
    "async_rs=warn",
    "rustls=warn",
    "reqwest=warn",
    "redis=warn",
    "opentelemetry=warn",
];

/// The filter of log lines.
///
/// # Errors
/// When `directives` is not in the form of `level` or `target=level`, separated by commas.
pub(crate) fn for_logs(directives: &str) -> Result<EnvFilter, Error> {
    // An own parse first: the lenient builder would drop a bad directive in silence.
    EnvFilter::try_new(directives).map_err(|source| Error::Filter { text: directives.to_owned(), source })?;
    let all = format!("{},{directives}", QUIET.join(","));
    EnvFilter::try_new(all).map_err(|source| Error::Filter { text: directives.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_refused_and_quoted() {
        let error = for_logs("info,baton=loudly").expect_err("no such level");
        assert!(error.to_string().contains("baton=loudly"), "{error}");
    }

    #[test]
    fn a_named_library_may_speak_again() {
        let filter = for_logs("info,h2=trace").expect("a filter").to_string();
        assert!(filter.contains("h2=trace") && !filter.contains("h2=warn"), "{filter}");
        assert!(filter.contains("lapin=warn"), "{filter}");
    }
}
