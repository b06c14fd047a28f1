//! I7, I11 and I15 once everything has ended: the due index holds nothing but what will be
//! removed, no run and no question is open, groups are gone, queues and dead letters are empty.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use anyhow::Context as _;
use baton_common::records::{DueKind, Run};
use baton_common::settings::Timings;
use baton_common::{Partition, RunId, TenantId};
use baton_store::{Reader as _, RedisOptions, RedisStore, RunFilter};

use super::Verdict;
use crate::chaos::api::{Api, Told};
use crate::chaos::bed::Bed;
use crate::chaos::history::History;

pub(super) async fn judge(
    api: &Api,
    bed: &Bed,
    history: &History,
    verdict: &Verdict,
    found: &mut Vec<String>,
) -> anyhow::Result<()> {
    if let Told::Ok(questions) = api.inbox(0).await
        && !questions.is_empty()
    {
        found.push(format!("I15: {} questions are open, the first of {}", questions.len(), questions[0].run_id));
    }
    for (queue, waiting) in bed.rabbit.queues(&bed.vhost)? {
        if waiting > 0 {
            let standing = bed.rabbit.standing(&bed.vhost, &queue)?;
            found.push(format!("I11: {waiting} messages are left in {queue} ({standing})"));
        }
    }
    let store = RedisStore::connect(RedisOptions::new(bed.redis.url(), Timings::default())).await?;
    due(&store, found).await?;
    let accepted: BTreeSet<&str> =
        verdict.runs.iter().flat_map(|ran| ran.accepted.iter().map(|(id, _)| id.as_str())).collect();
    let mut known = BTreeSet::new();
    for run in runs(&store).await? {
        if !run.state.status.is_terminal() {
            found.push(format!("I1: {} is {} in the store", run.info.id, run.state.status.name()));
        }
        let id = run.info.id.to_string();
        if run.info.parent.is_none() && !accepted.contains(id.as_str()) && !history.is_beside(&id) {
            found.push(format!("I1: nobody was told of {}", run.info.id));
        }
        if run.state.detached_open > 0 || run.state.awaiting > 0 {
            found.push(format!("I15: {} has ended and waits for something", run.info.id));
        }
        known.insert(run.info.id);
    }
    for id in accepted {
        let id = RunId::from_str(id).context("a run's id")?;
        if !known.contains(&id) {
            found.push(format!("I1: {id} is not listed"));
        }
    }
    Ok(())
}

/// The due index of every partition.
async fn due(store: &RedisStore, found: &mut Vec<String>) -> anyhow::Result<()> {
    for partition in Partition::all() {
        for (_, due) in store.due(partition).await? {
            if due.key.kind != DueKind::Gc {
                found.push(format!("I7: {} of a run that has ended is still due", due.key.member()));
            }
        }
    }
    Ok(())
}

async fn runs(store: &RedisStore) -> anyhow::Result<Vec<Run>> {
    let tenant = TenantId::parse("local").context("a tenant")?;
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = store.runs(&tenant, &RunFilter { before, limit: 500, ..RunFilter::default() }).await?;
        let Some(last) = page.last() else { return Ok(all) };
        before = Some((last.state.created_at, last.info.id));
        all.extend(page);
    }
}
