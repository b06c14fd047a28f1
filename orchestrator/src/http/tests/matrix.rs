//! Every call of both wires by everybody: without a key, with a wrong one, with each scope
//! alone, and by a tenant that may do everything with what is its own.
//!
//! The calls come from the descriptors and the table of routes, so that one that is added is
//! asked for here; who may make it is written down a second time, by hand.

use std::collections::BTreeMap;

use baton_proto::DESCRIPTORS;
use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use prost::encoding::string;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};

use super::client::PATIENCE;
use super::parity::NOBODY;
use super::rig::Rig;
use crate::auth::Scope;
use crate::http::routes::ROUTES;

/// What no other tenant may ever read.
const CANARY: &str = "canary-6f2c1d1e";

const ASKS: &str = "baton: 1\ngraph: asks\ninput: { told: string }\nstart: a\nnodes:\n  a: { ask: { title: 'about {{ input.told }}', fields: { x: string } }, then: end }\n";

/// Who may call what, decided by hand.
const MAY: [(Scope, &[&str]); 5] = [
    (
        Scope::Submit,
        &[
            "Runs/Submit",
            "Runs/Cancel",
            "Runs/Signal",
            "Graphs/Apply",
            "History/Fork",
            "Schedules/Create",
            "Schedules/Update",
            "Schedules/Pause",
            "Schedules/Resume",
            "Schedules/Run",
            "Schedules/Backfill",
            "Schedules/Delete",
            "createSchedule",
            "updateSchedule",
            "pauseSchedule",
            "resumeSchedule",
            "runSchedule",
            "backfillSchedule",
            "deleteSchedule",
            "submitRun",
            "cancelRun",
            "signalRun",
            "signalThread",
            "forkRun",
            "applyGraph",
        ],
    ),
    (
        Scope::Read,
        &[
            "Runs/Get",
            "Runs/List",
            "Runs/Watch",
            "Runs/ListInterrupts",
            "Graphs/Validate",
            "Graphs/List",
            "Graphs/Get",
            "Operate/Artifacts",
            "Quotas/List",
            "Quotas/Get",
            "listQuotas",
            "getQuota",
            "Operate/GetArtifact",
            "Archive/List",
            "Archive/Get",
            "History/ListCheckpoints",
            "History/GetState",
            "History/Diff",
            "History/Replay",
            "Schedules/List",
            "Schedules/Get",
            "Schedules/Preview",
            "listSchedules",
            "getSchedule",
            "previewSchedule",
            "listRuns",
            "getRun",
            "watchRun",
            "listCheckpoints",
            "getState",
            "diffStates",
            "replayRun",
            "listArtifacts",
            "getArtifact",
            "listArchives",
            "getArchive",
            "listQuestions",
            "listGraphs",
            "getGraph",
            "validateGraph",
        ],
    ),
    (Scope::Answer, &["Runs/Answer", "answerRun"]),
    (
        Scope::Operate,
        &[
            "Operate/Workers",
            "Operate/Queues",
            "Operate/Audit",
            "Operate/CreateKey",
            "Operate/ListKeys",
            "Operate/RevokeKey",
            "Operate/Unpark",
            "Operations/Preview",
            "Operations/Apply",
            "Operations/VerifyAudit",
            "Quotas/Set",
            "Quotas/Delete",
            "setQuota",
            "deleteQuota",
            "History/Edit",
            "History/Retry",
            "Graphs/Migrate",
            "editRun",
            "retryRun",
            "unparkRun",
            "migrateGraph",
            "listWorkers",
            "listQueues",
            "listAudit",
            "createKey",
            "listKeys",
            "revokeKey",
            "verifyAudit",
            "previewOperation",
            "applyOperation",
            "Blobs/Sweep",
            "sweepBlobs",
        ],
    ),
    (
        Scope::Work,
        &[
            "ControlPlane/Announce",
            "ControlPlane/Claim",
            "ControlPlane/Renew",
            "ControlPlane/Resume",
            "ControlPlane/GiveBack",
            "ControlPlane/Emit",
            "ControlPlane/PutBlob",
            "ControlPlane/GetBlob",
            "ControlPlane/ListArtifacts",
            "Transfer/OpenUpload",
            "Transfer/CloseUpload",
            "Transfer/OpenDownload",
            "resumeJob",
        ],
    ),
];

