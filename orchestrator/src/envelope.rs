//! The message that hints at a job, and its bound.

use std::sync::Arc;

use baton_broker::Message;
use baton_common::Digest;
use baton_common::job::{ENVELOPE_BYTES_MAX, Envelope};
use baton_common::records::{GroupInfo, RunInfo};
use baton_common::transition::Publishable;

use crate::orchestrator::Inner;

impl Inner {
    /// The message for one publication of a task; `None` if it cannot be kept small enough,
    /// which takes names far beyond any that validation lets through.
    pub(crate) fn message(
        self: &Arc<Self>,
        run: &RunInfo,
        group: &GroupInfo,
        task: &Publishable,
        digest: Digest,
        traceparent: Option<&str>,
    ) -> Option<Message> {
        let tenant = run.thread.tenant.clone();
        let queue = self.lane_of(&group.queue, &tenant, &task.job);
        let permit = self.keys.permit(&task.job, digest, group.class, &tenant);
        let mut envelope = Envelope {
            v: 1,
            cluster: self.cluster.clone(),
            job: task.job.clone(),
            digest,
            tool: group.tool.clone(),
            tool_major: group.tool_major,
            class: group.class,
            effect: group.effect,
            dispatch_seq: task.seq,
            tenant,
            traceparent: None,
            permit: Some(permit),
            published_at: self.clock.now(),
            queue: Some(queue.clone()),
            thread: Some(run.thread.thread.clone()),
        };
        let mut body = serde_json::to_vec(&envelope).ok()?;
        if body.len() > ENVELOPE_BYTES_MAX {
            // Only log lines miss it.
            envelope.thread = None;
            body = serde_json::to_vec(&envelope).ok()?;
        }
        let fits = body.len() <= ENVELOPE_BYTES_MAX;
        let (id, traceparent) = (task.job.text(), traceparent.map(str::to_owned));
        fits.then_some(Message { queue, id, body, traceparent })
    }
}
