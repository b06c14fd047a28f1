//! Runs as people see them: one, or many in a listing, and why one does not go on.
//!
//! Waiting is derived here: a run waits when only questions are open.

use baton_common::commit::{Question, QuestionForm, RunEnd};
use baton_common::records::{Group, GroupPhase, Interrupt, InterruptState, Run, Task, TaskState};
use baton_common::transition::Op;
use baton_common::{RunId, TenantId, ThreadKey};
use baton_store::{RunDetail, RunFilter};
use serde_json::{Value, json};

use super::family::Member;
use super::{ApiError, Caller, GroupView, ListFilter, QuestionView, RunSummary, RunView, Status, Wait};
use crate::driver::Cue;
use crate::orchestrator::{Inner, Orchestrator};
use crate::why::LISTED_TASKS_MAX;

/// Runs in a listing unless asked for otherwise.
const LIST_DEFAULT: u32 = 100;
/// The most runs in a listing.
const LIST_MAX: u32 = 1_000;
/// Called runs whose own reasons are told with a run.
const EXPLAINED_MAX: usize = 20;

impl Orchestrator {
    /// One run.
    ///
    /// # Errors
    /// When there is none of that id for this caller.
    pub async fn get(&self, caller: &Caller, run: RunId) -> Result<RunView, ApiError> {
        let detail = self.inner.owned_detail(caller, run).await?;
        self.inner.view(detail).await
    }

    /// Runs, new ones first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self, caller: &Caller, filter: ListFilter) -> Result<Vec<RunSummary>, ApiError> {
        let limit = if filter.limit == 0 { LIST_DEFAULT } else { filter.limit.min(LIST_MAX) };
        let thread = filter.thread.map(|thread| ThreadKey { tenant: caller.tenant.clone(), thread });
        let why = filter.why;
        let filter = RunFilter { status: filter.status, thread, before: filter.before, limit };
        let runs = self.inner.store.runs(&caller.tenant, &filter).await?;
        let mut lines: Vec<RunSummary> = runs.iter().map(summary).collect();
        if why {
            self.inner.explain_lines(&caller.tenant, &mut lines).await?;
        }
        Ok(lines)
    }

    /// Open questions of the tenant, old ones first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn inbox(&self, caller: &Caller, limit: u32) -> Result<Vec<QuestionView>, ApiError> {
        let limit = if limit == 0 { LIST_DEFAULT } else { limit.min(LIST_MAX) };
        let interrupts = self.inner.store.inbox(&caller.tenant, limit).await?;
        Ok(interrupts.iter().filter_map(question_view).collect())
    }

    /// Lets a parked run go on; whether it was parked.
    ///
    /// # Errors
    /// When there is no such run for this caller, or nothing is known of what happened.
    pub async fn unpark(&self, caller: &Caller, run: RunId) -> Result<bool, ApiError> {
        self.unpark_as(caller, run, "").await
    }

    /// The same as part of an operation over many.
    pub(super) async fn unpark_as(&self, caller: &Caller, run: RunId, operation: &str) -> Result<bool, ApiError> {
        self.inner.owned(caller, run).await?;
        let actor = &caller.actor;
        let unpark = || Op::Unpark { run, actor: actor.clone(), operation: operation.to_owned() };
        let unparked = self.inner.settle(|| self.inner.change_op(unpark())).await?;
        if unparked.answer {
            self.inner.advance_soon(run, Cue::Look);
        }
        Ok(unparked.answer)
    }
}

impl Inner {
    /// A run of the caller's tenant.
    pub(super) async fn owned(&self, caller: &Caller, run: RunId) -> Result<Run, ApiError> {
        let found = self.store.run(run).await?;
        found.filter(|found| found.info.thread.tenant == caller.tenant).ok_or_else(|| ApiError::not_found("run", run))
    }

    pub(super) async fn owned_detail(&self, caller: &Caller, run: RunId) -> Result<RunDetail, ApiError> {
        let found = self.store.detail(run).await?;
        found
            .filter(|found| found.run.info.thread.tenant == caller.tenant)
            .ok_or_else(|| ApiError::not_found("run", run))
    }

    async fn view(&self, detail: RunDetail) -> Result<RunView, ApiError> {
        let end = detail.run.end.as_deref().and_then(|body| serde_json::from_str::<RunEnd>(body).ok());
        let family = self.family(&detail).await?;
        let mut questions = open_questions(&detail);
        for member in &family {
            let theirs = open_questions(&member.detail).into_iter();
            questions.extend(theirs.map(|question| {
                let node = format!("{}{}", member.prefix, question.node);
                QuestionView { node, ..question }
            }));
        }
        by_age(&mut questions);
        let mut summary = summary(&detail.run);
        summary.status = status(&detail);
        // Who waits for a run that is at work does not wait for people.
        if summary.status == Status::Waiting && family.iter().any(|member| status(&member.detail) == Status::Running) {
            summary.status = Status::Running;
        }
        let waits = self.all_waits(&detail, &family, &questions).await?;
        let mut groups = group_views("", &detail);
        groups.extend(family.iter().flat_map(|member| group_views(&member.prefix, &member.detail)));
        let (output, failure) = end.map_or((None, None), |end| (end.output, end.failure));
        let state = &detail.run.state;
        let (head, superstep, events) = (state.head, state.superstep, state.events);
        Ok(RunView { summary, output, failure, waits, questions, groups, head, superstep, events })
    }
}