fn needed(call: &str) -> Scope {
    let found = MAY.iter().find(|(_, calls)| calls.contains(&call));
    found.unwrap_or_else(|| panic!("nobody decided who may call {call}")).0
}

/// A method of a service, by its name without the package.
struct Rpc {
    name: String,
    path: String,
    request: DescriptorProto,
}

fn rpcs() -> Vec<Rpc> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).expect("descriptors").file;
    let files: Vec<_> = files.into_iter().filter(|file| file.package() == "baton.v1").collect();
    let messages: BTreeMap<String, DescriptorProto> = files
        .iter()
        .flat_map(|file| file.message_type.iter())
        .map(|message| (format!(".baton.v1.{}", message.name()), message.clone()))
        .collect();
    let methods = files.iter().flat_map(|file| file.service.iter()).flat_map(|service| {
        service.method.iter().map(|method| Rpc {
            name: format!("{}/{}", service.name(), method.name()),
            path: format!("/baton.v1.{}/{}", service.name(), method.name()),
            request: messages[method.input_type()].clone(),
        })
    });
    methods.collect()
}

impl Rpc {
    /// A request whose texts point at that run and thread, and are otherwise likely.
    fn pointing_at(&self, run: &str, thread: &str) -> Bytes {
        let mut bytes = Vec::new();
        for field in &self.request.field {
            let texts = field.r#type() == Type::String && field.proto3_optional.is_none();
            if !texts {
                continue;
            }
            let text = match field.name() {
                "run_id" => run.to_owned(),
                "thread" if self.request.field.iter().all(|field| field.name() != "run_id") => thread.to_owned(),
                "question" => "a".to_owned(),
                "decision_json" => json!({ "x": "y" }).to_string(),
                "name" => "go".to_owned(),
                "path" => "report.md".to_owned(),
                "job" => format!("{run}/1/a#1/0"),
                _ => continue,
            };
            string::encode(field.number().cast_unsigned(), &text, &mut bytes);
        }
        bytes.into()
    }

    /// The first message that answers, or the refusal.
    async fn call(&self, rig: &Rig, key: Option<&str>, request: Bytes) -> Result<Option<Bytes>, Status> {
        let mut client = tonic::client::Grpc::new(rig.carrier(key));
        client.ready().await.expect("a connection");
        let path = self.path.parse().expect("a path");
        let request = Request::new(tokio_stream::once(request));
        let answered = timeout(PATIENCE, client.streaming(request, path, Plain)).await.expect("an answer");
        let mut messages = answered?.into_inner();
        timeout(PATIENCE, messages.message()).await.expect("a message")
    }
}

