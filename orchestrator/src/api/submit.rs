//! Accepting runs: the graph is resolved, the input completed and checked, and one
//! transition makes it durable. By then it will run, whatever happens to this process.

use std::sync::Arc;
use std::time::SystemTime;

use baton_common::ids::Version;
use baton_common::records::{Run, RunInfo};
use baton_common::tool::Priority;
use baton_common::transition::{OnBusy, Submit, SubmitAnswer};
use baton_common::{Failure, Hasher, RunId, ThreadId, ThreadKey, TraceContext, canonical_json};
use baton_telemetry::{metrics, names};
use uuid::Builder;

use super::{ApiError, Caller, ErrorKind, GraphRef, GraphSource, SubmitRequest, Submitted};
use crate::about;
use crate::driver::Cue;
use crate::fail::{self, Passed};
use crate::graphs::{Compiled, inline_name};
use crate::ops::Settled;
use crate::orchestrator::{Inner, Orchestrator};
use crate::remembered::Known;
use crate::traces;

/// Times a roll-back is tried while runs come and go on its thread.
const ROLLBACKS_MAX: u32 = 5;
/// The largest input, in bytes of JSON.
const INPUT_BYTES_MAX: usize = 256 * 1024;

impl Orchestrator {
    /// Accepts a run.
    ///
    /// # Errors
    /// When the graph or its input is wrong, the thread is busy, the request id was used for
    /// something else, or nothing is known of what happened.
    pub async fn submit(&self, caller: &Caller, request: SubmitRequest) -> Result<Submitted, ApiError> {
        self.submit_as(caller, request, None).await
    }

    /// The same, with what happens on a busy thread said by others than the graph.
    pub(crate) async fn submit_as(
        &self,
        caller: &Caller,
        request: SubmitRequest,
        on_busy: Option<OnBusy>,
    ) -> Result<Submitted, ApiError> {
        let (inner, began) = (&self.inner, SystemTime::now());
        let compiled = inner.graph_for(caller, &request.graph).await?;
        let input = compiled.graph.check_input(&request.input).map_err(|failure| refused_input(&compiled, failure))?;
        let input = canonical_json(&input);
        if input.len() > INPUT_BYTES_MAX {
            let cause = format!("the input has {} bytes, more than {INPUT_BYTES_MAX}", input.len());
            return Err(ApiError::invalid("input_too_large", cause, "pass large values as files"));
        }
        let mut info = inner.run_info_of(caller, &request, &compiled, input).await?;
        let given = TraceContext::read(request.traceparent.as_deref()).or(caller.trace);
        let mut span = traces::submit(&mut info, given, began);
        inner.admit(&info).await?;
        let lasting = request.thread.is_some() || compiled.keeps();
        let settled = inner.accept(&info, on_busy.unwrap_or(compiled.graph.on_busy), lasting).await?;
        if fail::point("after_submit_script").await == Passed::Error {
            return Err(fail::unknown().into());
        }
        let (existed, queued) = match settled.answer {
            SubmitAnswer::Accepted => (false, false),
            SubmitAnswer::Queued => (false, true),
            SubmitAnswer::Exists => (!settled.repeated, false),
            refused => {
                inner.release_run(&info).await;
                return Err(refusal(refused, &info));
            }
        };
        if !existed {
            metrics::orchestrator().submitted.inc();
            let known = Known { thread: info.thread.clone(), ver: Version(1), head: None };
            inner.remembered.put_first(info.id, known);
            inner.states.put_info(&Arc::new(info.clone()));
            about::of_run(&info, span.context()).in_scope(|| tracing::debug!(graph = info.graph_name, "run submitted"));
        }
        span.say(|span| {
            span.set(names::OUTCOME, if existed { "existed" } else { "accepted" });
        });
        drop(span);
        if !queued {
            inner.advance_soon(info.id, Cue::Look);
        }
        inner.hold_graph(&caller.tenant, &compiled).await?;
        Ok(Submitted { run: info.id, thread: info.thread.thread, graph: info.graph, existed, queued })
    }
}

impl Inner {
    /// Submits, with what a roll-back needs where the thread is busy: the run that is taken
    /// back may end meanwhile, then it is looked at again.
    async fn accept(
        self: &Arc<Self>,
        info: &RunInfo,
        on_busy: OnBusy,
        lasting: bool,
    ) -> Result<Settled<SubmitAnswer>, ApiError> {
        let mut repeated = false;
        for tried in 1.. {
            let active = match on_busy {
                OnBusy::Interrupt | OnBusy::Rollback => self.active_on(info).await?,
                OnBusy::Reject | OnBusy::Enqueue => None,
            };
            let mut submit = Submit { lasting, ..Submit::new(info.clone(), on_busy) };
            if let (OnBusy::Rollback, Some(active)) = (on_busy, &active) {
                let back = self.set_back_to(active, active.state.base).await?;
                submit.set_back = Some((active.info.id, back));
            }
            let mut settled = self.settle(|| self.submit_op(submit.clone())).await?;
            settled.repeated |= repeated;
            repeated = settled.repeated;
            if settled.answer == SubmitAnswer::Busy && on_busy == OnBusy::Rollback && tried < ROLLBACKS_MAX {
                continue;
            }
            if let (SubmitAnswer::Queued, Some(active)) = (settled.answer, active) {
                self.inflight.cancelling(active.info.id);
                self.advance_soon(active.info.id, Cue::Look);
            }
            return Ok(settled);
        }
        Err(ApiError::internal("not tried"))
    }

