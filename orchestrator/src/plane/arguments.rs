//! The arguments of a granted job: stored whole while small, else rendered again from the
//! checkpoint its group was opened on.

use std::sync::Arc;

use baton_common::commit::Input;
use baton_common::records::RunInfo;
use baton_common::transition::Granted;
use baton_common::{Failure, JobId};
use baton_engine::step::{Recipe, render_args};
use serde_json::Value;

use super::claim::{Arguments, Unmade};
use super::secrets;
use crate::graphs::Compiled;
use crate::orchestrator::Inner;

impl Inner {
    pub(super) async fn arguments(&self, job: &JobId, granted: &Granted) -> Result<Arguments, Unmade> {
        let input: Input = serde_json::from_str(&granted.body)
            .map_err(|error| failed(format!("the stored input does not read: {error}")))?;
        let mut value = match input {
            Input::Args(value) => value,
            Input::Keyed { .. } => return Err(failed("keys are not served".to_owned())),
            Input::Recipe { item, .. } => self.rendered(job, granted, item).await?,
        };
        if !secrets::mentioned(&value) {
            return Ok(Arguments { value, secret: false });
        }
        let (_, graph) = self.pinned(job).await?;
        let places = secrets::places(&graph.graph, &granted.group.id.node);
        let secret = self.put_secrets(&mut value, &places).await.map_err(Unmade::Failed)?;
        Ok(Arguments { value, secret })
    }

    /// The run of a job and the graph it is pinned to.
    async fn pinned(&self, job: &JobId) -> Result<(Arc<RunInfo>, Arc<Compiled>), Unmade> {
        let info = self.run_info(job.run).await.map_err(Unmade::Store)?;
        let info = info.ok_or_else(|| failed(format!("there is no run {}", job.run)))?;
        let graph = self.graph(&info.thread.tenant, info.graph).await;
        match graph {
            Ok(Some(graph)) => Ok((info, graph)),
            Ok(None) => Err(failed(format!("graph {} is missing", info.graph))),
            Err(error) => Err(Unmade::Store(baton_store::Error::Unavailable(error.cause))),
        }
    }

    async fn rendered(&self, job: &JobId, granted: &Granted, item: Option<Value>) -> Result<Value, Unmade> {
        let (info, graph) = self.pinned(job).await?;
        let state = self.state_at(&info, job.r#gen, granted.group.base).await?;
        let group = granted.group.clone();
        let rendered = self
            .compute
            .run(move || {
                let (needs, outcomes) = Default::default();
                render_args(
                    &graph.graph,
                    &state,
                    &group,
                    Recipe { item: item.as_ref(), needs: &needs, outcomes: &outcomes },
                )
            })
            .await;
        match rendered {
            Ok(answer) => answer.map_err(Unmade::Failed),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn failed(why: String) -> Unmade {
    Unmade::Failed(Failure::permanent("arguments_failed", why))
}
