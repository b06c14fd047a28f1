//! Advances runs: load, step, commit, publish, and again while groups are left to fold.
//!
//! Any replica may advance any run; the compare-and-set of the commit decides. Whatever is
//! given up here has a due entry, so that a sweeper comes back to it.
//!
//! What few advances need is awaited in a box: a future has room for all that it may await.

mod begin;
mod commit;
mod inflight;
pub(crate) mod journal;
mod prepare;
mod start;

use std::sync::Arc;

use baton_common::commit::Segment;
use baton_common::pace::{Later, Pace};
use baton_common::records::{self, RunInfo};
use baton_common::transition::{Closed, Op, Tail};
use baton_common::{GroupId, RunId, Timestamp, TraceContext};
use baton_engine::state::RunState;
use baton_engine::step::{Event, Step, step};
use baton_telemetry::about::Carry as _;
use baton_telemetry::metrics;
use tokio::time::{Duration, Instant, interval_at};

use self::commit::Committed;
pub(crate) use self::inflight::Inflight;
use self::prepare::Work;
use crate::about;
use crate::compute;
use crate::fail::{self, Passed};
use crate::graphs::Compiled;
use crate::load;
use crate::orchestrator::Inner;
use crate::traces::{Cause, Superstep};

/// Times one advance is computed anew because the run had moved on.
const CONFLICTS_MAX: u32 = 8;

/// Why a run is looked at.
#[derive(Debug)]
pub(crate) enum Cue {
    /// It may have something to do.
    Look,
    /// These groups closed: nothing need be read.
    Closed {
        /// What closed.
        closed: Box<Closed>,
        /// The span of what closed it.
        cause: Option<Cause>,
    },
    /// A sweeper took it, for that time since its last advance.
    Due(u32),
    /// Its cancel must end now, whatever is still claimed.
    EndCancel,
}

/// Why an advance was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nothing is wrong with the run: somebody comes back to it.
    #[error("store: {0}")]
    Store(#[from] baton_store::Error),
    /// It moved on too often.
    #[error("the run moved on while it was computed")]
    Contended,
    /// A later program made it, and only such a one may advance it.
    #[error("it is of version {0}, which this program does not read")]
    Later(u32),
    /// It will not advance by itself. The code goes into the record.
    #[error("{code}: {why}")]
    Run {
        /// Stable.
        code: &'static str,
        /// For the log.
        why: String,
    },
}

impl From<load::Error> for Trouble {
    fn from(error: load::Error) -> Self {
        match error {
            load::Error::Store(error) => Self::Store(error),
            load::Error::Record(error) => Self::Run { code: "record_unreadable", why: error.to_string() },
            load::Error::Blob(why) => Self::Run { code: "record_unreadable", why },
            load::Error::Missing { .. } => Self::Run { code: "checkpoint_missing", why: error.to_string() },
            load::Error::Graph { .. } => Self::Run { code: "graph_missing", why: error.to_string() },
        }
    }
}

impl Inner {
    /// Advances a run in a task of its own, one at a time in this process.
    pub(crate) fn advance_soon(self: &Arc<Self>, run: RunId, cue: Cue) {
        if let Some(advancing) = self.advancing(run, cue) {
            self.spawn(advancing);
        }
    }

    /// Advances runs that became ready: a lone one where it stands, as far as it comes.
    pub(crate) fn advance_ready(self: &Arc<Self>, ready: Vec<RunId>) {
        if let [run] = ready[..] {
            if let Some(advancing) = self.advancing(run, Cue::Look) {
                self.start(advancing);
            }
            return;
        }
        for run in ready {
            self.advance_soon(run, Cue::Look);
        }
    }

    fn advancing(self: &Arc<Self>, run: RunId, cue: Cue) -> Option<Later> {
        if self.shutdown.is_cancelled() {
            return None;
        }
        let first = self.inflight.enter(run, cue)?;
        Some(Box::pin(self.clone().advance_all(run, first)))
    }

    /// Does what follows the end of a task; `cause` is the span it ended in.
    pub(crate) fn follow(self: &Arc<Self>, run: RunId, tail: Tail, cause: Option<TraceContext>) {
        self.follow_cause(run, tail, cause.map(Cause::new));
    }

