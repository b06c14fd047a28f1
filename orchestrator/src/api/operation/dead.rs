//! What is dead: runs that wait for an operator, jobs that killed their workers, jobs that no
//! worker can take, and `once` jobs of which nobody knows the outcome.

use baton_common::JobId;
use baton_common::commit::{NodeFailure, RunEnd};
use baton_common::job::Outcome;
use baton_common::records::{Group, GroupPhase, Run, RunStatus, Task, TaskKind, TaskState};
use baton_common::tool::Effect;
use baton_common::{ErrorClass, Failure};
use baton_store::RunDetail;

use super::super::{ApiError, open_questions};
use super::select::item_of;
use super::{Item, Selection};
use crate::orchestrator::Inner;
use crate::why::{Depths, LISTED_TASKS_MAX};

/// Why a run failed.
pub(super) fn failure_of(run: &Run) -> Option<NodeFailure> {
    run.end.as_deref().and_then(|body| serde_json::from_str::<RunEnd>(body).ok()).and_then(|end| end.failure)
}

impl Inner {
    /// What is dead of one run.
    pub(super) async fn dead_of(
        &self,
        seen: &mut Depths,
        wanted: &Selection,
        run: &Run,
    ) -> Result<Vec<Item>, ApiError> {
        let mut found = match run.state.status {
            RunStatus::Stuck => self.stuck(run).await?.into_iter().collect(),
            RunStatus::Failed => self.failed(wanted, run).await?,
            RunStatus::Running | RunStatus::Undoing => self.lost(seen, run).await?,
            _ => Vec::new(),
        };
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        found.retain(|item| {
            let node = item.job.as_ref().map(|job| job.group.node.to_string()).unwrap_or_default();
            is(&wanted.why, &item.kind) && is(&wanted.tool, &item.tool) && is(&wanted.node, &node)
        });
        if wanted.class.is_some() {
            found.retain(|item| item.kind == "failed");
        }
        Ok(found)
    }

    async fn stuck(&self, run: &Run) -> Result<Option<Item>, ApiError> {
        let Some((since, text)) = self.store.parked(run.info.id).await? else { return Ok(None) };
        Ok(Some(Item { text, ..item_of(run, "stuck", since) }))
    }

    /// Jobs that failed for good in a run that did: those that killed their workers, or those of
    /// the class that is asked for.
    async fn failed(&self, wanted: &Selection, run: &Run) -> Result<Vec<Item>, ApiError> {
        let class = wanted.class.as_deref().unwrap_or(ErrorClass::Poison.name());
        let matters = failure_of(run).is_some_and(|failed| failed.failure.class.name() == class);
        if !matters || run.info.parent.is_some() {
            return Ok(Vec::new());
        }
        let Some(detail) = self.store.detail(run.info.id).await? else { return Ok(Vec::new()) };
        let since = run.state.ended_at.unwrap_or(run.state.ready_at);
        let mut items = Vec::new();
        for (job, group, task) in jobs(&detail).filter(|(_, _, task)| task.state == TaskState::Failed) {
            let Some(failure) = self.outcome(&job).await? else { continue };
            if failure.class.name() == class {
                let text = format!("{}, {}: {}", failure.class, failure.code, failure.message);
                items.push(of_job(item_of(run, "failed", since), job, group, task.dispatch_seq.0, text));
            }
        }
        Ok(items)
    }

    async fn outcome(&self, job: &JobId) -> Result<Option<Failure>, ApiError> {
        let result = self.store.bodies(job).await?.result;
        let outcome = result.and_then(|body| serde_json::from_str::<Outcome>(&body).ok());
        Ok(match outcome {
            Some(Outcome::Error(failure)) => Some(failure),
            _ => None,
        })
    }

    /// Jobs of an open run that no worker can take, or that nobody knows the outcome of.
    async fn lost(&self, seen: &mut Depths, run: &Run) -> Result<Vec<Item>, ApiError> {
        let Some(outline) = self.store.outline(run.info.id, LISTED_TASKS_MAX).await? else { return Ok(Vec::new()) };
        let waits = self.why(seen, &outline, &open_questions(&outline), false).await?;
        let is_dead = |code: &str| matches!(code, "unroutable" | "no_worker" | "outcome_unknown");
        let once = outline.groups.iter().any(|(group, _)| group.info.effect == Effect::Once);
        let nobody_asked = !once || outline.interrupts.is_empty();
        if nobody_asked && !waits.iter().any(|wait| is_dead(&wait.code)) {
            return Ok(Vec::new());
        }
        let Some(detail) = self.store.detail(run.info.id).await? else { return Ok(Vec::new()) };
        let mut items = Vec::new();
        for (job, group, task) in jobs(&detail) {
            let asked =
                detail.interrupts.iter().find(|asked| asked.job.group == job.group && asked.job.index == job.index);
            let since = match task.state {
                TaskState::Dispatched { at } => at,
                TaskState::Publishable { not_before } => not_before,
                TaskState::OutcomeUnknown => {
                    let at = asked.map_or(run.state.ready_at, |asked| asked.opened_at);
                    let text = "its worker was lost, and it may not run twice".to_owned();
                    items.push(of_job(item_of(run, "outcome_unknown", at), job, group, task.phase, text));
                    continue;
                }
                _ => continue,
            };
            let node = group.info.id.node.to_string();
            let nobody =
                waits.iter().find(|wait| wait.node == node && matches!(wait.code.as_str(), "unroutable" | "no_worker"));
            if let Some(wait) = nobody {
                let item = item_of(run, "unroutable", since);
                items.push(of_job(item, job, group, task.dispatch_seq.0, wait.text.clone()));
            }
        }
        Ok(items)
    }
}

fn of_job(item: Item, job: JobId, group: &Group, seen: u32, text: String) -> Item {
    Item { job: Some(job), seen, tool: group.info.tool.clone(), text, ..item }
}

/// The jobs of a run.
fn jobs(detail: &RunDetail) -> impl Iterator<Item = (JobId, &Group, &Task)> {
    let (run, r#gen) = (detail.run.info.id, detail.run.state.r#gen);
    let over = detail.run.state.status.is_terminal();
    let groups = detail
        .groups
        .iter()
        .filter(move |(group, _)| group.info.kind == TaskKind::Job && (over || group.state.phase == GroupPhase::Open));
    groups.flat_map(move |(group, tasks)| {
        let each = (0_u32..).zip(tasks);
        each.map(move |(index, task)| (JobId { run, r#gen, group: group.info.id.clone(), index }, group, task))
    })
}
