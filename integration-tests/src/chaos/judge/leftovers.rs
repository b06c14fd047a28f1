//! I7, I11 and I15 once everything has ended: the due index holds nothing but what will be
//! removed, and removes all that has ended; no run and no question is open, groups are gone,
//! queues and dead letters are empty, and no key is left of what is gone.

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
    let removed = due(&store, found).await?;
    for key in orphans(bed)? {
        found.push(format!("I15: {key} is left of what is gone"));
    }
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
        if run.state.status.is_terminal() && !removed.contains(&run.info.id) {
            found.push(format!("I15: {} has ended and nothing will remove it", run.info.id));
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

/// The due index of every partition: the runs that it removes.
async fn due(store: &RedisStore, found: &mut Vec<String>) -> anyhow::Result<BTreeSet<RunId>> {
    let mut removed = BTreeSet::new();
    for partition in Partition::all() {
        for (_, due) in store.due(partition).await? {
            match due.key.kind {
                DueKind::Gc if store.run(due.key.run).await?.is_none() => {
                    found.push(format!("I15: {} is due and there is no such run", due.key.member()));
                }
                DueKind::Gc => drop(removed.insert(due.key.run)),
                DueKind::Thread => {}
                _ => found.push(format!("I7: {} of a run that has ended is still due", due.key.member())),
            }
        }
    }
    Ok(removed)
}

/// Keys of a run or a thread whose own row is gone: bodies, wide groups and staged tasks of runs,
/// checkpoints, signals and holders of threads.
const ORPHANS: &str = "local orphans = {}
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', '{p*', 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local tag, kind, name = string.match(key, '^({[^}]*})(%a+):(.*)$')
    local of = nil
    if kind == 'x' or kind == 'y' or kind == 'i' then of = 't:' .. name end
    if kind == 'b' or kind and #kind == 2 then of = 'r:' .. string.sub(name, 1, 32) end
    if of and redis.call('EXISTS', tag .. of) == 0 then orphans[#orphans + 1] = key end
  end
until cursor == '0'
return table.concat(orphans, '\\n')";

fn orphans(bed: &Bed) -> anyhow::Result<Vec<String>> {
    let text = bed.redis.cli(&["--raw", "EVAL", ORPHANS, "0"])?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
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
