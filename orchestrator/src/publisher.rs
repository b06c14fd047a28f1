//! Publishes hints at jobs, always after the commit that made them publishable.
//!
//! Whatever goes wrong here leaves the task publishable, and the sweeper comes back to it.
//! Nothing here writes to the store but marks.

use std::sync::Arc;

use baton_broker::Published;
use baton_common::commit::NewGroup;
use baton_common::ids::DispatchSeq;
use baton_common::records::{GroupInfo, RunInfo, TaskKind};
use baton_common::transition::Publishable;
use baton_common::{Digest, GroupId, JobId, RunId, TraceContext};
use baton_telemetry::about::Carry as _;
use baton_telemetry::trace::{Kind, Span};
use baton_telemetry::{metrics, names};
use tokio::time::Instant;

use crate::about;
use crate::fail::{self, Passed};
use crate::orchestrator::Inner;
use crate::traces;

/// Messages handed to the broker at a time.
const PUBLISH_MAX: usize = 250;
/// More messages than that are many: they go one part after the other, through all runs.
const FEW: usize = 128;
/// Parts of many messages that are under way at once: what waits before a few messages.
pub(crate) const PARTS_MAX: usize = 2;

/// A group as it was opened: what a message about its tasks needs.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) info: Arc<GroupInfo>,
    pub(crate) digests: Vec<Digest>,
}

/// Tasks of one group to publish.
pub(crate) struct Batch {
    pub(crate) group: Arc<Opened>,
    pub(crate) tasks: Vec<Publishable>,
    /// Since when they may go.
    pub(crate) since: Instant,
    /// The span that their messages hang below.
    pub(crate) trace: Option<TraceContext>,
}

/// A task whose message is under way.
struct Sent {
    task: Publishable,
    since: Instant,
    trace: Option<TraceContext>,
}

