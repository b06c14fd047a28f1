//! Outcomes that mean more than themselves: those of jobs that are polled, and those that
//! are kept under a key. Other jobs pay two look-ups in memory for not being special.

use std::sync::Arc;

use baton_common::commit::{Input, ResultKey};
use baton_common::job::Outcome;
use baton_common::records::GroupInfo;
use baton_common::transition::Recorded;
use baton_common::{Failure, GraphHash, JobId, Payload};
use baton_engine::graph::{Node, Work};
use baton_engine::step::{poll_done, poll_pause_ms};
use serde_json::Value;

use super::claim::Unmade;
use super::keyed::unwrapped;
use crate::graphs::Compiled;
use crate::orchestrator::Inner;

/// What is special about a job.
pub(super) struct Special {
    pub(super) keys: Vec<ResultKey>,
    pub(super) tool: String,
    poll: Option<Poll>,
}

struct Poll {
    graph: Arc<Compiled>,
    group: Arc<GroupInfo>,
    item: Option<Value>,
    calls: u32,
}

impl Inner {
    /// What is special about a job, if anything. `version` is what its group says of it.
    pub(super) async fn special(&self, job: &JobId, version: Option<GraphHash>) -> Result<Option<Special>, Unmade> {
        let (_, graph) = self.pinned(job, version).await?;
        let Some(node) = graph.graph.nodes.get(&job.group.node).filter(|node| is_special(node)) else {
            return Ok(None);
        };
        let polled = node.poll.is_some();
        let Some((group, tasks)) = self.store.group(job.run, &job.group).await.map_err(Unmade::Store)? else {
            return Ok(None);
        };
        let calls = tasks.get(job.index as usize).map_or(1, |task| task.phase + 1);
        let body = self.store.bodies(job).await.map_err(Unmade::Store)?.input.unwrap_or_default();
        let Ok(input) = serde_json::from_str::<Input>(&body) else { return Ok(None) };
        let (keys, input) = unwrapped(input);
        let item = match input {
            Input::Recipe { item, .. } => item,
            _ => None,
        };
        let tool = group.info.tool.clone();
        let poll = polled.then(|| Poll { graph: graph.clone(), group: group.info, item, calls });
        Ok(Some(Special { keys, tool, poll }))
    }

    /// Whether a polled job is to be called again, and how it is then recorded.
    pub(super) async fn polled(
        &self,
        job: &JobId,
        special: &Special,
        outcome: &Outcome,
    ) -> Result<Option<Recorded>, Unmade> {
        let (Some(poll), Outcome::Ok(_)) = (&special.poll, outcome) else { return Ok(None) };
        let (info, _) = self.pinned(job, poll.group.graph).await?;
        let output = match self.whole(&info.thread.tenant, outcome.clone()).await? {
            Outcome::Ok(Payload::Inline(value)) => value,
            Outcome::Ok(Payload::Blob(blob)) => serde_json::json!({"$blob": blob}),
            Outcome::Error(_) => return Ok(None),
        };
        let state = self.state_at(&info, job.r#gen, poll.group.base).await?;
        let (graph, group, item) = (poll.graph.clone(), poll.group.clone(), poll.item.clone());
        let done = self
            .compute
            .run(move || poll_done(&graph.graph, &state, &group, item.as_ref(), &output))
            .await
            .map_err(|error| Unmade::Failed(Failure::permanent("poll_failed", error.to_string())))?;
        if done.map_err(Unmade::Failed)? {
            return Ok(None);
        }
        let after_ms = poll_pause_ms(&poll.graph.graph, &poll.group, poll.calls).unwrap_or(1_000);
        Ok(Some(Recorded::Wait { after_ms, continuation: None }))
    }
}

fn is_special(node: &Node) -> bool {
    let keyed = matches!(&node.work, Work::Tool(call) | Work::Notify(call) if call.key.is_some());
    keyed || node.poll.is_some() || node.cache.is_some()
}
