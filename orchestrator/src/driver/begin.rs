//! The start of a child that needs what tasks beside it gave: its input is made now, from the
//! state its caller's group was opened on and the outcomes of those tasks.

use std::collections::BTreeMap;

use baton_common::records::{Parent, RunInfo};
use baton_common::{Failure, JobId};
use baton_engine::step::{Event, render_input};

use super::Trouble;
use super::prepare::read_end;
use crate::orchestrator::Inner;

impl Inner {
    /// How a child starts whose record does not hold its input; `None` for any other run.
    pub(super) async fn begun(&self, info: &RunInfo) -> Result<Option<Event>, Trouble> {
        match info.parent.as_deref() {
            Some(Parent { job, needs: Some(needs), .. }) => self.made_of(job, needs).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn made_of(&self, job: &JobId, needs: &BTreeMap<String, u32>) -> Result<Event, Trouble> {
        let missing =
            |what: &str| Trouble::Run { code: "record_unreadable", why: format!("{what} of {job} is missing") };
        let caller = self.run_info(job.run).await?.ok_or_else(|| missing("the caller"))?;
        let (group, _) = self.store.group(job.run, &job.group).await?.ok_or_else(|| missing("the group"))?;
        let version = group.info.graph.unwrap_or_else(|| caller.first_graph());
        let graph = self.graph_at(&caller, version).await?;
        let state = self.state_at(&caller, job.r#gen, group.info.base).await?;
        let mut outcomes = BTreeMap::new();
        for &index in needs.values() {
            let needed = JobId { index, ..job.clone() };
            let Some(body) = self.store.bodies(&needed).await?.result else { continue };
            let outcome = self.whole(&caller.thread.tenant, read_end(&body)?.0).await;
            outcomes.insert(index, outcome.map_err(super::prepare::of_blobs)?);
        }
        let (index, needs) = (job.index, needs.clone());
        let render = move || render_input(&graph.graph, &state, &group.info, index, (&needs, &outcomes));
        let input = self.compute.run(render).await;
        Ok(Event::Begun(input.unwrap_or_else(|error| Err(Failure::permanent("arguments_failed", error.to_string())))))
    }
}
