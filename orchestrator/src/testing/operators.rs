//! What operators are answered, and what they may decide.

use baton_common::Failure;
use baton_common::job::Outcome;
use baton_common::records::RunStatus;
use serde_json::json;

use super::graphs::{graph, tool};
use super::{Rig, echo};
use crate::Settings;
use crate::api::{Action, AppliedItem, AuditFilter, Caller, Item, ListFilter, Preview, Sealed, Selection, Status};
use crate::graphs::Compiled;

fn hello() -> Compiled {
    let first = tool("a", &json!({"text": "{{ input.name }}"}), &[("out", "output.text")], &["b"]);
    graph("hello", vec![first, tool("b", &json!({"text": "hi {{ state.out }}"}), &[("out", "output.text")], &[])])
}

impl Rig {
    async fn preview(&self, action: Action, wanted: Selection) -> Preview {
        self.orchestrator.preview(&Caller::local(), action, wanted).await.unwrap()
    }

    async fn apply(&self, preview: &Preview) -> Vec<AppliedItem> {
        let items = preview.items.iter().map(sealed).collect();
        let (caller, action) = (Caller::local(), preview.action);
        self.orchestrator.apply_operation(&caller, &preview.operation, action, items).await.unwrap()
    }

    async fn why(&self) -> Vec<(Status, Vec<String>)> {
        let filter = ListFilter { why: true, ..ListFilter::default() };
        let listed = self.orchestrator.list(&Caller::local(), filter).await.unwrap();
        let codes =
            |line: crate::api::RunSummary| (line.status, line.waits.into_iter().map(|wait| wait.code).collect());
        listed.into_iter().map(codes).collect()
    }
}

fn sealed(item: &Item) -> Sealed {
    let Item { run, generation, job, seen, kind, seal, .. } = item.clone();
    Sealed { run, generation, job, seen, kind, seal }
}

fn results(done: &[AppliedItem]) -> Vec<(&str, &str)> {
    done.iter().map(|done| (done.result.as_str(), done.code.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_worker_is_told_and_dead_and_may_be_dropped() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    let view = rig.until(run, |view| view.waits.iter().any(|wait| wait.code == "no_worker")).await;
    let wait = &view.waits[0];
    assert!(wait.text.contains("no worker on it") && !wait.cure.is_empty() && wait.since.is_some(), "{wait:?}");
    assert_eq!(rig.why().await, [(Status::Running, vec!["no_worker".to_owned()])]);
    let young = Selection { older_than_ms: 3_600_000, ..Selection::default() };
    assert!(rig.preview(Action::Drop, young).await.items.is_empty());
    let preview = rig.preview(Action::Drop, Selection::default()).await;
    assert_eq!(preview.items.iter().map(|item| item.kind.as_str()).collect::<Vec<_>>(), ["unroutable"]);
    assert_eq!(results(&rig.apply(&preview).await), [("done", "")]);
    let ended = rig.until(run, |view| view.summary.status == Status::Failed).await;
    assert_eq!(ended.failure.unwrap().failure.code, "dropped");
    assert_eq!(results(&rig.apply(&preview).await), [("refused", "state_moved_on")], "it is over by now");
    let filter = AuditFilter { operation: Some(preview.operation.clone()), ..AuditFilter::default() };
    let told = rig.orchestrator.audit(&Caller::local(), filter).await.unwrap();
    assert_eq!(told.iter().map(|entry| entry.operation.as_str()).collect::<Vec<_>>(), ["drop"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_redriven_is_published_again() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |view| view.waits.iter().any(|wait| wait.code == "no_worker")).await;
    let preview = rig.preview(Action::Redrive, Selection::default()).await;
    assert_eq!(results(&rig.apply(&preview).await), [("done", "")]);
    assert_eq!(results(&rig.apply(&preview).await), [("refused", "state_moved_on")]);
    rig.work(echo);
    assert_eq!(rig.end(run).await.output, Some(json!({"out": "hi Ada"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_runs_are_cancelled_as_they_were_previewed_and_once() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    let mut runs = Vec::new();
    for number in 0..5 {
        runs.push(rig.submit_as("hello", json!({"name": "Ada"}), &format!("r{number}"), None).await);
    }
    let wanted = Selection { graph: Some("hello".to_owned()), ..Selection::default() };
    let preview = rig.preview(Action::Cancel, wanted.clone()).await;
    assert_eq!((preview.items.len(), preview.more), (5, false));
    let later = rig.submit_as("hello", json!({"name": "Eve"}), "later", None).await;
    assert_eq!(results(&rig.apply(&preview).await), [("done", ""); 5]);
    for run in runs {
        rig.until(run, |view| view.summary.status == Status::Cancelled).await;
    }
    assert!(rig.apply(&preview).await.iter().all(|done| done.result == "already"));
    assert_eq!(rig.get(later).await.summary.status, Status::Running, "it came after the preview");
    let other = Selection { graph: Some("another".to_owned()), ..wanted };
    assert!(rig.preview(Action::Cancel, other).await.items.is_empty());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_what_was_previewed_is_touched() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.submit("hello", json!({"name": "Ada"})).await;
    let preview = rig.preview(Action::Cancel, Selection::default()).await;
    let apply = |operation: String, action, items| {
        let orchestrator = rig.orchestrator.clone();
        async move { orchestrator.apply_operation(&Caller::local(), &operation, action, items).await }
    };
    let items = || preview.items.iter().map(sealed).collect::<Vec<_>>();
    let mut moved = items();
    moved[0].run.uuid = uuid::Uuid::from_u128(7);
    for (operation, action, items) in [
        (preview.operation.clone(), Action::Cancel, moved),
        (preview.operation.clone(), Action::Retry, items()),
        ("another".to_owned(), Action::Cancel, items()),
    ] {
        let refused = apply(operation, action, items).await.unwrap_err();
        assert_eq!(refused.code, "not_previewed");
    }
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn runs_that_failed_are_retried_by_filter() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.work(|_| Some(Outcome::Error(Failure::permanent("broken", "no"))));
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.until(run, |view| view.summary.status == Status::Failed).await;
    let wanted = |class: &str| Selection {
        status: Some(RunStatus::Failed),
        class: Some(class.to_owned()),
        ..Selection::default()
    };
    assert!(rig.preview(Action::Retry, wanted("poison")).await.items.is_empty());
    let dead = rig.preview(Action::Redrive, wanted("permanent")).await;
    assert_eq!(dead.items.iter().map(|item| item.kind.as_str()).collect::<Vec<_>>(), ["failed"]);
    let preview = rig.preview(Action::Retry, wanted("permanent")).await;
    assert_eq!(results(&rig.apply(&preview).await), [("done", "")]);
    assert_eq!(results(&rig.apply(&preview).await), [("already", "")]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_audit_of_what_was_done_holds() {
    let rig = Rig::new(vec![hello()], Settings::default()).await;
    rig.work(echo);
    let run = rig.submit("hello", json!({"name": "Ada"})).await;
    rig.end(run).await;
    let found = rig.orchestrator.verify_audit(&Caller::local(), Vec::new()).await.unwrap();
    assert_eq!((found.chained, found.breaks.len(), found.heads.len()), (1, 0, 1));
    let mut kept = found.heads;
    kept[0].number += 1;
    let cut = rig.orchestrator.verify_audit(&Caller::local(), kept).await.unwrap();
    assert_eq!(cut.breaks.len(), 1, "it ends before a head that was kept");
    rig.stop().await;
}
