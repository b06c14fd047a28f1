//! `baton archive`: runs whose records were removed.

use std::io::Write;

use anyhow::Context as _;
use baton_proto::v1;
use flate2::write::GzDecoder;
use serde_json::json;

use crate::args::ArchiveCommand;
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::output::table;
use crate::paint::plain;
use crate::setup::Setup;

pub(super) async fn archive(command: &ArchiveCommand, setup: &Setup) -> Result<Exit, Failed> {
    match command {
        ArchiveCommand::List { limit, page } => list(*limit, page.as_deref(), setup).await,
        ArchiveCommand::Show { run } => show(run, setup).await,
    }
}

async fn list(limit: u32, page: Option<&str>, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::ListArchivesRequest {
        page_size: i32::try_from(limit).unwrap_or(i32::MAX),
        page_token: page.unwrap_or_default().to_owned(),
    };
    let v1::ListArchivesResponse { archives, next_page_token } = call!(client, archive, list, request)?;
    let shown = archives.iter().map(
        |archive| json!({ "run": archive.run_id, "bytes": archive.bytes, "archived_at_ms": archive.archived_at_ms }),
    );
    let next = (!next_page_token.is_empty()).then_some(next_page_token);
    let value = json!({ "archives": shown.collect::<Vec<_>>(), "next_page": next });
    setup.output.result(&value, |paint| {
        if archives.is_empty() {
            return "no archived runs".to_owned();
        }
        let rows = archives.iter().map(|archive| vec![plain(&archive.run_id), plain(&archive.bytes.to_string())]);
        table(paint, &["RUN", "BYTES"], &rows.collect::<Vec<_>>())
    });
    Ok(Exit::Succeeded)
}

/// Prints its lines, each of them JSON, with and without `--json`.
async fn show(run: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let mut pieces = call!(client, archive, get, v1::GetArchiveRequest { run_id: run.to_owned() })?;
    let mut lines = GzDecoder::new(std::io::stdout());
    while let Some(piece) = pieces.message().await? {
        lines.write_all(&piece.data).context("the archive cannot be printed")?;
    }
    lines.finish().and_then(|mut out| out.flush()).context("the archive cannot be printed")?;
    Ok(Exit::Succeeded)
}
