//! Whatever a schedule is, it is read or refused, and its fires come one after the other.
#![no_main]

use baton_common::Timestamp;
use baton_schedule::{Cron, Spec, parse_moment, parse_span, print_moment, print_span};
use libfuzzer_sys::fuzz_target;

/// Midnight of a leap day, so that the end of February is near.
const FROM: Timestamp = Timestamp(1_709_164_800_000);

fuzz_target!(|text: &str| {
    let _ = Cron::parse(text);
    if let Ok(at) = parse_moment(text) {
        assert_eq!(parse_moment(&print_moment(at)).ok(), Some(at));
    }
    if let Ok(ms) = parse_span(text) {
        assert_eq!(parse_span(&print_span(ms)).ok(), Some(ms));
    }
    let spec = serde_json::from_str(text).unwrap_or_else(|_| serde_json::json!({ "graph": "g", "cron": text }));
    let Ok(calendar) = Spec::read(spec).and_then(|spec| spec.calendar()) else { return };
    let mut last = FROM;
    for _ in 0..20 {
        let Some(next) = calendar.next(last) else { break };
        assert!(next > last, "{next:?} is not after {last:?}");
        last = next;
    }
});
