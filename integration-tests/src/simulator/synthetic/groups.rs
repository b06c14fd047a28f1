//! Groups made by hand, of every kind there is and every policy that decides about them.

use baton_common::commit::{Awaited, Input, NewGroup, NewTask, Question, QuestionForm};
use baton_common::records::{GroupInfo, Parent, Policy, RunInfo, TaskKind};
use baton_common::tool::{Effect, QueueClass};
use baton_common::{
    Digest, ErrorClass, GroupId, Hasher, JobId, NodePath, RunId, Seq, ThreadId, ThreadKey, canonical_json,
};
use baton_store::Loaded;
use serde_json::{Value, json};

use super::plan::dice;

/// A tool that asks and waits before it answers; `worker` runs it.
const PAUSING: &str = "sim.pausing";
/// The queue of its jobs.
pub(super) const PAUSING_QUEUE: &str = "cap.pausing";

/// A group of the kind the dice name.
pub(super) fn any(loaded: &Loaded, number: u32, base: Seq, hash: Digest) -> NewGroup {
    let make = Make { loaded, number, base, hash };
    let few = 1 + u32::from(make.dice("few") % 3);
    match make.dice("kind") % if nested(&loaded.run.info) { 11 } else { 13 } {
        0 => make.jobs("sim.work", few, 10),
        1 => {
            let mut quorum = make.jobs("sim.work", 3, 60);
            let info = quorum.info_mut();
            (info.need_ok, info.max_failed, info.window) = (1, 2, 3);
            quorum
        }
        2 => {
            let count = 6 + u32::from(make.dice("wide") % 8);
            let mut wide = make.jobs("sim.pure", count, 5);
            let info = wide.info_mut();
            (info.max_failed, info.window) = (count, 3);
            wide
        }
        3 => make.asks(1 + few % 2),
        4 => {
            let mut late = make.jobs("sim.pure", 2, 4_000);
            late.info_mut().deadline = Some(loaded.run.state.ready_at.plus_ms(1_500));
            late
        }
        5 => make.jobs("sim.once", 1, 100),
        6 => make.jobs("sim.crunch", few, 0),
        7 => make.waits(few, None),
        8 => make.waits(few, Some("go".to_owned())),
        9 => make.jobs(PAUSING, few, 0),
        10 => make.linked(),
        _ => make.children(1 + few % 2),
    }
}

/// What makes up for what was done.
pub(super) fn undo(loaded: &Loaded, number: u32, base: Seq, hash: Digest) -> NewGroup {
    let mut group = Make { loaded, number, base, hash }.jobs("sim.work", 2, 30);
    let info = group.info_mut();
    (info.undo, info.window, info.max_failed) = (true, 1, 2);
    group
}

/// Whether a run is the child of a child: it has none.
fn nested(info: &RunInfo) -> bool {
    info.parent.as_ref().is_some_and(|parent| parent.root != parent.job.run)
}

/// A call that outlives its run.
pub(super) fn detached(loaded: &Loaded, number: u32, base: Seq, hash: Digest) -> NewGroup {
    let make = Make { loaded, number, base, hash };
    let mut group = make.jobs("sim.work", 1, 900);
    group.info_mut().detached = true;
    if make.dice("late").is_multiple_of(3) {
        group.info_mut().deadline = Some(loaded.run.state.ready_at.plus_ms(3_000));
    }
    group
}

struct Make<'a> {
    loaded: &'a Loaded,
    number: u32,
    base: Seq,
    hash: Digest,
}

