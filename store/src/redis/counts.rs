//! How much is under way: each partition counts its open runs as they change, and says whose
//! inboxes there are.

use std::collections::BTreeMap;

use baton_common::records::RunStatus;
use baton_common::{Partition, TenantId, Timestamp};
use redis::{Pipeline, cmd};

use super::link::Links;
use super::pack::broken;
use super::{clock_of, keys};
use crate::{Counts, Error};

/// Counts of one partition by status, and `t:TENANT` for inboxes.
type Row = BTreeMap<String, String>;

pub(super) async fn counts(links: &Links) -> Result<Counts, Error> {
    let mut pipeline = Pipeline::with_capacity(usize::from(Partition::COUNT));
    for partition in Partition::all() {
        pipeline.cmd("HGETALL").arg(keys::counts(partition));
    }
    let rows: Vec<Row> = links.pipeline(Partition(0), &pipeline).await?;
    let now = clock_of(Ok(links.command(Partition(0), &cmd("TIME")).await?))?;
    let (mut counts, mut inboxes) = (Counts { now, ..Counts::default() }, Pipeline::new());
    for (partition, row) in Partition::all().zip(rows) {
        for (field, count) in row {
            if let Some(tenant) = field.strip_prefix("t:") {
                let tenant = TenantId::parse(tenant).map_err(|_| broken("a tenant"))?;
                let key = keys::inbox(partition, &tenant);
                inboxes.cmd("ZCARD").arg(&key);
                inboxes.cmd("ZRANGE").arg(&key).arg(0).arg(0).arg("WITHSCORES");
            } else {
                let status = field.parse::<usize>().ok().and_then(|place| RunStatus::ALL.get(place));
                let count: i64 = count.parse().map_err(|_| broken("a count of runs"))?;
                counts.open(*status.ok_or_else(|| broken("a status"))?, u64::try_from(count).unwrap_or(0));
            }
        }
    }
    if inboxes.is_empty() {
        return Ok(counts);
    }
    let answers: Vec<redis::Value> = links.pipeline(Partition(0), &inboxes).await?;
    for pair in answers.chunks(2) {
        let [count, first] = pair else { return Err(broken("an inbox")) };
        let count: u64 = redis::from_redis_value(count.clone()).map_err(|_| broken("an inbox"))?;
        let first: Vec<(String, f64)> = redis::from_redis_value(first.clone()).map_err(|_| broken("an inbox"))?;
        #[allow(clippy::cast_possible_truncation, reason = "scores are whole milliseconds below 2^53")]
        if let Some((_, at)) = first.first() {
            counts.asked(count, Timestamp(*at as i64));
        }
    }
    Ok(counts)
}