impl Inner {
    /// What a commit makes publishable: the tasks within each new group's window.
    pub(crate) fn batches_of(
        &self,
        run: &RunInfo,
        r#gen: baton_common::Gen,
        open: &[NewGroup],
        trace: Option<TraceContext>,
    ) -> Vec<Batch> {
        let jobs = open.iter().filter(|group| group.info.kind == TaskKind::Job);
        jobs.map(|group| {
            let digests = group.tasks.iter().map(|task| task.digest).collect();
            let under_way = group.info.window.clamp(1, group.info.count);
            let opened = if under_way < group.info.count {
                self.keep_opened(run.id, group.info.clone(), digests)
            } else {
                Arc::new(Opened { info: group.info.clone(), digests })
            };
            let job = |index| JobId { run: run.id, r#gen, group: group.info.id.clone(), index };
            // Those that need others wait for them, whatever the window.
            let free = (0_u32..).zip(&group.tasks).filter(|(_, task)| task.needs.is_empty());
            let released = free.take(under_way as usize).map(|(index, _)| index);
            let tasks = released.map(|index| Publishable { job: job(index), seq: DispatchSeq(1) }).collect();
            Batch { group: opened, tasks, since: Instant::now(), trace }
        })
        .collect()
    }

    /// Publishes without waiting for an answer.
    pub(crate) fn publish_soon(self: &Arc<Self>, run: Arc<RunInfo>, batches: Vec<Batch>) {
        if batches.is_empty() {
            return;
        }
        let inner = self.clone();
        let about = about::of_run(&run, batches.first().and_then(|batch| batch.trace));
        let publishing = Box::pin(async move { inner.publish(&run, batches).await });
        self.start(publishing.about(about));
    }

    /// Publishes tasks that a transition released, whatever run they are of.
    pub(crate) fn publish_released(self: &Arc<Self>, released: Vec<Publishable>) {
        if released.is_empty() || !self.broker.ready() {
            return;
        }
        let (inner, since) = (self.clone(), Instant::now());
        self.start(Box::pin(async move {
            if let Err(error) = inner.publish_by_group(released, since).await {
                tracing::debug!(%error, "released tasks left to the sweeper");
            }
        }));
    }

    /// Publishes tasks, looking up what their messages need.
    async fn publish_by_group(
        self: &Arc<Self>,
        tasks: Vec<Publishable>,
        since: Instant,
    ) -> Result<(), baton_store::Error> {
        let mut by_group = std::collections::BTreeMap::<(RunId, GroupId), Vec<Publishable>>::new();
        for task in tasks {
            by_group.entry((task.job.run, task.job.group.clone())).or_default().push(task);
        }
        for ((run, group), tasks) in by_group {
            let Some(info) = self.run_info(run).await? else { continue };
            let Some(group) = self.opened_group(run, &group).await? else { continue };
            let trace = traces::of_group(&group.info);
            self.publish(&info, vec![Batch { group, tasks, since, trace }]).await;
        }
        Ok(())
    }

    pub(crate) async fn opened_group(
        &self,
        run: RunId,
        group: &GroupId,
    ) -> Result<Option<Arc<Opened>>, baton_store::Error> {
        let key = (run, group.clone());
        if let Some(opened) = self.opened.lock().get(&key) {
            return Ok(Some(opened));
        }
        let Some((group, tasks)) = self.store.group(run, group).await? else { return Ok(None) };
        Ok(Some(self.keep_opened(run, group.info, tasks.iter().map(|task| task.digest).collect())))
    }

    /// Forgets what messages about a job's group need: its digest changed with its phase.
    pub(crate) fn forget_opened(&self, job: &JobId) {
        self.opened.lock().remove(&(job.run, job.group.clone()));
    }

    /// Keeps what messages about a group need, in place of what was kept before.
    pub(crate) fn keep_opened(&self, run: RunId, info: Arc<GroupInfo>, digests: Vec<Digest>) -> Arc<Opened> {
        let key = (run, info.id.clone());
        let opened = Arc::new(Opened { info, digests });
        self.opened.lock().put(key, opened.clone());
        opened
    }

    /// Publishes and collects the marks of what was confirmed.
    pub(crate) async fn publish(self: &Arc<Self>, run: &RunInfo, batches: Vec<Batch>) {
        if !self.broker.ready() {
            about::of_run(run, None).in_scope(|| tracing::debug!("broker not ready, left to the sweeper"));
            return;
        }
        let mut messages = Vec::new();
        let mut sent = Vec::new();
        // They end with the last confirm.
        let mut sending = Vec::new();
        for batch in batches {
            let span = self.sending(&batch);
            let context = span.context().or_else(|| traces::of_run(run));
            let traceparent = context.map(|context| context.to_string());
            sending.extend(context.map(|_| span));
            for task in batch.tasks {
                let digest = batch.group.digests.get(task.job.index as usize).copied();
                let message = digest
                    .and_then(|digest| self.message(run, &batch.group.info, &task, digest, traceparent.as_deref()));
                match message {
                    Some(message) => {
                        messages.push(message);
                        sent.push(Sent { task, since: batch.since, trace: context });
                    }
                    None => about::of_job(run, &task.job, context)
                        .in_scope(|| tracing::error!("no message can be made for this job")),
                }
            }
        }
        let many = messages.len() > FEW;
        while !messages.is_empty() {
            // So that a flood stands before nobody's few messages with more than a part or two.
            let _turn = if many { self.parts.acquire().await.ok() } else { None };
            let rest = messages.split_off(messages.len().min(PUBLISH_MAX));
            let later = sent.split_off(messages.len());
            let part = (std::mem::replace(&mut messages, rest), std::mem::replace(&mut sent, later));
            self.publish_some(run, part).await;
        }
    }

    /// The publication of one group's tasks.
    fn sending(&self, batch: &Batch) -> Span {
        Span::child(names::SPAN_SEND, Kind::Producer, batch.trace).with(|span| {
            let info = &batch.group.info;
            span.name(format!("{} {}", names::SPAN_SEND, info.queue))
                .set(names::MESSAGING_SYSTEM, self.broker.system())
                .set(names::MESSAGING_DESTINATION, info.queue.clone())
                .set(names::MESSAGING_OPERATION, names::SPAN_SEND)
                .set(names::MESSAGING_OPERATION_TYPE, "send")
                .set(names::MESSAGING_BATCH_COUNT, traces::signed(batch.tasks.len() as u64))
                .set(names::NODE, info.id.node.to_string());
        })
    }

    async fn publish_some(&self, run: &RunInfo, (messages, sent): (Vec<baton_broker::Message>, Vec<Sent>)) {
        match fail::point("before_publish").await {
            Passed::On => {}
            Passed::Error => return,
            Passed::Dup => drop(self.broker.publish(messages.clone()).await),
        }
        let metrics = metrics::orchestrator();
        let began = Instant::now();
        let answers = self.broker.publish(messages).await;
        metrics.publish.observe(metrics::seconds(began.elapsed()));
        if fail::point("before_confirm").await == Passed::Error {
            return;
        }
        let mut confirmed = Vec::with_capacity(sent.len());
        for (Sent { task, since, trace }, answer) in sent.into_iter().zip(answers) {
            if answer == Published::Confirmed {
                metrics.dispatch_lag.observe(metrics::seconds(since.elapsed()));
            } else {
                metrics::broker().errors.inc();
            }
            match answer {
                Published::Confirmed => confirmed.push(task),
                Published::Unroutable => {
                    about::of_job(run, &task.job, trace).in_scope(|| tracing::warn!("no queue takes this job"));
                }
                Published::Unknown(why) => {
                    about::of_job(run, &task.job, trace).in_scope(|| tracing::debug!(why, "publish unconfirmed"));
                }
            }
        }
        self.mark_soon(confirmed);
    }
}
