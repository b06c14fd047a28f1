//! Compiles the protos without a compiler from outside, and keeps their descriptors for
//! reflection.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use protox::prost::Message as _;

const FILES: [&str; 12] = [
    "baton/v1/errors.proto",
    "baton/v1/runs.proto",
    "baton/v1/graphs.proto",
    "baton/v1/history.proto",
    "baton/v1/operate.proto",
    "baton/v1/operations.proto",
    "baton/v1/schedules.proto",
    "baton/v1/control.proto",
    "baton/v1/quotas.proto",
    "baton/v1/transfer.proto",
    "baton/v1/blobs.proto",
    "baton/v1/archive.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(FILES, ["proto"])?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("baton.v1.bin"), set.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").emit_rerun_if_changed(false).compile_fds(set)?;
    Ok(())
}
