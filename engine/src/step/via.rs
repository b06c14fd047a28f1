//! Telling people that a question is open: beside the group of a node's questions goes one of
//! calls that nobody waits for, opened by the same commit, one for each question.
//!
//! A question that is opened again under the id it had was told of before; one whose id is
//! new, in a run that was forked or retried from an earlier state, is told of again.

use baton_common::commit::{NewGroup, NewTask, Question};
use baton_common::records::Policy;
use baton_common::{ErrorClass, Failure, GroupId, InterruptId, JobId, NodePath};
use serde_json::{Value, json};

use super::activate::{Making, beneath};
use super::arguments::described;
use super::group::{Kind, group};
use super::moment;
use super::tasks::Keeps;
use crate::expr::Scope;
use crate::graph::{Node, ToolCall, Work};
use crate::state::Open;

/// What the last name of the group's path begins with; the generation follows where it is
/// not the first, since calls of an earlier one may still be under way.
const NAME: &str = "via";
/// Calls are tried so often: a person who is not told keeps a run waiting for nothing.
const ATTEMPTS: u32 = 5;

/// The calls that tell people of these questions, by item; `None` where nobody is to be
/// told, or was.
///
/// # Errors
/// When there is no such tool, or arguments fail.
pub(super) fn calls(
    making: &Making<'_>,
    questions: &[(u32, Question, Option<u64>)],
    open: &mut Open,
) -> Result<Option<NewGroup>, Failure> {
    let Work::Ask(ask) = &making.node.work else { return Ok(None) };
    let (Some(via), false) = (&ask.via, questions.is_empty()) else { return Ok(None) };
    let run = making.place.run;
    let job = |index| JobId { run: run.run, r#gen: run.r#gen, group: making.id.clone(), index };
    let first = InterruptId::of(&job(0), 0);
    if open.told.replace(first) == Some(first) {
        return Ok(None);
    }
    let spec = making.spec(via)?;
    let mut tasks: Vec<NewTask> = Vec::with_capacity(questions.len());
    for (index, (item, question, expires_ms)) in (0..).zip(questions) {
        let told = of_question(making, *item, &job(index), question, *expires_ms);
        let scope = making.scope_of(*item, false);
        let args = described(via, making.place.around.tools, &Scope { ask: Some(&told), ..scope })?;
        tasks.push(making.origin().call(spec, (Some(args), Keeps::Args), Vec::new(), None, Default::default())?);
    }
    let name = if run.r#gen.0 == 0 { format!("/{NAME}") } else { format!("/{NAME}-{}", run.r#gen.0) };
    let id = GroupId { node: beneath(&making.node.path, &name)?, activation: making.id.activation };
    let kind = Kind::jobs(via, spec, making.node.priority.unwrap_or(run.priority));
    let mut group = group(making.node, id, kind, tasks, making.opening(open), true)?;
    let info = group.info_mut();
    info.deadline = None;
    info.policy = policy(&info.policy);
    Ok(Some(group))
}

/// What `ask` reads as.
fn of_question(making: &Making<'_>, item: u32, job: &JobId, question: &Question, expires_ms: Option<u64>) -> Value {
    let run = making.place.run;
    let now = making.place.around.now;
    let until = [expires_ms, making.node.deadline_ms].into_iter().flatten().min();
    let path = match &making.items {
        Some(_) => format!("{}[{item}]", making.node.path),
        None => making.node.path.to_string(),
    };
    let root = run.lineage.root.as_ref().map_or(run.run, |(root, _)| *root);
    json!({
        "id": InterruptId::of(job, 0).to_string(),
        "run": root.to_string(),
        "path": path,
        "title": question.title,
        "expires_at": until.map(|ms| moment::text(now.plus_ms(ms))),
    })
}

fn policy(of_node: &Policy) -> Policy {
    let retry_on = vec![ErrorClass::Transient, ErrorClass::RateLimited, ErrorClass::Timeout, ErrorClass::WorkerLost];
    Policy { attempts_max: ATTEMPTS, retry_on, ..of_node.clone() }
}

/// The node whose questions a group's calls tell of.
pub(super) fn asker(path: &NodePath) -> Option<NodePath> {
    let (node, name) = path.as_str().rsplit_once('/')?;
    let generation = name.strip_prefix(NAME)?;
    let is_one = generation.is_empty()
        || generation.strip_prefix('-').is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()));
    is_one.then(|| NodePath::parse(node).ok())?
}

/// Whether a group tells of that one's questions.
pub(super) fn tells_of(group: &NewGroup, asked: &GroupId) -> bool {
    group.info.detached
        && group.info.id.activation == asked.activation
        && asker(&group.info.id.node).as_ref() == Some(&asked.node)
}

/// The call of a node's `via`.
pub(super) fn call_of(node: &Node) -> Option<&ToolCall> {
    match &node.work {
        Work::Ask(ask) => ask.via.as_ref(),
        _ => None,
    }
}
