//! The blob store, as operators look after it.

use baton_proto::v1;
use serde_json::json;

use crate::args::BlobsCommand;
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::setup::Setup;

pub(super) async fn blobs(command: &BlobsCommand, setup: &Setup) -> Result<Exit, Failed> {
    let dry_run = matches!(command, BlobsCommand::Stats);
    let client = setup.client()?;
    let found = call!(client, blobs, sweep, v1::SweepBlobsRequest { dry_run })?;
    let v1::SweepBlobsResponse { kept, kept_bytes, removed, removed_bytes } = found;
    let value = json!({
        "kept": kept, "kept_bytes": kept_bytes, "removed": removed, "removed_bytes": removed_bytes, "dry_run": dry_run,
    });
    setup.output.result(&value, |_| {
        let what = if dry_run { "that nothing refers to" } else { "deleted" };
        format!("{kept} blobs kept ({kept_bytes} bytes), {removed} {what} ({removed_bytes} bytes)")
    });
    Ok(Exit::Succeeded)
}
