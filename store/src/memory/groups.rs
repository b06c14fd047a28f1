//! What a partition holds of a group and its tasks: it goes with the group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use baton_common::records::{Body, Group, GroupInfo, GroupState, Task, Terms};

/// Rows of a group.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupRows {
    pub(super) info: Option<Arc<GroupInfo>>,
    pub(super) state: Option<GroupState>,
    /// By index.
    pub(super) tasks: BTreeMap<u32, TaskRows>,
    pub(super) waiting: BTreeSet<u32>,
    pub(super) unsettled: BTreeMap<u32, u32>,
}

/// Rows of a task.
#[derive(Debug, Clone, Default)]
pub(super) struct TaskRows {
    pub(super) task: Option<Task>,
    pub(super) input: Option<Body>,
    pub(super) result: Option<Body>,
    pub(super) continued: Option<Body>,
    pub(super) terms: Option<Terms>,
}

impl GroupRows {
    /// The group, where all of it is there.
    pub(super) fn whole(&self) -> Option<Group> {
        Some(Group { info: self.info.clone()?, state: self.state.clone()? })
    }

    /// Its tasks, by index.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (u32, &Task)> {
        self.tasks.iter().filter_map(|(index, rows)| Some((*index, rows.task.as_ref()?)))
    }

    /// Its tasks as they stand for those who look.
    pub(super) fn seen_tasks(&self) -> Vec<(u32, Task)> {
        let group = self.whole();
        let seen = |task: &Task| group.as_ref().map_or_else(|| task.clone(), |group| task.clone().seen_in(group));
        self.tasks().map(|(index, task)| (index, seen(task))).collect()
    }
}
