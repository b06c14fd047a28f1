//! Whatever a model's server sends, in whatever pieces, it is an answer or a failure.
#![no_main]

use baton_inference::openai::fuzzing::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    read(bytes, usize::from(*piece).max(1));
});
