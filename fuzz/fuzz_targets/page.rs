//! Whatever a page or a text is, its words come out, and no more of them than it has bytes
//! allow. PDFs are left out: their library may stop at one, which ends a child process and
//! nothing else.
#![no_main]

use baton_tools::document::fuzzing::words;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for name in ["a.html", "a.txt"] {
        // An entity of two bytes and more becomes a sign of four at most.
        assert!(words(name, bytes).unwrap_or_default() <= 4 * bytes.len() + 16);
    }
});
