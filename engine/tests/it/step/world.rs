//! A run without store, broker or worker: applies effects to plain collections and closes
//! groups when told to. Each step is made twice and compared byte by byte, and each
//! checkpoint is loaded again and compared with the state it was made of.

use std::collections::BTreeMap;

use baton_common::commit::{Input, NewGroup, Question, RunEnd};
use baton_common::job::Outcome;
use baton_common::records::{Body, Checkpoint, GroupPhase, GroupState, RunInfo, RunStatus, TaskKind};
use baton_common::tool::{Effect, Priority, QueueClass, ToolSpec};
use baton_common::{
    Actor, Digest, ErrorClass, Failure, Gen, GroupId, RequestId, RunId, Seq, TenantId, ThreadId, ThreadKey, Timestamp,
};
use baton_engine::answer::check_answer;
use baton_engine::graph::Graph;
use baton_engine::spec::{Source, parse};
use baton_engine::state::{Channels, RunState};
use baton_engine::step::{ClosedGroup, Error, Event, Recipe, Step, Tools, child_outcome, render_args, step};
use serde_json::{Value, json};

pub(super) const NOW: Timestamp = Timestamp(1_000_000);

pub(super) struct World {
    pub(super) graph: Graph,
    pub(super) info: RunInfo,
    pub(super) state: RunState,
    pub(super) open: BTreeMap<GroupId, NewGroup>,
    pub(super) detached: Vec<NewGroup>,
    pub(super) history: Vec<Checkpoint>,
    pub(super) pieces: BTreeMap<(String, u64), Body>,
    pub(super) end: Option<RunEnd>,
    pub(super) last: Option<Step>,
}

pub(super) fn tools() -> Tools {
    let spec = |name: &str, effect| ToolSpec {
        name: name.to_owned(),
        major: 1,
        class: QueueClass::Io,
        effect,
        description: "for tests".to_owned(),
        args_schema: json!({"type": "object"}),
    };
    [
        ("t.echo", Effect::Pure),
        ("t.fail", Effect::Pure),
        ("t.odd", Effect::Idempotent),
        ("t.undo", Effect::Idempotent),
        ("t.sum", Effect::Pure),
        ("chat", Effect::Pure),
    ]
    .into_iter()
    .map(|(name, effect)| (name.to_owned(), spec(name, effect)))
    .collect()
}

/// What the tools of these tests do.
pub(super) fn work(tool: &str, args: &Value) -> Outcome {
    match tool {
        "t.fail" => Outcome::Error(Failure::permanent(args["code"].as_str().unwrap_or("boom"), "it failed")),
        "t.sum" if args["v"].as_i64().is_some_and(|v| v % 4 == 0) => Outcome::Error(Failure::permanent("four", "four")),
        "t.sum" => {
            let deps = args["deps"].as_object().unwrap().values().map(|kept| kept.as_i64().unwrap());
            Outcome::value(json!({"v": args["v"].as_i64().unwrap() + deps.sum::<i64>()}))
        }
        "t.odd" if args["v"].as_i64().is_some_and(|v| v % 2 == 0) => Outcome::Error(Failure::permanent("even", "even")),
        "chat" => Outcome::value(
            json!({"text": args["user"], "json": null, "usage": {"input_tokens": 30, "output_tokens": 12}}),
        ),
        _ => Outcome::value(args.clone()),
    }
}

fn info(graph: &Graph, thread: &str, request: &str, input: &Value) -> RunInfo {
    let thread = ThreadKey { tenant: TenantId::local(), thread: ThreadId::parse(thread).unwrap() };
    let request = RequestId::parse(request).unwrap();
    RunInfo {
        id: RunId::for_submit(&thread, Some(&request)),
        thread,
        actor: Actor::local(),
        graph: graph.hash,
        graph_name: graph.name.clone(),
        request: Some(request),
        body_digest: Digest::default(),
        reader: 1,
        deadline: None,
        priority: Priority::Normal,
        traceparent: None,
        input: input.to_string(),
        parent: None,
        record: false,
        parallel: None,
        before: Vec::new(),
    }
}

