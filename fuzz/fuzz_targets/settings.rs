//! Whatever a settings file is, it is read or refused.
#![no_main]

use baton_common::sources::Sources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(sources) = Sources::read(Some(("baton.toml", text)), []) {
        let _ = (sources.timings(), sources.switch("BATON_SWEEP"), sources.paths("BATON_FILE_ROOTS"));
        let _ = sources.parse::<u64>("BATON_GRACE_MS");
    }
});
