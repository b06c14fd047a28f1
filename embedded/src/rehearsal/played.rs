//! What came of a case: how the run ended, on which way, and what the table lacked.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::records::{Event, EventKind};
use baton_common::{GroupId, RunId, Seq};
use baton_engine::spec::cases::Segment;
use baton_orchestrator::Orchestrator;
use baton_orchestrator::api::{Caller, RunView};
use serde_json::Value;

use super::script::written;
use super::stage::{Cast, plain};

/// Events read at a time.
const EVENTS_PAGE: u32 = 1_000;
/// Checkpoints read at a time.
const CHECKPOINTS_PAGE: u32 = 500;

/// What came of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// Where the run stands: it has ended, or nothing is left that would let it go on.
    pub status: String,
    /// What it gave.
    pub output: Option<Value>,
    /// Why it failed: code, node and message.
    pub failure: Option<Failed>,
    /// Nodes in the order of their activation; those of a called graph behind its caller.
    pub visited: Vec<String>,
    /// Virtual milliseconds from the start to the end.
    pub took_ms: u64,
    /// Calls the table has no result for, and answers that were refused.
    pub problems: Vec<String>,
    /// What the run waits for.
    pub waits: Vec<String>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Stable.
    pub code: String,
    /// The node, empty for the run itself.
    pub node: String,
    /// For people.
    pub message: String,
}

impl Played {
    pub(super) async fn of(
        orchestrator: &Orchestrator,
        cast: &Cast,
        run: RunView,
        problems: Vec<String>,
    ) -> anyhow::Result<Self> {
        let ended = match run.summary.ended_at {
            Some(at) => at,
            None => orchestrator.store().now().await?,
        };
        Ok(Self {
            status: run.summary.status.name().to_owned(),
            failure: run.failure.map(|failed| Failed {
                code: failed.failure.code,
                node: failed.node,
                message: failed.failure.message,
            }),
            output: run.output,
            visited: visited(orchestrator, cast, run.summary.run, &[]).await?,
            took_ms: ended.since_ms(run.summary.created_at),
            problems,
            waits: run.waits.into_iter().map(|wait| format!("{} ({})", wait.node, wait.text)).collect(),
        })
    }
}

/// Nodes of a run in the order of their activation. The checkpoints of an advance tell of its
/// activations superstep by superstep; compensations stand in events alone.
async fn visited(
    orchestrator: &Orchestrator,
    cast: &Cast,
    run: RunId,
    caller: &[Segment],
) -> anyhow::Result<Vec<String>> {
    let (events, checkpoints) = (events(orchestrator, run).await?, checkpoints(orchestrator, run).await?);
    let mut checkpoints = checkpoints.into_iter().peekable();
    let mut way = Way { caller, ..Way::default() };
    // Groups, and what they call, are told of before the advance that opened them.
    let mut opened = Vec::new();
    for event in events {
        match event.kind {
            EventKind::Opened => opened.extend(event.group.map(|group| group.text())),
            EventKind::Advanced => {
                while let Some((_, open)) = checkpoints.next_if(|(seq, _)| seq.0 <= event.number) {
                    open.iter().for_each(|id| way.visit(id));
                }
                opened.drain(..).for_each(|id| way.visit(&id));
            }
            EventKind::Waits => {
                // Other things are waited for as well: they are no runs.
                if let Ok(child) = event.text.parse::<RunId>()
                    && let Some(address) = cast.address_of_child(orchestrator, child).await?
                {
                    let nodes = Box::pin(self::visited(orchestrator, cast, child, &address)).await?;
                    way.called(event.group_text(), nodes);
                }
            }
            _ => {}
        }
    }
    opened.drain(..).for_each(|id| way.visit(&id));
    Ok(way.visited)
}

/// The way of one run.
#[derive(Default)]
struct Way<'c> {
    caller: &'c [Segment],
    seen: BTreeSet<String>,
    visited: Vec<String>,
    /// Nodes of what was called by an activation that is not visited yet.
    called: BTreeMap<String, Vec<String>>,
}

impl Way<'_> {
    /// Notes an activation, unless it is known; a question that approves calls is part of theirs.
    fn visit(&mut self, id: &str) {
        let Ok(group) = id.parse::<GroupId>() else { return };
        let node = plain(&group.node).to_owned();
        if self.seen.insert(format!("{node}#{}", group.activation)) {
            let mut address = self.caller.to_vec();
            address.push(Segment { node, item: None });
            self.visited.push(written(&address));
            self.visited.extend(self.called.remove(id).unwrap_or_default());
        }
    }

    /// Notes the nodes of what an activation called, behind it.
    fn called(&mut self, id: String, nodes: Vec<String>) {
        if self.seen.contains(&id) {
            self.visited.extend(nodes);
        } else {
            self.called.entry(id).or_default().extend(nodes);
        }
    }
}

async fn events(orchestrator: &Orchestrator, run: RunId) -> anyhow::Result<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = orchestrator.store().events(run, after, EVENTS_PAGE).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// Checkpoints of a run, old ones first, each with the activations that were open there.
async fn checkpoints(orchestrator: &Orchestrator, run: RunId) -> anyhow::Result<Vec<(Seq, Vec<String>)>> {
    let (mut checkpoints, mut before) = (Vec::new(), None);
    loop {
        let page = orchestrator.checkpoints(&Caller::local(), run, before, CHECKPOINTS_PAGE).await?;
        checkpoints.extend(page.checkpoints.into_iter().map(|view| (view.checkpoint.seq, view.open)));
        if page.next.is_none() {
            checkpoints.reverse();
            return Ok(checkpoints);
        }
        before = page.next;
    }
}