impl World {
    /// A run on a new thread, before its first step.
    pub(super) fn new(text: &str, input: Value) -> Self {
        let graph = parse(&Source::new("graph.yaml", text)).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        let info = info(&graph, "thread", "first", &input);
        Self::of(graph, info)
    }

    fn of(graph: Graph, info: RunInfo) -> Self {
        let state = RunState::first(&info, Gen(0), None).unwrap();
        Self {
            graph,
            info,
            state,
            open: BTreeMap::new(),
            detached: Vec::new(),
            history: Vec::new(),
            pieces: BTreeMap::new(),
            end: None,
            last: None,
        }
    }

    /// A run after its first step.
    pub(super) fn started(text: &str, input: Value) -> Self {
        let mut world = Self::new(text, input);
        world.apply(Event::Started);
        world
    }

    /// The next run on the same thread, after its first step.
    pub(super) fn next_run(mut self, request: &str, input: Value) -> Self {
        self.info = info(&self.graph, "thread", request, &input);
        let head = self.history.last().unwrap();
        self.state = RunState::first(&self.info, Gen(0), Some((head, self.channels(head.seq)))).unwrap();
        self.end = None;
        self.apply(Event::Started);
        self
    }

    /// Makes a step and applies what it asks for.
    pub(super) fn apply(&mut self, event: Event) {
        let made = self.step(event).unwrap();
        let effects = &made.effects;
        for id in effects.consumed.iter().chain(&effects.cancelled) {
            assert!(self.open.remove(id).is_some(), "{id} was open");
        }
        for group in &effects.open {
            assert_eq!(group.info.count as usize, group.tasks.len());
            if group.info.detached {
                self.detached.push(group.clone());
            } else {
                assert!(self.open.insert(group.info.id.clone(), group.clone()).is_none());
            }
        }
        // A thread that was set back goes on behind the last state it had.
        let (mut head, mut last) = (self.state.head, self.state.head.max(self.state.used));
        for checkpoint in &effects.checkpoints {
            assert_eq!((checkpoint.parent, checkpoint.seq), (head, last.next()));
            (head, last) = (checkpoint.seq, checkpoint.seq);
            self.history.push(checkpoint.clone());
        }
        for piece in &effects.segments {
            assert!(self.pieces.insert((piece.channel.to_string(), piece.number), piece.body.clone()).is_none());
        }
        self.end.clone_from(&effects.end);
        self.state = made.state.clone();
        self.last = Some(made);
        if !self.history.is_empty() {
            let loaded = RunState { used: self.state.used, ..self.load(self.state.head) };
            assert_eq!(loaded, self.state, "the last checkpoint holds the state");
        }
    }

    /// Makes a step twice; both give the same bytes.
    pub(super) fn step(&self, event: Event) -> Result<Step, Error> {
        let tools = tools();
        let first = step(&self.graph, &tools, self.state.clone(), event.clone(), NOW);
        let second = step(&self.graph, &tools, self.state.clone(), event, NOW);
        assert_eq!(first.as_ref().map(bytes).ok(), second.as_ref().map(bytes).ok());
        assert_eq!(first, second);
        first
    }

    /// The channels at one checkpoint, as a store reads them.
    pub(super) fn channels(&self, seq: Seq) -> Channels {
        let mut upto: Vec<Checkpoint> = Vec::new();
        let mut at = seq;
        while let Some(one) = self.history.iter().find(|one| one.seq == at) {
            upto.insert(0, one.clone());
            at = one.parent;
        }
        let full = upto.iter().rposition(|one| one.full).unwrap();
        let spans = &upto.last().unwrap().segments;
        let pieces = spans.iter().map(|(name, span)| {
            let numbers = span.base..span.end;
            (name.clone(), numbers.map(|number| self.pieces[&(name.to_string(), number)].clone()).collect())
        });
        Channels { values: Channels::values_of(&upto[full..]), pieces: pieces.collect() }
    }