impl Inner {
    /// Why a run does not end just now, with what the runs that it called wait for.
    async fn all_waits(
        &self,
        detail: &RunDetail,
        family: &[Member],
        questions: &[QuestionView],
    ) -> Result<Vec<Wait>, ApiError> {
        if detail.run.state.status.is_terminal() {
            return Ok(Vec::new());
        }
        let mut seen = self.around(&detail.run.info.thread.tenant).await?;
        let mut waits = self.why(&mut seen, detail, questions, true).await?;
        for member in family.iter().take(EXPLAINED_MAX) {
            let theirs = self.why(&mut seen, &member.detail, &[], true).await?;
            let below = |wait: Wait| Wait {
                node: format!("{}{}", member.prefix, wait.node),
                run: wait.run.or(Some(member.detail.run.info.id)),
                ..wait
            };
            waits.extend(theirs.into_iter().filter(|wait| wait.code != "broker").map(below));
        }
        Ok(waits)
    }

    /// Says of each open run in a listing why it does not end just now.
    pub(super) async fn explain_lines(&self, tenant: &TenantId, lines: &mut [RunSummary]) -> Result<(), ApiError> {
        let mut seen = self.around(tenant).await?;
        for line in lines.iter_mut().filter(|line| !line.status.is_terminal()) {
            let Some(detail) = self.store.outline(line.run, LISTED_TASKS_MAX).await? else { continue };
            line.waits = self.why(&mut seen, &detail, &open_questions(&detail), false).await?;
        }
        Ok(())
    }
}

/// What a run has under way. What it leaves to a retry when it ends is not.
fn group_views(prefix: &str, detail: &RunDetail) -> Vec<GroupView> {
    let over = Status::of(detail.run.state.status).is_terminal();
    let under_way = detail
        .groups
        .iter()
        .filter(|(group, _)| !over || group.info.detached && group.state.phase != GroupPhase::Closed);
    let view = |(group, tasks): &(Group, Vec<Task>)| {
        let claimed = tasks.iter().filter(|task| matches!(task.state, TaskState::Claimed { .. })).count() as u32;
        let ended = group.state.ok + group.state.failed + group.state.cancelled;
        GroupView {
            prefix: prefix.to_owned(),
            group: group.info.id.clone(),
            tool: group.info.tool.clone(),
            queue: group.info.queue.clone(),
            count: group.info.count,
            waiting: group.info.count.saturating_sub(claimed + ended),
            claimed,
            ok: group.state.ok,
            failed: group.state.failed,
            cancelled: group.state.cancelled,
        }
    };
    under_way.map(view).collect()
}

/// A run's line in a listing.
fn summary(run: &Run) -> RunSummary {
    RunSummary {
        run: run.info.id,
        thread: run.info.thread.thread.clone(),
        graph_name: run.info.graph_name.clone(),
        graph: run.info.graph,
        status: Status::of(run.state.status),
        actor: run.info.actor.clone(),
        request_id: run.info.request.clone(),
        created_at: run.state.created_at,
        ended_at: run.state.ended_at,
        waits: Vec::new(),
    }
}

/// Running becomes waiting where questions are open and nothing else is.
fn status(detail: &RunDetail) -> Status {
    let status = Status::of(detail.run.state.status);
    if status != Status::Running || detail.run.state.superstep == 0 {
        return status;
    }
    let open = detail.groups.iter().filter(|(group, _)| !group.info.detached);
    let (mut asked, mut busy) = (false, false);
    for (group, tasks) in open {
        busy |= group.state.phase == GroupPhase::Closed;
        for task in tasks.iter().filter(|task| !task.state.is_ended()) {
            let waits = matches!(task.state, TaskState::Parked | TaskState::OutcomeUnknown | TaskState::Held);
            asked |= waits;
            busy |= !waits;
        }
    }
    if asked && !busy { Status::Waiting } else { status }
}

/// The questions of a run that nobody has answered, old ones first.
pub(crate) fn open_questions(detail: &RunDetail) -> Vec<QuestionView> {
    let mut views: Vec<_> = detail.interrupts.iter().filter_map(question_view).collect();
    by_age(&mut views);
    views
}

fn by_age(views: &mut [QuestionView]) {
    views.sort_by(|left, right| {
        (left.opened_at, &left.node, left.index).cmp(&(right.opened_at, &right.node, right.index))
    });
}

fn question_view(interrupt: &Interrupt) -> Option<QuestionView> {
    if interrupt.state != InterruptState::Open {
        return None;
    }
    let question: Question = serde_json::from_str(&interrupt.question).ok()?;
    Some(QuestionView {
        id: interrupt.id,
        run: interrupt.job.run,
        node: interrupt.job.group.node.to_string(),
        index: interrupt.job.index,
        schema: schema_of(&question.form),
        question,
        opened_at: interrupt.opened_at,
        expires_at: interrupt.expires_at,
    })
}

/// The JSON Schema of a decision.
pub(super) fn schema_of(form: &QuestionForm) -> Value {
    match form {
        QuestionForm::Schema(schema) => schema.clone(),
        QuestionForm::Approval { allow, .. } => json!({
            "type": "object",
            "required": ["action"],
            "additionalProperties": false,
            "properties": {
                "action": {"enum": allow},
                "value": {},
                "comment": {"type": ["string", "null"]},
            },
        }),
    }
}
