//! Signals: what other systems tell a thread, and the waits that take them.
//!
//! The store keeps each signal and sees to it that it is taken once. Which wait it is for,
//! an expression of the graph says; that is evaluated here, for the caller's sake at once
//! and by the sweeper where a crash came between.

use std::sync::Arc;

use baton_common::commit::Awaited;
use baton_common::job::Outcome;
use baton_common::records::{Run, SIGNALS_MAX, Signal};
use baton_common::transition::{self, Deliver, DeliverAnswer, SignalAnswer};
use baton_common::{RunId, ThreadId, ThreadKey};
use baton_engine::graph::{Wait, Work};
use baton_engine::step::signal_matches;
use baton_store::OpenWait;
use baton_telemetry::names;
use serde::Serialize;
use serde_json::Value;

use super::{ApiError, Caller, ErrorKind};
use crate::about;
use crate::orchestrator::{Inner, Orchestrator};
use crate::traces;

/// The largest signal, in bytes of JSON.
const SIGNAL_BYTES_MAX: usize = 256 * 1024;
/// The longest name and id, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Whom a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A thread.
    Thread(ThreadId),
    /// The thread of a run; of its root, for a child.
    Run(RunId),
}

/// A signal that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signalled {
    /// Its name.
    pub id: String,
    /// Whether it had been sent before.
    pub existed: bool,
    /// Whether a wait took it at once.
    pub taken: bool,
}

impl Orchestrator {
    /// Tells a thread something. It is kept until a wait takes it.
    ///
    /// # Errors
    /// When there is no such thread for this caller, it is too large, or too many signals
    /// wait there.
    pub async fn signal(
        &self,
        caller: &Caller,
        target: Target,
        name: String,
        id: Option<String>,
        value: Value,
    ) -> Result<Signalled, ApiError> {
        let inner = &self.inner;
        let thread = match target {
            Target::Thread(thread) => ThreadKey { tenant: caller.tenant.clone(), thread },
            Target::Run(run) => inner.owned(caller, run).await?.info.signals_to().clone(),
        };
        let id = id.unwrap_or_else(|| inner.new_uuid().to_string());
        let value = value.to_string();
        check(&name, &id, &value)?;
        let signal = transition::Signal { thread: thread.clone(), name, id, value, actor: caller.actor.clone() };
        let id = signal.id.clone();
        let settled = inner.settle(|| inner.signal_op(signal.clone())).await?;
        match settled.answer {
            SignalAnswer::Kept { number, awaiting } => {
                let mut taken = false;
                for run in awaiting {
                    // What fails here is due in the index already.
                    let delivered = inner.deliver_signals(run, Some(caller)).await.unwrap_or_default();
                    taken |= delivered.contains(&number);
                }
                Ok(Signalled { id, existed: false, taken })
            }
            SignalAnswer::Already => Ok(Signalled { id, existed: !settled.repeated, taken: false }),
            SignalAnswer::Full => {
                let cause = format!("{SIGNALS_MAX} signals of thread {} wait to be taken", thread.thread);
                Err(ApiError::new(ErrorKind::Exhausted, "signals_full", cause, "send fewer, or let a run take them"))
            }
            SignalAnswer::Unknown => Err(ApiError::not_found("thread", thread.thread)),
        }
    }
}

impl Inner {
    /// Hands the signals of a run's thread to the waits of the run that are for them, both
    /// in their order; the numbers of those that were taken.
    /// It is the `caller` who sent one, or the sweeper where there is none.
    pub(crate) async fn deliver_signals(
        self: &Arc<Self>,
        run: RunId,
        caller: Option<&Caller>,
    ) -> Result<Vec<u64>, ApiError> {
        let Some(found) = self.store.run(run).await? else { return Ok(Vec::new()) };
        let thread = found.info.signals_to();
        // The count before the signals: what comes in between is looked at again.
        let last = self.store.thread(thread).await?.map_or(0, |thread| thread.signals);
        let kept = self.store.signals(thread).await?;
        let mut taken = Vec::new();
        for wait in self.store.waits(run).await? {
            for signal in kept.iter().filter(|signal| signal.taken.is_none() && signal.name == wait.signal) {
                if taken.contains(&signal.number) || !self.is_for(&found, &wait, signal).await? {
                    continue;
                }
                let value: Value = serde_json::from_str(&signal.value).map_err(ApiError::internal)?;
                let outcome = serde_json::to_string(&Outcome::value(value)).map_err(ApiError::internal)?;
                let deliver = Deliver { job: wait.job.clone(), number: signal.number, outcome };
                if let DeliverAnswer::Taken(tail) = self.settle(|| self.deliver_op(deliver.clone())).await?.answer {
                    taken.push(signal.number);
                    let span = match caller {
                        Some(caller) => traces::call(names::SPAN_SIGNAL, caller, &found.info),
                        None => traces::sweep(Some(&wait.group), "signal"),
                    };
                    self.follow(run, tail, span.context());
                    break;
                }
            }
        }
        let (signals, waits) = (last, found.state.waits);
        self.change_op(transition::Op::Heard { run, signals, waits }).await?;
        Ok(taken)
    }

    /// Whether that signal is the one a wait is for. A condition that fails is no.
    async fn is_for(&self, run: &Run, wait: &OpenWait, signal: &Signal) -> Result<bool, ApiError> {
        let info = &run.info;
        let compiled = self.graph(&info.thread.tenant, info.graph).await?;
        // Nothing is known without it: the signal stays due.
        let compiled = compiled.ok_or_else(|| ApiError::not_found("graph", info.graph))?;
        let node = compiled.graph.nodes.get(&wait.group.id.node).map(|node| &node.work);
        if !matches!(node, Some(Work::Wait(Wait::Signal { matches: Some(_), .. }))) {
            return Ok(true);
        }
        let state = self.state_at(info, run.state.r#gen, wait.group.base).await?;
        let event: Value = serde_json::from_str(&signal.value).map_err(ApiError::internal)?;
        let awaited: Awaited = serde_json::from_str(&wait.body).unwrap_or_default();
        let group = wait.group.clone();
        let compute = move || signal_matches(&compiled.graph, &state, &group, awaited.item.as_ref(), &event);
        match self.compute.run(compute).await {
            Ok(Ok(matches)) => Ok(matches),
            Ok(Err(failure)) => {
                let (node, code) = (&wait.group.id.node, failure.code);
                let about = about::of_run(info, traces::of_group(&wait.group));
                about.in_scope(|| tracing::warn!(%node, code, "signal condition failed"));
                Ok(false)
            }
            Err(error) => Err(ApiError::internal(error)),
        }
    }
}

fn check(name: &str, id: &str, value: &str) -> Result<(), ApiError> {
    for (what, text) in [("name", name), ("id", id)] {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            let cause = format!("a signal's {what} has 1 to {NAME_BYTES_MAX} bytes");
            return Err(ApiError::invalid("invalid_signal", cause, "shorten it"));
        }
    }
    if value.len() > SIGNAL_BYTES_MAX {
        let cause = format!("the signal has {} bytes, more than {SIGNAL_BYTES_MAX}", value.len());
        return Err(ApiError::invalid("signal_too_large", cause, "send a reference to it"));
    }
    Ok(())
}