    /// The run that is active on the thread of another.
    async fn active_on(&self, info: &RunInfo) -> Result<Option<Run>, ApiError> {
        let thread = self.store.thread(&info.thread).await?;
        match thread.and_then(|thread| thread.active).filter(|active| *active != info.id) {
            Some(active) => Ok(self.store.run(active).await?),
            None => Ok(None),
        }
    }

    /// The graph a caller means. A text need not have been applied; it is kept so that the
    /// run finds its version again, under a name that no caller can say.
    async fn graph_for(&self, caller: &Caller, graph: &GraphRef) -> Result<Arc<Compiled>, ApiError> {
        let tenant = &caller.tenant;
        match graph {
            GraphRef::Hash(hash) => self.graph(tenant, *hash).await?.ok_or_else(|| ApiError::not_found("graph", hash)),
            GraphRef::Name(name) => {
                let named = self.store.graph_named(tenant, name).await?;
                let hash = named.ok_or_else(|| ApiError::not_found("graph", name))?.hash;
                self.graph(tenant, hash).await?.ok_or_else(|| ApiError::not_found("graph", name))
            }
            GraphRef::Source(source) => self.graph_from(caller, source.clone()).await,
        }
    }

    async fn graph_from(&self, caller: &Caller, source: GraphSource) -> Result<Arc<Compiled>, ApiError> {
        // What was submitted before is found again whatever tools there are now.
        let graph = self.compile(&caller.tenant, source.clone(), false).await?;
        if let Some(known) = self.graph(&caller.tenant, graph.hash).await? {
            self.hold_graph(&caller.tenant, &known).await?;
            return Ok(known);
        }
        let graph = self.compile(&caller.tenant, source, true).await?;
        let name = inline_name(&graph);
        self.keep_graph(&caller.tenant, name, graph).await
    }

    async fn run_info_of(
        &self,
        caller: &Caller,
        request: &SubmitRequest,
        compiled: &Compiled,
        input: String,
    ) -> Result<RunInfo, ApiError> {
        let graph = &compiled.graph;
        let tenant = caller.tenant.clone();
        let thread = match (&request.thread, &request.request_id) {
            (Some(thread), _) => thread.clone(),
            (None, Some(id)) => ThreadId::for_request(&tenant, id),
            (None, None) => self.new_thread(),
        };
        let key = ThreadKey { tenant, thread };
        let id = match &request.request_id {
            None if self.settings.seeded_ids => RunId { partition: key.partition(), uuid: self.new_uuid() },
            id => RunId::for_submit(&key, id.as_ref()),
        };
        let deadline = match graph.limits.duration_ms {
            Some(ms) => Some(self.store.now().await?.plus_ms(ms)),
            None => None,
        };
        let body_digest = Hasher::new().field("submit").field(graph.hash.to_string()).field(&input).finish();
        Ok(RunInfo {
            id,
            thread: key,
            actor: caller.actor.clone(),
            graph: graph.hash,
            graph_name: graph.name.clone(),
            request: request.request_id.clone(),
            body_digest,
            reader: self.settings.reader,
            deadline,
            priority: Priority::Normal,
            traceparent: None,
            input,
            parent: None,
            record: request.record,
            parallel: None,
            before: Vec::new(),
        })
    }

    pub(super) fn new_thread(&self) -> ThreadId {
        if !self.settings.seeded_ids {
            return ThreadId::random();
        }
        ThreadId::parse(&self.new_uuid().to_string()).unwrap_or_else(|_| ThreadId::random())
    }

    pub(super) fn new_uuid(&self) -> uuid::Uuid {
        Builder::from_random_bytes(self.seeded_bytes()).into_uuid()
    }
}

fn refused_input(compiled: &Compiled, failure: Failure) -> ApiError {
    let graph = &compiled.graph;
    let takes = graph.input.get("properties").and_then(serde_json::Value::as_object);
    let names: Vec<&str> = takes.into_iter().flat_map(|takes| takes.keys().map(String::as_str)).collect();
    let cure = match names[..] {
        [] => format!("graph {} takes no input: leave it out", graph.name),
        _ => format!("graph {} takes {}", graph.name, names.join(", ")),
    };
    ApiError::invalid(failure.code, failure.message, cure)
}

pub(super) fn refusal(answer: SubmitAnswer, info: &RunInfo) -> ApiError {
    let conflict = |code, cause, cure| ApiError::new(ErrorKind::Conflict, code, cause, cure);
    if answer == SubmitAnswer::Busy {
        let cause = format!("another run is active on thread {}", info.thread.thread);
        return conflict("thread_busy", cause, "wait for it, use another thread, or set `on_busy: enqueue`");
    }
    if answer == SubmitAnswer::Gone {
        return ApiError::not_found("checkpoint", "what is to be shared");
    }
    let name = info.request.as_ref().map_or_else(String::new, ToString::to_string);
    let cause = format!("request id {name} was used for another graph or input");
    conflict("request_id_reused", cause, "use a new request id, or repeat the very same request")
}
