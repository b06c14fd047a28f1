//! The message that hints at a job, and its bound.

use std::sync::Arc;

use baton_broker::{Body, Message};
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
        if !fits(&envelope) {
            // Only log lines miss it.
            envelope.thread = None;
        }
        let fits = envelope.thread.is_some() || fits(&envelope);
        let (id, traceparent) = (task.job.text(), traceparent.map(str::to_owned));
        fits.then(|| Message { queue, id, body: Body::of(Arc::new(envelope)), traceparent })
    }
}

/// Names, digests and numbers of an envelope beside the texts it quotes take no more, in bytes.
const AROUND_BYTES_MAX: usize = 640;
/// A byte of a text takes no more in JSON.
const ESCAPED_BYTES_MAX: usize = 6;

/// Whether it may be sent. Most are so short that none need be written to see it.
fn fits(envelope: &Envelope) -> bool {
    let Envelope { cluster, job, tool, tenant, traceparent, permit, queue, thread, .. } = envelope;
    let given = [traceparent, permit].into_iter().flatten().map(String::len).sum::<usize>()
        + queue.as_ref().map_or(0, |queue| queue.len());
    let thread = thread.as_ref().map_or(0, |thread| thread.as_str().len());
    let texts = cluster.len() + job.group.node.as_str().len() + tool.len() + tenant.as_str().len() + given + thread;
    texts * ESCAPED_BYTES_MAX + AROUND_BYTES_MAX <= ENVELOPE_BYTES_MAX
        || serde_json::to_vec(envelope).is_ok_and(|body| body.len() <= ENVELOPE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use baton_common::ids::DispatchSeq;
    use baton_common::tool::{Effect, QueueClass};
    use baton_common::{TenantId, ThreadId, Timestamp};

    use super::*;

    #[test]
    fn what_stands_around_the_texts_is_no_longer_than_it_is_taken_for() {
        let mut envelope = Envelope {
            v: u32::MAX,
            cluster: "".into(),
            job: "255-6ba7b810-9dad-11d1-80b4-00c04fd430c8/4294967295/a#4294967295/4294967295".parse().unwrap(),
            digest: Digest::default(),
            tool: String::new(),
            tool_major: u32::MAX,
            class: QueueClass::Cpu,
            effect: Effect::Idempotent,
            dispatch_seq: DispatchSeq(u32::MAX),
            tenant: TenantId::parse("t").unwrap(),
            traceparent: Some(String::new()),
            permit: Some(String::new()),
            published_at: Some(Timestamp(i64::MIN)),
            queue: Some("".into()),
            thread: ThreadId::parse("t").ok(),
        };
        assert!(serde_json::to_vec(&envelope).unwrap().len() <= AROUND_BYTES_MAX);
        envelope.tool = "\u{1}".repeat(10);
        let escaped = serde_json::to_vec(&envelope).unwrap().len();
        envelope.tool.clear();
        assert_eq!(escaped, serde_json::to_vec(&envelope).unwrap().len() + 10 * ESCAPED_BYTES_MAX);
    }

    #[test]
    fn only_what_is_short_enough_is_sent() {
        let text = json(1_200);
        let envelope: Envelope = serde_json::from_str(&text).unwrap();
        assert!(fits(&envelope), "its texts are long, and it is not");
        assert!(!fits(&serde_json::from_str(&json(2_000)).unwrap()));
    }

    fn json(tool: usize) -> String {
        let tool = "t".repeat(tool);
        format!(
            r#"{{"v":1,"cluster":"c","job":"001-6ba7b810-9dad-11d1-80b4-00c04fd430c8/0/a#1/0","digest":"{}","tool":"{tool}","tool_major":1,"class":"io","effect":"pure","dispatch_seq":1,"tenant":"t"}}"#,
            Digest::default()
        )
    }
}
