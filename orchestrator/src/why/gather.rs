//! Looks up what an answer is made of. What it costs for one run has a bound, however wide its
//! groups are: tasks of wide groups are not read for listings, and times of a few tasks only.

use std::collections::BTreeMap;

use baton_common::records::{DueKey, DueKind, EventKind, RunStatus, TaskKind, TaskState};
use baton_common::{GroupId, JobId, RunId, Timestamp};
use baton_store::{Error, RunDetail};

use super::{Around, Facts, explain};
use crate::api::{QuestionView, Wait};
use crate::auth::Scope;
use crate::orchestrator::Inner;
use crate::quotas::QuotaWait;

/// Tasks of a group that a listing reads.
pub(crate) const LISTED_TASKS_MAX: u32 = 256;
/// Parked tasks of a run whose times are looked up.
const TIMERS_MAX: usize = 64;
/// Events among which claims are looked for.
const EVENTS_MAX: u64 = 64;
/// How deep called runs are followed to what they wait for in the end.
const CALLS_MAX: usize = 8;

/// What is around runs, with queues looked up as they are met.
pub(crate) struct Depths {
    pub(crate) around: Around,
    now: Timestamp,
}

impl Inner {
    /// Looks around, for the callers of one tenant.
    pub(crate) async fn around(&self, tenant: &baton_common::TenantId) -> Result<Depths, Error> {
        let workers = self.workers_now().await.unwrap_or_default();
        let keys = self.store.api_keys().await?;
        let may = |key: &&baton_store::ApiKey| {
            key.tenant == *tenant && key.scopes.iter().any(|scope| scope == Scope::Answer.name())
        };
        let mut answerers: Vec<String> = keys.iter().filter(may).map(|key| key.actor.to_string()).collect();
        answerers.sort();
        answerers.dedup();
        let (broker_ready, reader) = (self.broker.ready(), self.settings.reader);
        let around = Around { workers, depths: BTreeMap::new(), broker_ready, answerers, reader };
        Ok(Depths { around, now: self.store.now().await? })
    }

    /// Why a run does not end just now. `closely`: with what costs more to look up.
    pub(crate) async fn why(
        &self,
        seen: &mut Depths,
        detail: &RunDetail,
        questions: &[QuestionView],
        closely: bool,
    ) -> Result<Vec<Wait>, Error> {
        if detail.run.state.status.is_terminal() {
            return Ok(Vec::new());
        }
        self.look_at_queues(seen, detail).await;
        let leaf = if closely { None } else { self.leaf(seen, detail).await? };
        self.why_with(seen, detail, questions, closely, leaf).await
    }

    async fn why_with(
        &self,
        seen: &Depths,
        detail: &RunDetail,
        questions: &[QuestionView],
        closely: bool,
        leaf: Option<String>,
    ) -> Result<Vec<Wait>, Error> {
        let (run, state) = (detail.run.info.id, &detail.run.state);
        let parked = if state.status == RunStatus::Stuck { self.store.parked(run).await? } else { None };
        let ahead = if state.status == RunStatus::Queued { self.ahead(detail).await? } else { None };
        let mut signals = BTreeMap::new();
        if state.awaiting > 0 {
            for open in self.store.waits(run).await? {
                signals.insert((open.job.group, open.job.index), open.signal);
            }
        }
        let tasks = timed_tasks(detail);
        let mut keys = vec![DueKey::run(DueKind::Ready, run), DueKey::run(DueKind::Cancel, run)];
        keys.extend(tasks.iter().map(|job| DueKey::task(DueKind::Timer, job)));
        let due = self.store.due_at(run.partition, &keys).await?;
        let timers =
            tasks.into_iter().zip(due.iter().skip(2)).filter_map(|(job, at)| Some(((job.group, job.index), (*at)?)));
        let claims = if closely { self.claims(detail).await? } else { BTreeMap::new() };
        let facts = Facts {
            detail,
            questions,
            around: &seen.around,
            now: seen.now,
            ready: due.first().copied().flatten(),
            forced: due.get(1).copied().flatten(),
            computing: self.inflight.is_under_way(run),
            timers: timers.collect(),
            signals,
            claims,
            parked,
            ahead,
            leaf,
        };
        let mut waits = explain(&facts);
        waits.extend(self.of_quotas(detail).await?);
        waits.sort_by_key(|wait| super::rank(&wait.code));
        Ok(waits)
    }

