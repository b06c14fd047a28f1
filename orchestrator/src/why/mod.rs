//! Why a run does not end just now, from its records and what is around it: every open run has
//! an answer. Pure: what is looked up stands in [`Facts`], which `gather` fills; how an answer
//! is worded beside its times is left to whoever shows it.

mod gather;
mod group;
mod jobs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use baton_broker::Depth;
use baton_common::records::{GroupPhase, RunStatus};
use baton_common::{GroupId, RunId, Timestamp};
use baton_store::RunDetail;

use crate::api::{QuestionView, Wait, WorkerView};

pub(crate) use gather::{Depths, LISTED_TASKS_MAX};

/// What is around every run.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// Workers that announced themselves lately.
    pub(crate) workers: Vec<WorkerView>,
    /// Queues by name: `None` where there is none; one that could not be asked for is not here.
    pub(crate) depths: BTreeMap<String, Option<Depth>>,
    /// Whether the broker takes messages.
    pub(crate) broker_ready: bool,
    /// Who holds a key that may answer; nobody where the server needs none.
    pub(crate) answerers: Vec<String>,
    /// Up to which generation of records this program reads runs.
    pub(crate) reader: u32,
}

/// One run, and what its answer is made of.
pub(crate) struct Facts<'a> {
    /// Its records; groups of more than a bound may stand without their tasks.
    pub(crate) detail: &'a RunDetail,
    /// The open questions that are told with it.
    pub(crate) questions: &'a [QuestionView],
    /// What is around it.
    pub(crate) around: &'a Around,
    /// The store's clock.
    pub(crate) now: Timestamp,
    /// When its next step is due, where it is.
    pub(crate) ready: Option<Timestamp>,
    /// When it ends without what is at work, where it is being stopped.
    pub(crate) forced: Option<Timestamp>,
    /// Whether this process computes its step.
    pub(crate) computing: bool,
    /// Times of parked tasks.
    pub(crate) timers: BTreeMap<(GroupId, u32), Timestamp>,
    /// Signals that tasks wait for.
    pub(crate) signals: BTreeMap<(GroupId, u32), String>,
    /// When tasks were claimed.
    pub(crate) claims: BTreeMap<(GroupId, u32), Timestamp>,
    /// Since when it waits for an operator, and the reason's code.
    pub(crate) parked: Option<(Timestamp, String)>,
    /// The run that its thread works on, and how many are before it.
    pub(crate) ahead: Option<(RunId, usize)>,
    /// What the first run that it called waits for in the end.
    pub(crate) leaf: Option<String>,
}

/// Why the run does not end just now, what needs somebody first.
pub(crate) fn explain(facts: &Facts<'_>) -> Vec<Wait> {
    let mut waits = of_run(facts);
    for question in facts.questions {
        waits.push(asked(facts, question));
    }
    let status = facts.detail.run.state.status;
    if status != RunStatus::Stuck {
        for (group, tasks) in &facts.detail.groups {
            if group.state.phase != GroupPhase::Closed && !group.info.detached {
                waits.extend(group::explain(facts, group, tasks));
            }
        }
    }
    waits.sort_by_key(|wait| rank(&wait.code));
    waits
}

/// The kinds, what an operator must look at first.
pub(crate) const KINDS: [&str; 21] = [
    "parked",
    "later_program",
    "unroutable",
    "no_worker",
    "broker",
    "outcome_unknown",
    "question",
    "quota",
    "backoff",
    "cancel",
    "undo",
    "thread",
    "signal",
    "time",
    "pause",
    "graph",
    "queued",
    "claimed",
    "publish",
    "ready",
    "computing",
];

fn rank(code: &str) -> usize {
    KINDS.iter().position(|kind| *kind == code).unwrap_or(KINDS.len())
}

/// An answer about a node or, where that is empty, the run itself.
fn wait(code: &str, node: &str, text: impl Into<String>) -> Wait {
    Wait { code: code.to_owned(), node: node.to_owned(), text: text.into(), ..Wait::default() }
}

