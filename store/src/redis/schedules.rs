//! Schedules in Redis: a hash in each partition, a packed row by uuid.

use async_trait::async_trait;
use baton_common::records::{ScheduleId, ScheduleRow};
use baton_common::transition::KeepSchedule;
use baton_common::{Digest, Partition, TenantId};
use redis::{Pipeline, cmd};

use super::pack::{Fields, Packer, broken};
use super::{RedisStore, keys};
use crate::{Error, Schedules};

pub(super) fn keep(op: &KeepSchedule) -> Vec<u8> {
    let packer = Packer::default().bytes(op.id.0.uuid.simple().to_string());
    let packer = match op.seen {
        Some(seen) => packer.number(seen),
        None => packer.flag(false),
    };
    let packer = packer.bytes(op.op.0).bytes(op.tenant.as_str()).bytes(&op.name);
    let packer = packer.bytes_or_none(op.body.as_deref()).moment_or_none(op.due);
    let packer = packer.bytes_or_none(op.note.as_ref().map(|note| note.actor.as_str()));
    packer.bytes_or_none(op.note.as_ref().map(|note| note.operation.as_str())).finish()
}

/// A schedule's row: its rev, who wrote it last, whose it is, its name and its body.
pub(super) fn row(bytes: &[u8]) -> Result<ScheduleRow, Error> {
    let mut fields = Fields::of(bytes)?;
    Ok(ScheduleRow {
        rev: fields.number()?,
        op: Digest(fields.exactly()?),
        tenant: TenantId::parse(&fields.text()?).map_err(|_| broken("a tenant"))?,
        name: fields.text()?,
        body: fields.text()?,
    })
}

#[async_trait]
impl Schedules for RedisStore {
    async fn schedule(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, Error> {
        let command = cmd("HGET").arg(keys::schedules(id.partition())).arg(id.0.uuid.simple().to_string()).take();
        let found: Option<Vec<u8>> = self.shared.links.command(id.partition(), &command).await?;
        found.map(|found| row(&found)).transpose()
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduleRow>, Error> {
        let mut pipeline = Pipeline::with_capacity(usize::from(Partition::COUNT));
        for partition in Partition::all() {
            pipeline.cmd("HVALS").arg(keys::schedules(partition));
        }
        let lists: Vec<Vec<Vec<u8>>> = self.shared.links.pipeline(Partition(0), &pipeline).await?;
        let rows: Result<Vec<ScheduleRow>, Error> = lists.iter().flatten().map(|bytes| row(bytes)).collect();
        let mut found: Vec<ScheduleRow> = rows?.into_iter().filter(|row| row.tenant == *tenant).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}
