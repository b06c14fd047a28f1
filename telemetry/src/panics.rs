//! Panics as log lines.
//!
//! A formatted panic message may hold anything, a prompt or a secret too, so in JSON logs
//! only literal messages are kept; a person at a terminal sees the whole of it.

use std::any::Any;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::thread;

const WITHHELD: &str = "message withheld: it was formatted and may hold data";

/// Logs each panic; with `json`, in place of the text that would break up the lines.
pub(crate) fn install(json: bool) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            log(info);
            if !json {
                earlier(info);
            }
        }));
    });
}

fn log(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    let cause = literal(info.payload());
    tracing::error!(location, thread_name = thread.name().unwrap_or("unnamed"), cause, "panicked");
}

/// The message if it is part of the program rather than made from data.
fn literal(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_message_never_reaches_the_log() {
        let secret = String::from("sk-123");
        let payload = panic::catch_unwind(|| panic!("bad key {secret}")).expect_err("it panics");
        assert_eq!(literal(&*payload), WITHHELD);
    }

    #[test]
    fn a_literal_message_is_kept() {
        let payload = panic::catch_unwind(|| panic!("no lease")).expect_err("it panics");
        assert_eq!(literal(&*payload), "no lease");
    }
}
