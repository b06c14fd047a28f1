//! Spans of the control plane: how submits, segments, supersteps and what follows from them hang
//! together. Which process makes a span does not matter: whatever the next one needs stands in
//! a record or a message.
//!
//! A segment is what a run does from a wake to a park. The first goes on in the trace of its
//! submit; each further one is a trace of its own, linked to the segment before and to what woke
//! the run. Its first span is short, for nothing stays open while a run is parked.

use std::time::SystemTime;

use baton_common::TraceContext;
use baton_common::commit::NewGroup;
use baton_common::records::{GroupInfo, RunInfo, TaskKind};
use baton_engine::step::{ClosedGroup, Event};
use baton_telemetry::names;
use baton_telemetry::trace::{self, Kind, Live, Span};

use crate::api::Caller;

/// Whether spans of a run are kept, and where it was submitted.
pub(crate) fn of_run(info: &RunInfo) -> Option<TraceContext> {
    kept(info.traceparent.as_deref())
}

/// The superstep that opened a group, where its spans are kept.
pub(crate) fn of_group(info: &GroupInfo) -> Option<TraceContext> {
    kept(info.traceparent.as_deref())
}

fn kept(traceparent: Option<&str>) -> Option<TraceContext> {
    TraceContext::read(traceparent).filter(|context| context.sampled)
}

/// Decides whether spans of a run are kept, for as long as it lives, and begins the first.
pub(crate) fn submit(info: &mut RunInfo, given: Option<TraceContext>, began: SystemTime) -> Span {
    let run = info.id.uuid.as_u128();
    let sampled = if trace::is_on() { trace::samples(run) } else { given.is_some_and(|given| given.sampled) };
    let given = given.map(|given| given.with_sampled(sampled));
    let parent = given.or_else(|| Some(trace::beginning(run)).filter(|_| sampled));
    let span = Span::child(names::SPAN_SUBMIT, Kind::Server, parent).with(|span| {
        of_the_run(span, info).since_time(began);
    });
    info.traceparent = span.traceparent().or_else(|| given.map(|given| given.to_string()));
    span
}

/// A call of the API that has to do with a run.
pub(crate) fn call(name: &'static str, caller: &Caller, info: &RunInfo) -> Span {
    let span = match (of_run(info), caller.trace) {
        (None, _) => Span::none(),
        (Some(_), None) => Span::root(name, Kind::Server),
        (Some(_), given) => Span::child(name, Kind::Server, given.map(|given| given.with_sampled(true))),
    };
    span.with(|span| {
        of_the_run(span, info);
    })
}

/// Something the sweeper does about a group.
pub(crate) fn sweep(info: Option<&GroupInfo>, reason: &'static str) -> Span {
    Span::child(names::SPAN_SWEEP, Kind::Internal, info.and_then(of_group)).with(|span| {
        span.set(names::REASON, reason);
    })
}

/// What every span about a run says.
pub(crate) fn of_the_run<'a>(span: &'a mut Live, info: &RunInfo) -> &'a mut Live {
    span.set(names::RUN_ID, info.id.to_string())
        .set(names::THREAD_ID, info.thread.thread.to_string())
        .set(names::GEN_AI_CONVERSATION, info.thread.thread.to_string())
        .set(names::GRAPH, info.graph_name.clone())
        .set(names::TENANT, info.thread.tenant.to_string())
}

/// What this process was told of the end of a task by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    /// The span that it ended in.
    span: TraceContext,
    /// Whether it is a person's answer about a job, for which the run was parked.
    wakes: bool,
}

impl Cause {
    pub(crate) fn new(span: TraceContext) -> Self {
        Self { span, wakes: false }
    }

    /// A person's answer about a job whose outcome nobody knew.
    pub(crate) fn answer(span: TraceContext) -> Self {
        Self { span, wakes: true }
    }
}

/// A superstep under way, and the segment it is of.
#[derive(Debug, Default)]
pub(crate) struct Superstep {
    span: Span,
    /// The first span of its segment, where this superstep begins it.
    opening: Span,
    segment: Option<TraceContext>,
    came_true: bool,
}

/// What did not come true begins no segment.
impl Drop for Superstep {
    fn drop(&mut self) {
        if !self.came_true {
            std::mem::take(&mut self.opening).discard();
        }
    }
}