    /// The state at one of the run's checkpoints.
    pub(super) fn load(&self, seq: Seq) -> RunState {
        let text = serde_json::to_string(self.history.iter().find(|one| one.seq == seq).unwrap()).unwrap();
        let checkpoint: Checkpoint = serde_json::from_str(&text).unwrap();
        RunState::restore(&self.info, self.state.r#gen, &checkpoint, self.channels(seq)).unwrap()
    }

    /// The arguments of one task, as a claim makes them.
    pub(super) fn args(&self, group: &NewGroup, index: usize) -> Value {
        self.args_after(group, index, &BTreeMap::new()).unwrap()
    }

    /// The same with the outcomes of what the task needs.
    pub(super) fn args_after(
        &self,
        group: &NewGroup,
        index: usize,
        outcomes: &BTreeMap<u32, Outcome>,
    ) -> Result<Value, Failure> {
        let mut input: Input = serde_json::from_str(&group.tasks[index].body).unwrap();
        while let Input::Keyed { input: inner, .. } = input {
            input = *inner;
        }
        match input {
            Input::Recipe { item, needs } => {
                let recipe = Recipe { item: item.as_ref(), needs: &needs, outcomes };
                render_args(&self.graph, &tools(), &self.load(group.info.base), &group.info, recipe)
            }
            Input::Args(args) => Ok(args),
            Input::Keyed { .. } => unreachable!(),
        }
    }

    /// The run of a child that was started, before its first step.
    pub(super) fn child(&self, id: &str, index: usize) -> Self {
        let group = &self.open[&id.parse().unwrap()];
        assert_eq!(group.info.kind, TaskKind::Child);
        let info: RunInfo = serde_json::from_str(&group.tasks[index].body).unwrap();
        let graph = self.graph.children.values().find(|child| child.hash == info.graph).unwrap();
        Self::of(Graph::clone(graph), info)
    }

    /// A closed group of children that ended.
    pub(super) fn closed_child(&self, id: &GroupId, children: &[&Self]) -> ClosedGroup {
        let ends = || children.iter().map(|child| child.end.as_ref().unwrap());
        let mut closed = self.closed(id, ends().map(|end| Some(child_outcome(end))).collect());
        let counts = closed.outcomes.iter().map(Option::is_some);
        closed.owed = ends().zip(counts).map(|(end, counts)| end.owed.clone().filter(|_| counts)).collect();
        closed
    }

    /// What a run that turned back still has open, closed: as they were, or cancelled.
    pub(super) fn close_rest(&mut self, late: Vec<ClosedGroup>) {
        let taken: Vec<&GroupId> = late.iter().map(|group| &group.info.id).collect();
        let rest: Vec<GroupId> = self.open.keys().filter(|id| !taken.contains(id)).cloned().collect();
        let cancelled = |id: &GroupId| self.closed(id, vec![None; self.open[id].tasks.len()]);
        let groups = rest.iter().map(cancelled).collect::<Vec<_>>().into_iter().chain(late).collect();
        self.apply(Event::Closed(groups));
    }

    /// Runs compensations one after the other; gives their arguments in that order.
    pub(super) fn run_undo(&mut self) -> Vec<Value> {
        let mut undone = Vec::new();
        while self.end.is_none() {
            let ids: Vec<GroupId> = self.open.keys().cloned().collect();
            assert_eq!(ids.len(), 1, "one at a time: {ids:?}");
            let group = &self.open[&ids[0]];
            assert!(group.info.undo && self.last.as_ref().unwrap().effects.undoing);
            undone.push(self.args(group, 0));
            let closed = self.run_tasks(&ids[0]);
            self.apply(Event::Closed(vec![closed]));
        }
        undone
    }

    /// The question of a group.
    pub(super) fn question(&self, id: &str) -> Question {
        serde_json::from_str(&self.open[&id.parse().unwrap()].tasks[0].body).unwrap()
    }

    /// The ids of open groups.
    pub(super) fn waiting(&self) -> Vec<String> {
        self.open.keys().map(GroupId::to_string).collect()
    }

    /// The run is retried from its failure: groups that its last advance had are open again.
    pub(super) fn retried(&mut self, groups: Vec<NewGroup>) {
        self.state = RunState { r#gen: self.state.r#gen.next(), ..self.load(self.state.head) };
        self.open = groups.into_iter().map(|group| (group.info.id.clone(), group)).collect();
        self.end = None;
    }

    /// What a group comes to when its tools run to the end.
    pub(super) fn run_tasks(&self, id: &GroupId) -> ClosedGroup {
        let group = &self.open[id];
        assert_eq!(group.info.kind, TaskKind::Job);
        let mut done = BTreeMap::new();
        while done.len() < group.tasks.len() {
            let waits = |index: &u32| group.tasks[*index as usize].needs.iter().any(|need| !done.contains_key(need));
            let next = (0..group.info.count).find(|index| !done.contains_key(index) && !waits(index)).unwrap();
            let task = &group.tasks[next as usize];
            let lacks = task.needs.iter().any(|need| matches!(done[need], Outcome::Error(_)));
            let outcome = if lacks {
                Outcome::Error(Failure::permanent("dependency_failed", "an item it needs did not succeed"))
            } else {
                match self.args_after(group, next as usize, &done) {
                    Ok(args) => work(&group.info.tool, &args),
                    Err(failure) => Outcome::Error(failure),
                }
            };
            done.insert(next, outcome);
        }
        self.closed(id, done.into_values().map(Some).collect())
    }

    /// A closed group: outcomes count in order until it is decided.
    pub(super) fn closed(&self, id: &GroupId, mut outcomes: Vec<Option<Outcome>>) -> ClosedGroup {
        let info = self.open[id].info.clone();
        let mut state = GroupState { phase: GroupPhase::Closed, next_held: info.count, ..GroupState::default() };
        for outcome in &mut outcomes {
            if state.ok >= info.need_ok || state.failed > info.max_failed {
                *outcome = None;
            }
            match outcome {
                Some(Outcome::Ok(_)) => state.ok += 1,
                Some(Outcome::Error(_)) => state.failed += 1,
                None => state.cancelled += 1,
            }
        }
        ClosedGroup { info, state, outcomes, owed: Vec::new() }
    }

    /// Closes these groups with what their tools do, in one event.
    pub(super) fn close(&mut self, ids: &[&str]) {
        let closed = ids.iter().map(|id| self.run_tasks(&id.parse().unwrap())).collect();
        self.apply(Event::Closed(closed));
    }

    /// Closes one group with these outcomes.
    pub(super) fn close_with(&mut self, id: &str, outcomes: Vec<Option<Outcome>>) {
        let closed = self.closed(&id.parse().unwrap(), outcomes);
        self.apply(Event::Closed(vec![closed]));
    }

    /// Answers an approval, as ANSWER does.
    pub(super) fn answer(&mut self, id: &str, decision: &Value) {
        let output = check_answer(&self.question(id).form, decision, "ann").unwrap();
        self.close_with(id, vec![ok(output)]);
    }

    /// The output of a run that succeeded.
    #[track_caller]
    pub(super) fn output(&self) -> Value {
        let end = self.end.as_ref().unwrap_or_else(|| panic!("waits for {:?}", self.waiting()));
        assert_eq!(end.status, RunStatus::Succeeded, "{end:?}");
        end.output.clone().unwrap()
    }

    /// Node and code of a run that failed.
    #[track_caller]
    pub(super) fn failure(&self) -> (String, String) {
        let end = self.end.as_ref().unwrap_or_else(|| panic!("waits for {:?}", self.waiting()));
        assert_eq!(end.status, RunStatus::Failed, "{end:?}");
        let failure = end.failure.clone().unwrap();
        (failure.node, failure.failure.code)
    }
}

pub(super) fn failed(code: &str) -> Option<Outcome> {
    Some(Outcome::Error(Failure::new(ErrorClass::Permanent, code, "it failed")))
}

pub(super) fn ok(value: Value) -> Option<Outcome> {
    Some(Outcome::value(value))
}

fn bytes(made: &Step) -> String {
    let effects = &made.effects;
    let ids = |ids: &[GroupId]| ids.iter().map(GroupId::to_string).collect::<Vec<_>>();
    let lists = (&effects.checkpoints, &effects.segments, &effects.open, &effects.end, &made.state.control);
    format!("{:?} {:?} {}", ids(&effects.consumed), ids(&effects.cancelled), serde_json::to_string(&lists).unwrap())
}