impl Make<'_> {
    fn dice(&self, what: &str) -> u8 {
        dice(&self.loaded.run.info, what, self.number)
    }

    fn group(&self, kind: TaskKind, tool: &str, tasks: Vec<NewTask>) -> NewGroup {
        let count = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
        let (class, queue) = match tool {
            "sim.crunch" => (QueueClass::Cpu, "cpu.normal"),
            PAUSING => (QueueClass::Io, PAUSING_QUEUE),
            _ => (QueueClass::Io, "io.normal"),
        };
        let effect = match tool {
            "sim.once" => Effect::Once,
            "sim.work" => Effect::Idempotent,
            _ => Effect::Pure,
        };
        let info = GroupInfo {
            id: self.id(),
            kind,
            count,
            window: 2,
            need_ok: count,
            max_failed: u32::from(self.dice("failures")) % 2 * count,
            detached: false,
            undo: false,
            tool: tool.to_owned(),
            tool_major: 1,
            class,
            queue: queue.to_owned(),
            effect,
            policy: Policy {
                attempts_max: 3,
                backoff_min_ms: 100,
                backoff_max_ms: 1_000,
                retry_on: vec![ErrorClass::Transient],
                retry_codes: Vec::new(),
                timeout_ms: 60_000,
            },
            base: self.base,
            deadline: None,
            graph: None,
            traceparent: None,
            segment: None,
        };
        NewGroup { info: info.into(), tasks }
    }

    fn jobs(&self, tool: &str, count: u32, ms: u64) -> NewGroup {
        let tasks = (0..count).map(|index| self.job(tool, index, ms)).collect();
        self.group(TaskKind::Job, tool, tasks)
    }

    fn job(&self, tool: &str, index: u32, ms: u64) -> NewTask {
        let args = json!({"ms": ms, "seed": format!("{}-{}-{index}", self.hash, self.number)});
        NewTask::new(self.digest(tool, &args), text(&Input::Args(args)))
    }

    fn asks(&self, count: u32) -> NewGroup {
        let form = QuestionForm::Approval {
            original: Value::Null,
            allow: ["approve", "reject"].map(str::to_owned).to_vec(),
            schema: None,
        };
        let question = Question { title: "Good?".to_owned(), show: Vec::new(), form };
        let tasks = (0..count).map(|index| {
            let digest = self.digest("ask", &json!([self.number, index]));
            let after_ms = (self.dice("expires").is_multiple_of(2)).then_some(4_000);
            NewTask { after_ms, ..NewTask::new(digest, text(&question)) }
        });
        self.group(TaskKind::Ask, "", tasks.collect())
    }

    /// Waits for a time, or for a signal until then.
    fn waits(&self, count: u32, signal: Option<String>) -> NewGroup {
        let wait = |index| {
            let digest = self.digest("wait", &json!([self.number, index]));
            let after_ms = Some(500 + 40 * u64::from(self.dice("after")));
            NewTask { after_ms, signal: signal.clone(), ..NewTask::new(digest, text(&Awaited::default())) }
        };
        self.group(TaskKind::Wait, "", (0..count).map(wait).collect())
    }

    /// Runs of their own, each with a plan of its own.
    fn children(&self, count: u32) -> NewGroup {
        let (info, record) = (&self.loaded.run.info, &self.loaded.run.state);
        let (root, root_thread) = match &info.parent {
            Some(parent) => (parent.root, parent.root_thread.clone()),
            None => (info.id, info.thread.clone()),
        };
        let child = |index| {
            let job = JobId { run: info.id, r#gen: record.r#gen, group: self.id(), index };
            let id = RunId::for_child(&job);
            let thread = ThreadKey { tenant: info.thread.tenant.clone(), thread: ThreadId::beside(id) };
            let digest = self.digest("child", &json!([self.number, index]));
            let input = format!("{}", u64::from(digest.jitter()));
            let parent = Some(Box::new(Parent { job, root, root_thread: root_thread.clone(), needs: None }));
            let body_digest = Digest::of(&input);
            NewTask::new(digest, text(&RunInfo { id, thread, input, body_digest, parent, ..super::info_of(info) }))
        };
        let tasks = (0..count).map(child).collect();
        let mut group = self.group(TaskKind::Child, "", tasks);
        group.info_mut().window = 1;
        group
    }

    /// The second and third need the first, the last needs them both.
    fn linked(&self) -> NewGroup {
        let mut group = self.jobs("sim.work", 4, 20);
        for (task, needs) in group.tasks.iter_mut().zip([vec![], vec![0], vec![0], vec![1, 2]]) {
            task.needs = needs;
        }
        group
    }

    fn id(&self) -> GroupId {
        let node = NodePath::parse(&format!("g{}", self.number)).expect("a name of letters and digits");
        GroupId { node, activation: 1 }
    }

    fn digest(&self, what: &str, input: &Value) -> Digest {
        Hasher::new().field("synthetic").field(what).field(canonical_json(input)).field(self.hash.0).finish()
    }
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
