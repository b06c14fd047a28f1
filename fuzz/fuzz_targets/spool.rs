//! Whatever lies in the spool, it is a result or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = baton_worker::spool::read(bytes);
});