impl Superstep {
    /// Begins a superstep of a run, for that event. `cause` is what this process was told it by.
    pub(crate) fn begin(info: &RunInfo, event: &Event, number: u64, cause: Option<Cause>) -> Self {
        let Some(run) = of_run(info).filter(|_| trace::is_on()) else { return Self::default() };
        let woken = cause.is_some_and(|cause| cause.wakes);
        let cause = cause.map(|cause| cause.span);
        let (opening, segment) = match goes_on(event).filter(|_| !woken) {
            Some(segment) => (Span::none(), Some(segment)),
            None => {
                let opening = open(info, run, event, cause);
                let segment = opening.context();
                (opening, segment)
            }
        };
        let span = Span::child(names::SPAN_SUPERSTEP, Kind::Internal, segment).with(|span| {
            of_the_run(span, info).set(names::SUPERSTEP, signed(number)).set(names::REASON, reason(event));
            match cause {
                // What woke the run stands at the segment.
                _ if opening.context().is_some() => {}
                Some(cause) => {
                    span.link(Some(cause), names::LINK_CAUSED);
                }
                None => closed(event).iter().for_each(|group| {
                    span.link(of_group(&group.info), names::LINK_OPENED);
                }),
            }
        });
        Self { span, opening, segment, came_true: false }
    }

    /// The segment it is of, where its spans are kept.
    pub(crate) fn segment(&self) -> Option<TraceContext> {
        self.segment
    }

    /// What is published or begun by it hangs below this.
    pub(crate) fn context(&self) -> Option<TraceContext> {
        self.span.context()
    }

    /// Puts into new groups what whoever goes on with them needs.
    pub(crate) fn mark(&self, open: &mut [NewGroup]) {
        let Some(own) = self.span.context() else { return };
        for group in open {
            let info = group.info_mut();
            info.traceparent = Some(own.to_string());
            info.segment = self.segment.map(|segment| segment.to_string());
        }
    }

    /// The write of what it decided.
    pub(crate) fn commit(&self, groups: usize, checkpoints: usize) -> Span {
        Span::child(names::SPAN_COMMIT, Kind::Client, self.context()).with(|span| {
            span.set(names::COMMIT_GROUPS, signed(groups as u64));
            span.set(names::COMMIT_CHECKPOINTS, signed(checkpoints as u64));
        })
    }

    /// Ends it with what became of it.
    pub(crate) fn end(mut self, outcome: &'static str, came_true: bool) {
        self.came_true = came_true;
        self.span.say(|span| {
            span.set(names::OUTCOME, outcome);
        });
    }
}

/// The segment that an event goes on with; none where it begins one.
fn goes_on(event: &Event) -> Option<TraceContext> {
    let moving = |group: &&ClosedGroup| matches!(group.info.kind, TaskKind::Job | TaskKind::Child);
    closed(event).iter().filter(moving).find_map(|group| kept(group.info.segment.as_deref()))
}

/// Groups that an event folds.
fn closed(event: &Event) -> &[ClosedGroup] {
    match event {
        Event::Closed(groups) | Event::Cancelled(groups) => groups,
        _ => &[],
    }
}

/// The first span of a segment.
fn open(info: &RunInfo, run: TraceContext, event: &Event, cause: Option<TraceContext>) -> Span {
    let first = matches!(event, Event::Started | Event::Begun(_));
    let span = match first {
        true => Span::child(names::SPAN_WORKFLOW, Kind::Internal, Some(run)),
        false => Span::root(names::SPAN_WORKFLOW, Kind::Internal),
    };
    span.with(|span| {
        of_the_run(span, info)
            .name(format!("{} {}", names::SPAN_WORKFLOW, info.graph_name))
            .set(names::GEN_AI_OPERATION, names::SPAN_WORKFLOW)
            .set(names::GEN_AI_WORKFLOW, info.graph_name.clone())
            .set(names::REASON, reason(event));
        if first {
            return;
        }
        let mut parked: Vec<TraceContext> = closed(event).iter().filter_map(|group| of_group(&group.info)).collect();
        parked.dedup();
        if parked.is_empty() {
            parked.push(run);
        }
        for superstep in parked {
            span.link(Some(superstep), names::LINK_PREVIOUS);
        }
        span.link(cause, names::LINK_WOKEN);
    })
}

/// The kind of an event.
pub(crate) fn reason(event: &Event) -> &'static str {
    match event {
        Event::Started | Event::Begun(_) => "started",
        Event::Closed(_) => "closed",
        Event::Resumed(_) => "resumed",
        Event::Cancelled(_) => "cancelled",
        Event::DurationOver => "duration",
    }
}

/// Numbers of spans have a sign.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