    /// The jobs that quotas have no room for: of many the first few are looked at.
    async fn of_quotas(&self, detail: &RunDetail) -> Result<Vec<Wait>, Error> {
        let mut waits = BTreeMap::<_, Wait>::new();
        for (group, index, QuotaWait { quota, until }) in self.quota_waits(detail).await? {
            let text = format!("waits for quota {quota}, which has no room now");
            let cure = format!("baton quotas get {quota}");
            let wait = super::wait("quota", group.node.as_str(), text);
            let first = Wait { item: Some(index), until: Some(until), cure, ..wait };
            let told = waits.entry((group, quota)).or_insert(first);
            told.count += 1;
            told.item = told.item.filter(|_| told.count == 1);
            told.until = told.until.min(Some(until));
        }
        Ok(waits.into_values().collect())
    }

    /// Asks for the queues of a run's jobs that were not asked for yet.
    async fn look_at_queues(&self, seen: &mut Depths, detail: &RunDetail) {
        let jobs = detail.groups.iter().filter(|(group, _)| group.info.kind == TaskKind::Job);
        for (group, _) in jobs {
            let queue = &group.info.queue;
            if seen.around.depths.contains_key(queue) {
                continue;
            }
            match self.depth_of(queue).await {
                Ok(depth) => drop(seen.around.depths.insert(queue.clone(), depth)),
                Err(error) => tracing::debug!(queue, %error, "depth unknown"),
            }
        }
    }

    /// What the first run that a run called waits for in the end.
    async fn leaf(&self, seen: &mut Depths, detail: &RunDetail) -> Result<Option<String>, Error> {
        let mut next = first_call(detail);
        let mut told = None;
        for _ in 0..CALLS_MAX {
            let Some(run) = next else { break };
            let Some(child) = self.store.outline(run, LISTED_TASKS_MAX).await? else { break };
            self.look_at_queues(seen, &child).await;
            let questions = crate::api::open_questions(&child);
            let waits = self.why_with(seen, &child, &questions, false, None).await?;
            next = first_call(&child);
            told = waits.first().map(|wait| {
                let node = if wait.node.is_empty() { String::new() } else { format!("{}: ", wait.node) };
                format!("{node}{}", wait.text)
            });
            if waits.first().is_some_and(|wait| wait.code != "graph") {
                break;
            }
        }
        Ok(told)
    }

    /// The run that a queued run's thread works on, and how many stand before it.
    async fn ahead(&self, detail: &RunDetail) -> Result<Option<(RunId, usize)>, Error> {
        let info = &detail.run.info;
        let Some(thread) = self.store.thread(&info.thread).await? else { return Ok(None) };
        let before = thread.queue.iter().position(|run| *run == info.id).unwrap_or(0);
        Ok(thread.active.map(|active| (active, before)))
    }

    /// When jobs that are at work were claimed, as far as late events tell.
    async fn claims(&self, detail: &RunDetail) -> Result<BTreeMap<(GroupId, u32), Timestamp>, Error> {
        let mut claims = BTreeMap::new();
        if detail.groups.iter().all(|(group, _)| group.info.kind != TaskKind::Job || group.state.at_work == 0) {
            return Ok(claims);
        }
        let (run, events) = (detail.run.info.id, detail.run.state.events);
        let limit = u32::try_from(EVENTS_MAX).unwrap_or(u32::MAX);
        for event in self.store.events(run, events.saturating_sub(EVENTS_MAX), limit).await? {
            if let (EventKind::Claimed, Some(group), Some(index)) = (event.kind, event.group, event.index) {
                claims.insert((group, index), event.at);
            }
        }
        Ok(claims)
    }
}

/// Tasks that a time may end, not more than a few.
fn timed_tasks(detail: &RunDetail) -> Vec<JobId> {
    let (run, r#gen) = (detail.run.info.id, detail.run.state.r#gen);
    let timed = detail.groups.iter().filter(|(group, _)| matches!(group.info.kind, TaskKind::Job | TaskKind::Wait));
    let parked = timed.flat_map(|(group, tasks)| {
        let parked = (0_u32..).zip(tasks).filter(|(_, task)| task.state == TaskState::Parked);
        parked.map(move |(index, _)| JobId { run, r#gen, group: group.info.id.clone(), index })
    });
    parked.take(TIMERS_MAX).collect()
}

/// The first run that a run called and that has not ended.
fn first_call(detail: &RunDetail) -> Option<RunId> {
    let (run, r#gen) = (detail.run.info.id, detail.run.state.r#gen);
    let mut called = detail.groups.iter().filter(|(group, _)| group.info.kind == TaskKind::Child);
    called.find_map(|(group, tasks)| {
        let index = tasks.iter().position(|task| task.state == TaskState::Parked)?;
        let index = u32::try_from(index).ok()?;
        Some(RunId::for_child(&JobId { run, r#gen, group: group.info.id.clone(), index }))
    })
}
