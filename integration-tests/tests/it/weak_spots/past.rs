//! Going on from a run's past, asked over gRPC: a fork, a retry and an edit each do that and
//! no more.

use baton_common::RunId;
use baton_orchestrator::api::Status;
use baton_proto::detail;
use serde_json::json;

use crate::rig::{Kind, Rig};

const LETTER: &str = "
baton: 1
graph: letter
input: { name: string }
output: { sent: state.sent, by: state.by }
state: { text: string, sent: string, by: { type: array, reduce: append } }
start: look
nodes:
  look: { tool: { name: debug.ledger, args: { file: look.jsonl, effect: pure } }, save: { by: \"'look'\" }, then: write }
  write: { save: { text: \"'dear ' + input.name\", by: \"'write'\" }, then: send }
  send: { tool: { name: debug.ledger, args: { file: send.jsonl, effect: pure } }, save: { sent: state.text, by: \"'send'\" }, then: end }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_from_the_middle_gives_another_output_and_leaves_its_source_alone() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let remote = rig.remote().await;
        let run = remote.submit(LETTER, &json!({ "name": "Ada" }), false).await;
        assert_eq!(rig.output(run).await["sent"], "dear Ada", "{kind:?}");
        let source = (remote.checkpoints(run).await, remote.state(run, 0).await, rig.get(run).await);
        let middle = source.0.iter().find(|one| one.wrote.get("text").is_some_and(|by| by == "write")).unwrap();
        assert_eq!(middle.open, ["send#1"], "{kind:?}");

        let forked = remote.fork(run, middle.seq, &json!({ "text": "to whom it may concern" }), "f").await;
        let fork: RunId = forked.run_id.parse().unwrap();
        let output = rig.output(fork).await;
        assert_eq!(output, json!({ "sent": "to whom it may concern", "by": ["look", "write", "send"] }), "{kind:?}");
        let again = remote.fork(run, middle.seq, &json!({ "text": "to whom it may concern" }), "f").await;
        assert!(again.existed && again.run_id == forked.run_id && !forked.existed, "{kind:?}");
        let ran: Vec<_> = rig.ledger().into_values().map(|job| (job.starts, job.ends)).collect();
        assert_eq!(ran, [(1, 1); 3], "{kind:?}: the fork looks nothing up again, and sends once");
        let after = (remote.checkpoints(run).await, remote.state(run, 0).await, rig.get(run).await);
        assert_eq!(source, after, "{kind:?}");
        assert_eq!(remote.state(fork, middle.seq).await["text"], "dear Ada", "{kind:?}: the past is shared");
        rig.stop().await;
    }
}

const FILES: &str = "
baton: 1
graph: files
input: { list: array }
output: { size: state.size }
state: { size: integer }
start: first
nodes:
  first: { tool: { name: debug.ledger, args: { file: first.jsonl, effect: pure } }, then: each }
  each:
    for_each: input.list
    max_parallel: 1
    tool: { name: debug.ledger, args: { file: '{{ item }}.jsonl', effect: pure } }
    save: { size: size(output) }
    then: end
";

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_a_failed_map_runs_only_what_failed() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let remote = rig.remote().await;
        let in_the_way = rig.ledger_folder().join("d.jsonl");
        std::fs::create_dir(&in_the_way).unwrap();
        let run = remote.submit(FILES, &json!({ "list": ["a", "b", "c", "d", "e", "f"] }), false).await;
        let failed = rig.end(run).await;
        let failure = failed.failure.unwrap();
        assert_eq!((failure.node.as_str(), failure.failure.code.as_str()), ("each", "ledger_failed"), "{kind:?}");
        std::fs::remove_dir(&in_the_way).unwrap();
        let before = rig.ledger();
        assert_eq!(before.len(), 4, "{kind:?}: the first, and three of six");

        let retried = remote.retry(run, 0).await;
        assert_eq!((retried.generation, retried.existed), (1, false), "{kind:?}");
        rig.until(run, |view| view.summary.status == Status::Succeeded).await;
        assert_eq!(rig.get(run).await.output, Some(json!({ "size": 6 })), "{kind:?}");
        let ledger = rig.ledger();
        let once = ledger.values().all(|job| (job.starts, job.ends) == (1, 1));
        assert!(once && ledger.len() == 7, "{kind:?}: {ledger:?}");
        assert!(before.iter().all(|(job, ran)| ledger.get(job) == Some(ran)), "{kind:?}: what succeeded ran once");
        rig.stop().await;
    }
}

const DRAFT: &str = "
baton: 1
graph: draft
output: { text: state.text }
state: { text: string }
start: write
nodes:
  write: { save: { text: \"'first'\" }, then: ask }
  ask: { ask: { title: Good?, fields: { good: boolean } }, then: end }
";

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_saw_an_older_state_is_a_conflict() {
    for kind in Kind::ALL {
        let rig = Rig::start(kind).await;
        let remote = rig.remote().await;
        let run = remote.submit(DRAFT, &json!({}), false).await;
        let head = rig.asking(run, 1).await.head.0;
        let edited = remote.edit(run, head, &json!({ "text": "second" })).await.unwrap();
        assert_eq!((edited.seq, edited.existed), (head + 1, false), "{kind:?}");
        assert!(remote.edit(run, head, &json!({ "text": "second" })).await.unwrap().existed, "{kind:?}: repeated");
        let stale = remote.edit(run, head, &json!({ "text": "mine" })).await.unwrap_err();
        let told = detail::of_status(&stale).unwrap();
        assert_eq!(
            (stale.code(), told.code.as_str()),
            (tonic::Code::FailedPrecondition, "state_moved_on"),
            "{kind:?}: {told:?}"
        );
        let wrong = remote.edit(run, head + 1, &json!({ "text": 7 })).await.unwrap_err();
        assert_eq!(wrong.code(), tonic::Code::InvalidArgument, "{kind:?}: {wrong:?}");
        assert_eq!(remote.state(run, 0).await["text"], "second", "{kind:?}");
        assert_eq!(remote.state(run, head).await["text"], "first", "{kind:?}: the past stays");
        rig.answer_node(run, "ask", json!({ "good": true })).await;
        assert_eq!(rig.output(run).await, json!({ "text": "second" }), "{kind:?}");
        rig.stop().await;
    }
}
