//! Whatever Redis answers, it is a row or a fault.
#![no_main]

use baton_store::redis::fuzzing::rows;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rows(bytes));
