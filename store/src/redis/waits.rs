//! The open waits of a run for a signal, with what tells whether a signal is theirs.

use std::collections::BTreeMap;

use baton_common::records::{Group, TaskKind, TaskState};
use baton_common::{JobId, RunId};
use redis::cmd;

use super::keys;
use super::link::Links;
use super::rows::{self, GroupRow};
use super::run_row::RunRow;
use crate::{Error, OpenWait};

/// Fields by index.
type ByIndex = BTreeMap<u32, Vec<u8>>;

/// In order of group and index.
pub(super) async fn open(links: &Links, run: RunId) -> Result<Vec<OpenWait>, Error> {
    let Some(row) = RunRow::read(links, run).await? else { return Ok(Vec::new()) };
    let generation = row.run()?.0.state.r#gen;
    let mut waits = Vec::new();
    for (group, group_row) in row.groups()? {
        if group.info.kind != TaskKind::Wait {
            continue;
        }
        let tasks = row.tasks(links, &group, &group_row).await?;
        let terms = terms(links, &row, &group, &group_row).await?;
        let bodies = bodies(links, run, &group, &group_row).await?;
        for (index, task) in tasks {
            let Some(signal) = terms.get(&index).map(|row| rows::terms(row)).transpose()?.and_then(|it| it.signal)
            else {
                continue;
            };
            let parked = task.seen_in(&group).state == TaskState::Parked;
            if let Some(body) = bodies.get(&index).filter(|_| parked) {
                let job = JobId { run, r#gen: generation, group: group.info.id.clone(), index };
                waits.push(OpenWait { job, group: group.info.clone(), signal, body: rows::body(body.clone())? });
            }
        }
    }
    Ok(waits)
}

async fn terms(links: &Links, row: &RunRow, group: &Group, group_row: &GroupRow) -> Result<ByIndex, Error> {
    if group_row.wide {
        return wide(links, "wh", row.id(), group).await;
    }
    let field = |index| Some((index, row.optional(&format!("h{}/{index}", group.info.id))?.to_vec()));
    Ok((0..group.info.count).filter_map(field).collect())
}

async fn bodies(links: &Links, run: RunId, group: &Group, group_row: &GroupRow) -> Result<ByIndex, Error> {
    if group_row.wide {
        return wide(links, "wi", run, group).await;
    }
    let mut command = cmd("HMGET");
    command.arg(keys::bodies(run));
    for index in 0..group.info.count {
        command.arg(format!("i{}/{index}", group.info.id));
    }
    let bodies: Vec<Option<Vec<u8>>> = links.command(run.partition, &command).await?;
    Ok((0_u32..).zip(bodies).filter_map(|(index, body)| Some((index, body?))).collect())
}

async fn wide(links: &Links, what: &str, run: RunId, group: &Group) -> Result<ByIndex, Error> {
    let command = cmd("HGETALL").arg(keys::wide(what, run, &group.info.id)).take();
    links.command(run.partition, &command).await
}
