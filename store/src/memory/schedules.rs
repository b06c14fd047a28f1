//! Schedules in memory.

use async_trait::async_trait;
use baton_common::TenantId;
use baton_common::records::{ScheduleId, ScheduleRow};

use super::MemoryStore;
use super::rows::PartitionRows;
use crate::machine::{Outcome, ScheduleRows};
use crate::{Error, Schedules};

impl ScheduleRows for PartitionRows {
    fn schedule(&mut self, id: ScheduleId) -> Outcome<Option<ScheduleRow>> {
        Ok(self.schedules.get(&id).cloned())
    }

    fn put_schedule(&mut self, id: ScheduleId, row: &ScheduleRow) -> Outcome<()> {
        self.wrote(None);
        self.schedules.insert(id, row.clone());
        Ok(())
    }

    fn delete_schedule(&mut self, id: ScheduleId) -> Outcome<()> {
        self.wrote(None);
        self.schedules.remove(&id);
        Ok(())
    }
}

#[async_trait]
impl Schedules for MemoryStore {
    async fn schedule(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, Error> {
        Ok(self.read(id.partition(), |rows| rows.schedules.get(&id).cloned()).flatten())
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduleRow>, Error> {
        let data = self.shared.data.lock();
        let all = data.partitions.values().flat_map(|rows| rows.schedules.values());
        let mut found: Vec<ScheduleRow> = all.filter(|row| row.tenant == *tenant).cloned().collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}