/// Messages as they travel.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Who calls: a name for messages, a key, and what it may do.
type Role = (&'static str, Option<String>, Vec<Scope>);

async fn roles(rig: &Rig) -> Vec<Role> {
    let mut roles = vec![
        ("nobody", None, Vec::new()),
        ("a stranger", Some("baton_00000000_00".to_owned()), Vec::new()),
        ("everything", Some(rig.make_key("local", &Scope::ALL).await), Scope::ALL.to_vec()),
    ];
    for scope in Scope::ALL {
        roles.push((scope.name(), Some(rig.make_key("local", &[scope]).await), vec![scope]));
    }
    roles
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_is_open_to_its_scope_and_to_no_other() {
    let rig = Rig::with_key(Some("operator")).await;
    let rpcs = rpcs();
    assert!(rpcs.len() >= 37, "{} calls were found", rpcs.len());
    for (who, key, scopes) in roles(&rig).await {
        for rpc in &rpcs {
            let needed = needed(&rpc.name);
            let code =
                rpc.call(&rig, key.as_deref(), Bytes::new()).await.map_or_else(|status| status.code(), |_| Code::Ok);
            let refused = matches!(code, Code::Unauthenticated | Code::PermissionDenied);
            let expected = match who {
                "nobody" | "a stranger" => code == Code::Unauthenticated,
                _ if scopes.contains(&needed) => !refused,
                _ => code == Code::PermissionDenied,
            };
            assert!(expected, "{who} calls {}: {code:?}", rpc.name);
        }
    }
}

/// A path of a route, pointing at that run and thread.
fn path_at(path: &str, run: &str, thread: &str) -> String {
    path.replace("{run}", run).replace("{thread}", thread).replace("{graph}", "asks").replace("{key}", "00000000")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_open_to_its_scope_and_to_no_other() {
    let rig = Rig::with_key(Some("operator")).await;
    for (who, key, scopes) in roles(&rig).await {
        for route in ROUTES {
            let needed = needed(route.operation);
            let path = path_at(route.path, NOBODY, "nobody");
            let status = rig.call_as(key.as_deref(), route.method.as_str(), &path, None).await.status;
            let expected = match who {
                "nobody" | "a stranger" => status == 401,
                _ if scopes.contains(&needed) => !matches!(status, 401 | 403),
                _ => status == 403,
            };
            assert!(expected, "{who} calls {}: {status}", route.operation);
        }
    }
}

/// A run that asks, on a thread, told the canary.
async fn secretive(rig: &Rig) -> String {
    let body = json!({ "source": ASKS, "thread": "t-1", "input": { "told": CANARY } });
    let submitted = rig.post("/v1/runs", body).await.json().await;
    let run = submitted["run"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned();
    rig.until(&run, "waiting").await;
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_tells_a_tenant_that_anothers_run_is_there() {
    let rig = Rig::with_key(Some("operator")).await;
    let run = secretive(&rig).await;
    rig.post("/v1/graphs", json!({ "source": ASKS })).await;
    let before = rig.get(&format!("/v1/runs/{run}")).await.json().await;
    let stranger = rig.make_key("other", &Scope::ALL).await;
    let plain = |text: String, run: &str| text.replace(run, "RUN").replace("t-1", "THREAD").replace("nobody", "THREAD");
    for rpc in rpcs() {
        if ["Runs/Get", "Runs/Watch", "History/ListCheckpoints", "History/GetState"].contains(&rpc.name.as_str()) {
            let own = rpc.call(&rig, rig.key.as_deref(), rpc.pointing_at(&run, "t-1")).await;
            assert!(own.as_ref().is_ok_and(Option::is_some), "{}: {own:?}", rpc.name);
        }
        let mut told = Vec::new();
        for (run, thread) in [(run.as_str(), "t-1"), (NOBODY, "nobody")] {
            let answer = rpc.call(&rig, Some(&stranger), rpc.pointing_at(run, thread)).await;
            let text = match answer {
                Ok(bytes) => {
                    format!("ok {}", bytes.map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).into()))
                }
                Err(status) => format!("{:?} {}", status.code(), status.message()),
            };
            assert!(!text.contains(CANARY), "{} tells what is another's: {text}", rpc.name);
            told.push(plain(text, run));
        }
        let lasting = matches!(rpc.name.as_str(), "Operate/Audit" | "Operate/CreateKey" | "Operate/ListKeys");
        assert!(lasting || told[0] == told[1], "{} tells them apart: {told:#?}", rpc.name);
    }
    for route in ROUTES {
        let mut told = Vec::new();
        for (run, thread) in [(run.as_str(), "t-1"), (NOBODY, "nobody")] {
            let body = match route.operation {
                "answerRun" => Some(json!({ "question": "a", "decision": { "x": "y" } })),
                "signalRun" | "signalThread" => Some(json!({ "name": "go" })),
                _ => route.body.map(|_| json!({})),
            };
            let path = path_at(route.path, run, thread);
            let reply = rig.call_as(Some(&stranger), route.method.as_str(), &path, body).await;
            let status = reply.status;
            let text = format!("{status} {}", reply.text().await);
            assert!(!text.contains(CANARY), "{} tells what is another's: {text}", route.operation);
            told.push(plain(text, run));
        }
        assert!(
            route.operation == "listAudit" || told[0] == told[1],
            "{} tells them apart: {told:#?}",
            route.operation
        );
    }
    for (path, list) in [("/v1/runs", "runs"), ("/v1/questions", "questions"), ("/v1/graphs", "graphs")] {
        let listed: Value = rig.call_as(Some(&stranger), "GET", path, None).await.json().await;
        assert_eq!(listed[list], json!([]), "{path}: {listed}");
    }
    assert_eq!(rig.get(&format!("/v1/runs/{run}")).await.json().await, before, "a stranger changed the run");
}