/// What concerns the run as a whole.
fn of_run(facts: &Facts<'_>) -> Vec<Wait> {
    let state = &facts.detail.run.state;
    let mut waits = Vec::new();
    match state.status {
        RunStatus::Queued => waits.push(queued_behind(facts)),
        RunStatus::Stuck => waits.push(parked(facts)),
        RunStatus::Cancelling => {
            let at_work: u32 = facts.detail.groups.iter().map(|(group, _)| group.state.at_work).sum();
            let text = match at_work {
                0 => "it is being cancelled".to_owned(),
                1 => "it is being cancelled: one job at work is told at its next renewal".to_owned(),
                many => format!("it is being cancelled: {many} jobs at work are told at their next renewal"),
            };
            waits.push(Wait { since: Some(state.ready_at), until: facts.forced, ..wait("cancel", "", text) });
        }
        RunStatus::Undoing => {
            waits.push(Wait { until: facts.forced, ..wait("undo", "", "its compensations are under way") });
        }
        _ => {}
    }
    let steps = matches!(state.status, RunStatus::Running | RunStatus::Undoing | RunStatus::Cancelling);
    let idle = facts.detail.groups.iter().all(|(group, _)| group.info.detached);
    let stops =
        state.status == RunStatus::Cancelling && facts.detail.groups.iter().any(|(group, _)| group.state.at_work > 0);
    if facts.detail.run.info.reader > facts.around.reader {
        let cure = "start an orchestrator of the version that began it, or of a later one";
        waits.push(Wait {
            since: Some(state.ready_at),
            cure: cure.to_owned(),
            ..wait("later_program", "", "a later program than this orchestrator began it and has to advance it")
        });
    } else if steps && !stops && (state.closed > 0 || state.superstep == 0 || state.resumed || idle) {
        let hidden = facts.ready.is_some_and(|at| at > facts.now) && state.advance_attempts > 0;
        let (code, text) = if facts.computing || hidden {
            ("computing", "its next step is being computed".to_owned())
        } else {
            ("ready", "it may be advanced".to_owned())
        };
        let text =
            if state.advance_attempts > 1 { format!("{text}, for the {}. time", state.advance_attempts) } else { text };
        waits.push(Wait { since: Some(state.ready_at), ..wait(code, "", text) });
    }
    if !facts.around.broker_ready {
        let cure = "look whether the broker runs, and for its alarms: baton queues";
        waits.push(Wait { cure: cure.to_owned(), ..wait("broker", "", "the broker takes no messages") });
    }
    waits
}

fn queued_behind(facts: &Facts<'_>) -> Wait {
    let since = Some(facts.detail.run.state.created_at);
    match facts.ahead {
        Some((run, before)) => {
            let text = match before {
                0 => format!("run {run} is active on its thread, and it is the next"),
                1 => format!("run {run} is active on its thread, and one more is before it"),
                many => format!("run {run} is active on its thread, and {many} more are before it"),
            };
            Wait { since, run: Some(run), ..wait("thread", "", text) }
        }
        None => Wait { since, ..wait("thread", "", "another run is active on its thread") },
    }
}

fn parked(facts: &Facts<'_>) -> Wait {
    let run = facts.detail.run.info.id;
    let (since, code) = match &facts.parked {
        Some((since, code)) => (Some(*since), code.as_str()),
        None => (None, "an operator must look"),
    };
    let cure = match code {
        "advance_unfinished" => "look why orchestrators die at it: their logs and memory",
        "graph_missing" => "apply the very same graph again",
        "record_unreadable" => "look for what changed its store or blobs",
        "step_failed" | "step_panicked" => "look at the log of the orchestrator, and report it with the graph",
        _ => "look at docs/errors for the reason",
    };
    let cure = format!("{cure}; then: baton unpark {run}");
    Wait { since, cure, ..wait("parked", "", code) }
}

fn asked(facts: &Facts<'_>, question: &QuestionView) -> Wait {
    let unknown = facts.detail.groups.iter().any(|(group, tasks)| {
        let task = usize::try_from(question.index).ok().and_then(|index| tasks.get(index));
        let lost = task.is_some_and(|task| task.state == baton_common::records::TaskState::OutcomeUnknown);
        lost && group.info.id.node.to_string() == question.node && facts.detail.run.info.id == question.run
    });
    let who = match facts.around.answerers.as_slice() {
        [] => String::new(),
        names => format!(" (keys that may: {})", names.join(", ")),
    };
    Wait {
        item: Some(question.index).filter(|index| *index > 0),
        since: Some(question.opened_at),
        until: question.expires_at,
        cure: format!("baton answer {} {}{who}", question.run, question.id),
        run: Some(question.run),
        ..wait(if unknown { "outcome_unknown" } else { "question" }, &question.node, question.question.title.clone())
    }
}
