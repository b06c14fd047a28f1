//! Listings over partitions: each keeps its own sorted index, a page is merged from them.

use std::cmp::Reverse;

use baton_common::records::{Interrupt, Run};
use baton_common::{Partition, RunId, TenantId, Timestamp};
use redis::Pipeline;

use super::link::Links;
use super::pack::broken;
use super::replies::run_of;
use super::{keys, reader, rows};
use crate::{Error, RunFilter};

/// Runs of a tenant, new ones first.
pub(super) async fn runs(links: &Links, tenant: &TenantId, filter: &RunFilter) -> Result<Vec<Run>, Error> {
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let partitions: Vec<Partition> = match &filter.thread {
        Some(thread) => vec![thread.partition()],
        None => Partition::all().collect(),
    };
    // Each partition gives so many; where a filter leaves too few, more are asked for.
    let mut depth = limit.clamp(16, 1_000);
    loop {
        let (candidates, exhausted) = newest(links, tenant, filter, &partitions, depth).await?;
        let mut found = Vec::new();
        for chunk in candidates.chunks(200) {
            for run in whole_runs(links, chunk).await? {
                let status = filter.status.is_none_or(|status| run.state.status == status);
                let thread = filter.thread.as_ref().is_none_or(|thread| run.info.thread == *thread);
                if status && thread {
                    found.push(run);
                }
            }
            if found.len() >= limit {
                break;
            }
        }
        if found.len() >= limit || exhausted {
            found.truncate(limit);
            return Ok(found);
        }
        depth = depth.saturating_mul(4);
    }
}

/// The newest runs as far down as every partition was read, and whether that is all.
async fn newest(
    links: &Links,
    tenant: &TenantId,
    filter: &RunFilter,
    partitions: &[Partition],
    depth: usize,
) -> Result<(Vec<RunId>, bool), Error> {
    let from = filter.before.map_or_else(|| "+inf".to_owned(), |(at, _)| at.to_string());
    let mut pipeline = Pipeline::with_capacity(partitions.len());
    for &partition in partitions {
        let key = keys::listed(partition, tenant);
        let command = pipeline.cmd("ZREVRANGEBYSCORE").arg(key).arg(&from).arg("-inf");
        command.arg("WITHSCORES").arg("LIMIT").arg(0).arg(depth);
    }
    let link = partitions.first().copied().unwrap_or(Partition(0));
    let lists: Vec<Vec<(String, f64)>> = links.pipeline(link, &pipeline).await?;
    let mut all = Vec::new();
    let mut horizon: Option<(Timestamp, RunId)> = None;
    for (&partition, list) in partitions.iter().zip(lists) {
        let cut = list.len() >= depth;
        let mut last = None;
        for (uuid, at) in list {
            #[allow(clippy::cast_possible_truncation, reason = "scores are whole milliseconds below 2^53")]
            let place = (Timestamp(at as i64), run_of(partition, &uuid)?);
            last = Some(place);
            if filter.before.is_none_or(|before| place < before) {
                all.push(place);
            }
        }
        if cut {
            horizon = horizon.max(last);
        }
    }
    all.retain(|place| horizon.is_none_or(|horizon| *place >= horizon));
    all.sort_by_key(|place| Reverse(*place));
    Ok((all.into_iter().map(|(_, run)| run).collect(), horizon.is_none()))
}

async fn whole_runs(links: &Links, runs: &[RunId]) -> Result<Vec<Run>, Error> {
    let Some(first) = runs.first() else { return Ok(Vec::new()) };
    let mut pipeline = Pipeline::with_capacity(runs.len());
    for run in runs {
        pipeline.cmd("HMGET").arg(keys::run(*run)).arg(&reader::WHOLE_RUN);
    }
    let rows: Vec<[Option<Vec<u8>>; 4]> = links.pipeline(first.partition, &pipeline).await?;
    let rows = runs.iter().zip(rows);
    rows.filter_map(|(run, fields)| reader::whole_run(*run, fields).transpose()).collect()
}

/// Open questions of a tenant, old ones first.
pub(super) async fn inbox(links: &Links, tenant: &TenantId, limit: u32) -> Result<Vec<Interrupt>, Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut pipeline = Pipeline::with_capacity(usize::from(Partition::COUNT));
    for partition in Partition::all() {
        let key = keys::inbox(partition, tenant);
        // Of equal times the one with the smaller id comes first, so a tie may reach further.
        let command = pipeline.cmd("ZRANGEBYSCORE").arg(key).arg("-inf").arg("+inf").arg("WITHSCORES");
        command.arg("LIMIT").arg(0).arg(limit.saturating_mul(2).min(10_000));
    }
    let lists: Vec<Vec<(String, f64)>> = links.pipeline(Partition(0), &pipeline).await?;
    let mut places = Vec::new();
    for (partition, list) in Partition::all().zip(lists) {
        for (member, at) in list {
            let (uuid, rest) = member.split_once('/').ok_or_else(|| broken("an inbox entry"))?;
            let (_, place) = rest.split_once('/').ok_or_else(|| broken("an inbox entry"))?;
            places.push((at, run_of(partition, uuid)?, place.to_owned()));
        }
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let reach = places.get(limit.saturating_sub(1)).map_or(f64::INFINITY, |(at, _, _)| *at);
    places.retain(|(at, _, _)| *at <= reach);
    let mut found = questions(links, &places).await?;
    found.sort_by_key(|interrupt| (interrupt.opened_at, interrupt.id));
    found.truncate(limit);
    Ok(found)
}

async fn questions(links: &Links, places: &[(f64, RunId, String)]) -> Result<Vec<Interrupt>, Error> {
    let Some((_, first, _)) = places.first() else { return Ok(Vec::new()) };
    let mut pipeline = Pipeline::with_capacity(places.len() * 2);
    for (_, run, place) in places {
        pipeline.cmd("HGET").arg(keys::run(*run)).arg(format!("?{place}"));
        pipeline.cmd("HGET").arg(keys::bodies(*run)).arg(format!("?{place}"));
    }
    let texts: Vec<Option<Vec<u8>>> = links.pipeline(first.partition, &pipeline).await?;
    let mut found = Vec::new();
    for ((_, run, place), pair) in places.iter().zip(texts.chunks(2)) {
        // A question that was settled meanwhile may be gone.
        if let [Some(row), Some(text)] = pair {
            found.push(rows::interrupt(*run, place, row, rows::question(text.clone())?)?);
        }
    }
    Ok(found)
}