    /// The same, with more about the span.
    pub(crate) fn follow_cause(self: &Arc<Self>, run: RunId, tail: Tail, cause: Option<Cause>) {
        self.watchers.changed(run);
        self.publish_released(tail.released);
        self.advance_ready(tail.ready);
        if let Some(closed) = tail.closed {
            let all = self.states.all_closed(run, &closed);
            if let Some(advancing) = self.advancing(run, Cue::Closed { closed, cause }) {
                // Others that close just now are folded with it.
                if all { self.start(advancing) } else { self.start_after(advancing) }
            }
        } else if self.inflight.is_cancelling(run) {
            self.advance_soon(run, Cue::Look);
        }
    }

    async fn advance_all(self: Arc<Self>, run: RunId, first: Cue) {
        let Ok(_permit) = self.advances.clone().acquire_owned().await else {
            self.inflight.abandon(run);
            return;
        };
        let mut next = Some(self.inflight.latest(run, first));
        while let Some(cue) = next {
            let attempts = if let Cue::Due(attempts) = cue { Some(attempts) } else { None };
            match self.advance(run, cue).await {
                Ok(()) => {}
                Err(Trouble::Run { code, why }) => {
                    self.states.forget(run);
                    self.park_if_tried_enough(run, attempts, code, &why).await;
                }
                Err(trouble @ Trouble::Later(_)) => {
                    self.states.forget(run);
                    self.about(run).in_scope(|| tracing::debug!(%trouble, "run left to a later program"));
                    if attempts.is_some() {
                        self.leave_to_others(run).await;
                    }
                }
                Err(trouble) => {
                    self.states.forget(run);
                    self.about(run).in_scope(|| tracing::debug!(%trouble, "advance left to the sweeper"));
                }
            }
            next = self.inflight.leave(run);
        }
    }

    /// A process that dies computing leaves no trouble behind, only attempts: such a run is
    /// parked without another try.
    async fn advance(self: &Arc<Self>, run: RunId, cue: Cue) -> Result<(), Trouble> {
        if let Cue::Due(attempts) = cue
            && attempts > self.settings.timings.advance_attempts_max.saturating_mul(2)
        {
            return Err(Trouble::Run { code: "advance_unfinished", why: format!("{attempts} attempts") });
        }
        let by_force = matches!(cue, Cue::Due(_) | Cue::EndCancel);
        let mut cause = if let Cue::Closed { cause, .. } = &cue { *cause } else { None };
        let again = || if by_force { Cue::EndCancel } else { Cue::Look };
        let mut cue = Some(cue);
        for _ in 0..CONFLICTS_MAX {
            loop {
                let began = Instant::now();
                let Some(work) = self.prepare(run, cue.take().unwrap_or_else(again)).await? else { return Ok(()) };
                let trace = Superstep::begin(&work.info, &work.event, work.record.superstep, cause.take());
                let about = about::of_run(&work.info, trace.segment());
                match self.superstep(work, trace, began).about(about).await? {
                    Committed::Moved { again: true } => {}
                    Committed::Moved { again: false } => return Ok(()),
                    Committed::Conflict => break,
                }
            }
            self.states.forget(run);
        }
        Err(Trouble::Contended)
    }

    async fn superstep(self: &Arc<Self>, work: Work, trace: Superstep, began: Instant) -> Result<Committed, Trouble> {
        let (number, reason) = (work.record.superstep, work.reason());
        let (begun, computation) = work.begin();
        let step = self.compute_step(&begun, computation).await?;
        let committed = self.commit(&begun, step, &trace).await?;
        metrics::orchestrator().step.observe(metrics::seconds(began.elapsed()));
        let (outcome, came_true) = match &committed {
            Committed::Moved { .. } => ("committed", true),
            Committed::Conflict => ("conflict", false),
        };
        trace.end(outcome, came_true);
        tracing::debug!(number, reason, outcome, "superstep");
        Ok(committed)
    }

