//! Migrations on the wire.

use baton_control::grpc::convert::Malformed;
use baton_engine::step::Misfit;
use baton_proto::v1;

use super::convert::{optional, page_size};
use crate::api::{MigrateRequest, Migrated, MigratedRun, Migration, page};

pub(super) fn request(wire: v1::MigrateGraphRequest) -> Result<MigrateRequest, Malformed> {
    let before = match wire.page_token.as_str() {
        "" => None,
        token => Some(page::page_start(token).ok_or_else(|| Malformed::new("page_token", "it is none of ours"))?),
    };
    let (from, to) = (optional("from", &wire.from)?, optional("to", &wire.to)?);
    let limit = page_size(wire.page_size)?;
    Ok(MigrateRequest { graph: wire.graph, from, to, dry_run: wire.dry_run, before, limit })
}

pub(super) fn answer(migration: Migration) -> v1::MigrateGraphResponse {
    let next_page_token = migration.next.map(page::token_of).unwrap_or_default();
    let runs = migration.runs.into_iter().map(run).collect();
    v1::MigrateGraphResponse { to: migration.to.to_string(), runs, next_page_token }
}

fn run(run: MigratedRun) -> v1::RunMigration {
    use v1::MigrationResult as Wire;
    let (result, misfits) = match run.result {
        Migrated::Fits => (Wire::Fits, Vec::new()),
        Migrated::Misfit(misfits) => (Wire::Misfit, misfits),
        Migrated::Migrated => (Wire::Migrated, Vec::new()),
        Migrated::MovedOn => (Wire::MovedOn, Vec::new()),
    };
    v1::RunMigration {
        run_id: run.run.to_string(),
        thread: run.thread.to_string(),
        status: run.status.name().to_owned(),
        from: run.from.to_string(),
        result: result as i32,
        misfits: misfits.into_iter().map(misfit).collect(),
    }
}

fn misfit(misfit: Misfit) -> v1::Misfit {
    let Misfit { code, node, channel, cause, cure } = misfit;
    v1::Misfit { code: code.to_owned(), node, channel, cause, cure }
}
