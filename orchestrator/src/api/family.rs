//! A run and those it called, as one to people: what a called graph asks appears under the
//! run that nobody calls, by the path that leads there.

use baton_common::records::{GroupPhase, TaskKind, TaskState};
use baton_common::{JobId, RunId};
use baton_store::RunDetail;

use super::ApiError;
use crate::orchestrator::Inner;

/// Called runs that are looked at for one view.
const FAMILY_MAX: usize = 200;

/// A run that was called and has not ended.
pub(super) struct Member {
    /// What stands before its nodes: `caller/`, or `caller[2]/` in a map.
    pub(super) prefix: String,
    pub(super) detail: RunDetail,
}

impl Inner {
    /// The runs under way that a run called, and those that they called, callers first.
    pub(super) async fn family(&self, detail: &RunDetail) -> Result<Vec<Member>, ApiError> {
        let mut found: Vec<Member> = Vec::new();
        let mut called = calls(String::new(), detail);
        while let Some((prefix, run)) = called.pop().filter(|_| found.len() < FAMILY_MAX) {
            let Some(detail) = self.store.detail(run).await? else { continue };
            called.extend(calls(prefix.clone(), &detail));
            found.push(Member { prefix, detail });
        }
        Ok(found)
    }
}

/// The open calls of a run.
fn calls(prefix: String, detail: &RunDetail) -> Vec<(String, RunId)> {
    let (run, r#gen) = (detail.run.info.id, detail.run.state.r#gen);
    let open = detail
        .groups
        .iter()
        .filter(|(group, _)| group.info.kind == TaskKind::Child && group.state.phase != GroupPhase::Closed);
    let calls = open.flat_map(|(group, tasks)| {
        let parked = (0_u32..).zip(tasks).filter(|(_, task)| task.state == TaskState::Parked);
        parked.map(|(index, _)| {
            let (id, node) = (group.info.id.clone(), &group.info.id.node);
            let place =
                if group.info.count > 1 { format!("{prefix}{node}[{index}]/") } else { format!("{prefix}{node}/") };
            (place, RunId::for_child(&JobId { run, r#gen, group: id, index }))
        })
    });
    calls.collect()
}