    /// Computes a step. While that takes long, the run's ready entry is moved on, so that
    /// nobody else begins it and no attempt is counted.
    async fn compute_step(&self, begun: &Begun, computation: Computation) -> Result<Step, Trouble> {
        if fail::point("before_advance").await == Passed::Error {
            return Err(Trouble::Store(fail::unknown()));
        }
        let pace = self.compute.pace(begun.info.graph);
        let in_place = pace.as_ref().is_none_or(|pace| pace.is_quick());
        let computation = move || computation.run(pace);
        let answer = if in_place {
            compute::here(computation)
        } else {
            Box::pin(self.compute_elsewhere(begun.info.id, computation)).await
        };
        match answer {
            Ok(Ok(step)) => Ok(step),
            Ok(Err(error)) => Err(Trouble::Run { code: "step_failed", why: error.to_string() }),
            Err(compute::Error::Panicked) => Err(Trouble::Run { code: "step_panicked", why: String::new() }),
            Err(compute::Error::Gone) => Err(Trouble::Store(baton_store::Error::Unavailable("stopping".to_owned()))),
        }
    }

    async fn compute_elsewhere<T: Send + 'static>(
        &self,
        run: RunId,
        computation: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, compute::Error> {
        let hide_ms = self.settings.timings.hide_ms;
        let pause = Duration::from_millis((hide_ms / 2).max(1));
        let mut ticks = interval_at(tokio::time::Instant::now() + pause, pause);
        let computed = self.compute.run(computation);
        tokio::pin!(computed);
        loop {
            tokio::select! {
                biased;
                answer = &mut computed => return answer,
                _ = ticks.tick() => {
                    let extend = Op::Extend { run, ms: hide_ms, untried: false };
                    if let Err(error) = self.change_op(extend).await {
                        tracing::debug!(%error, "long computation not extended");
                    }
                }
            }
        }
    }

    /// Gives back a run that only others may advance: it is due again soon, no attempt is
    /// counted, and its partition is left to them for a while.
    async fn leave_to_others(&self, run: RunId) {
        let idle_ms = self.settings.timings.idle_tick_ms;
        self.nudges.avoid(run.partition, Duration::from_millis(4 * idle_ms));
        let extend = Op::Extend { run, ms: 2 * idle_ms, untried: true };
        if let Err(error) = self.change_op(extend).await {
            self.about(run).in_scope(|| tracing::debug!(%error, "run not given back"));
        }
    }

    async fn park_if_tried_enough(&self, run: RunId, attempts: Option<u32>, code: &'static str, why: &str) {
        let enough = attempts.is_some_and(|attempts| attempts >= self.settings.timings.advance_attempts_max);
        let about = self.about_read(run).await;
        if !enough {
            about.in_scope(|| tracing::warn!(code, why, "run cannot advance"));
            return;
        }
        about.in_scope(|| tracing::error!(code, why, "run parked"));
        let park = Op::Park { run, reason: code.to_owned() };
        if let Err(error) = self.change_op(park).await {
            about.in_scope(|| tracing::warn!(%error, "run not parked"));
        }
        self.watchers.changed(run);
    }
}

/// What is left of work while its step is computed.
pub(crate) struct Begun {
    info: Arc<RunInfo>,
    record: records::RunState,
    reason: &'static str,
    /// What it is computed from, where that is kept.
    journal: Option<Segment>,
    /// When the groups it folds closed.
    closed: Vec<(GroupId, Option<Timestamp>)>,
}

impl Begun {
    /// When these groups closed; nothing where one does not say so.
    fn closed_at(&self, consumed: &[GroupId]) -> Vec<Timestamp> {
        let at = |id: &GroupId| self.closed.iter().find(|(own, _)| own == id).and_then(|(_, at)| *at);
        consumed.iter().map(at).collect::<Option<_>>().unwrap_or_default()
    }
}

/// A step to be computed, here or elsewhere. Nobody else need hold its state: what it writes
/// is added to it then, without a copy.
struct Computation {
    graph: Arc<Compiled>,
    state: Arc<RunState>,
    event: Event,
    now: Timestamp,
}

impl Work {
    fn begin(self) -> (Begun, Computation) {
        let (reason, journal, closed) = (self.reason(), self.journal(), self.closed());
        let Self { info, graph, record, state, event } = self;
        let now = record.ready_at;
        (Begun { info, record, reason, journal, closed }, Computation { graph, state, event, now })
    }
}

impl Computation {
    fn run(self, pace: Option<Arc<Pace>>) -> Result<Step, baton_engine::step::Error> {
        let Self { graph, state, event, now } = self;
        let state = Arc::unwrap_or_clone(state);
        let step = || step(&graph.graph, &graph.tools, state, event, now);
        match pace {
            Some(pace) => compute::noted(&pace, step),
            None => step(),
        }
    }
}
