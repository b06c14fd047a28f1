//! The arguments of a granted job: stored whole while small, else rendered again from the
//! checkpoint its group was opened on.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_common::commit::Input;
use baton_common::job::Outcome;
use baton_common::records::RunInfo;
use baton_common::transition::Granted;
use baton_common::{Failure, GraphHash, JobId};
use baton_engine::step::{Recipe, render_args, secrets_of};
use serde_json::Value;

use super::claim::{Arguments, Unmade};
use super::secrets;
use crate::api::ErrorKind;
use crate::graphs::Compiled;
use crate::orchestrator::Inner;

impl Inner {
    /// The arguments of a claimed job, secrets in place.
    pub(super) async fn arguments(&self, job: &JobId, granted: &Granted, input: Input) -> Result<Arguments, Unmade> {
        let mut value = match input {
            Input::Args(value) => value,
            Input::Keyed { input, .. } => return Box::pin(self.arguments(job, granted, *input)).await,
            Input::Recipe { item, needs } => Box::pin(self.rendered(job, granted, item, needs)).await?,
        };
        if !secrets::mentioned(&value) {
            return Ok(Arguments { value, secret: false });
        }
        let (_, graph) = self.pinned(job, granted.group.graph).await?;
        let places = secrets_of(&graph.graph, &granted.group);
        let secret = Box::pin(self.put_secrets(&mut value, &places)).await.map_err(Unmade::Failed)?;
        Ok(Arguments { value, secret })
    }

    /// The run of a job and the graph that its group was opened with: the version the group
    /// names, or else the one the run was submitted with. What is remembered of the run may
    /// be older than its pin.
    pub(super) async fn pinned(
        &self,
        job: &JobId,
        version: Option<GraphHash>,
    ) -> Result<(Arc<RunInfo>, Arc<Compiled>), Unmade> {
        let info = self.run_info(job.run).await.map_err(Unmade::Store)?;
        let info = info.ok_or_else(|| failed(format!("there is no run {}", job.run)))?;
        let version = version.unwrap_or_else(|| info.first_graph());
        let graph = self.graph(&info.thread.tenant, version).await;
        match graph {
            Ok(Some(graph)) => Ok((info, graph)),
            Ok(None) => Err(failed(format!("graph {version} is missing"))),
            Err(error) if error.kind == ErrorKind::Unavailable => {
                Err(Unmade::Store(baton_store::Error::Unavailable(error.cause)))
            }
            Err(error) => Err(failed(format!("graph {version} does not read: {}", error.cause))),
        }
    }

    async fn rendered(
        &self,
        job: &JobId,
        granted: &Granted,
        item: Option<Value>,
        needs: BTreeMap<String, u32>,
    ) -> Result<Value, Unmade> {
        let (info, graph) = self.pinned(job, granted.group.graph).await?;
        let state = self.state_at(&info, job.r#gen, granted.group.base).await?;
        let mut outcomes = BTreeMap::new();
        for &index in needs.values() {
            let needed = JobId { index, ..job.clone() };
            let body = self.store.bodies(&needed).await.map_err(Unmade::Store)?.result;
            let read = body.map(|body| serde_json::from_str::<Outcome>(&body)).transpose();
            let read = read.map_err(|error| failed(format!("the outcome of {needed} does not read: {error}")))?;
            if let Some(outcome) = read {
                outcomes.insert(index, self.whole(&info.thread.tenant, outcome).await?);
            }
        }
        let group = granted.group.clone();
        let render = move || {
            let recipe = Recipe { item: item.as_ref(), needs: &needs, outcomes: &outcomes };
            render_args(&graph.graph, &graph.tools, &state, &group, recipe)
        };
        match self.compute.run(render).await {
            Ok(answer) => answer.map_err(Unmade::Failed),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn failed(why: String) -> Unmade {
    Unmade::Failed(Failure::permanent("arguments_failed", why))
}
