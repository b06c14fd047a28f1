//! What goes onto the wire comes off it as it was.

use std::fmt::Debug;

use baton_common::failure::ErrorClass;
use baton_common::ids::{ClaimRequest, DispatchSeq, Fence, IdempotencyKey, WorkerId};
use baton_common::job::{ClaimAnswer, DropReason, Envelope, Grant, Outcome, RenewAnswer};
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{BlobRef, Digest, Failure, Payload, TenantId, ThreadId, Timestamp};
use serde_json::json;

use super::convert::{self, Malformed};
use crate::{Announcement, ClaimCall, Hold};

const JOB: &str = "003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11/2/agent/tools#4/17";

fn check<T: Clone + Debug + PartialEq, W>(value: T, to: impl Fn(T) -> W, from: impl Fn(W) -> Result<T, Malformed>) {
    assert_eq!(from(to(value.clone())), Ok(value));
}

fn blob() -> BlobRef {
    BlobRef { key: "v/1".into(), bytes: 9, digest: Digest::of("x"), media_type: "application/json".into() }
}

fn envelope() -> Envelope {
    Envelope {
        v: 1,
        cluster: "c".into(),
        job: JOB.parse().expect("a job"),
        digest: Digest::of("in"),
        tool: "doc.extract".into(),
        tool_major: 2,
        class: QueueClass::Cpu,
        effect: Effect::Once,
        dispatch_seq: DispatchSeq(3),
        tenant: TenantId::local(),
        traceparent: Some("00-a-b-01".into()),
        permit: None,
        published_at: Some(Timestamp(1_760_000_000_000)),
        queue: Some("cpu.normal.t3".into()),
        thread: ThreadId::parse("t-1").ok(),
    }
}

fn grant(args: Payload) -> Grant {
    Grant {
        job: JOB.parse().expect("a job"),
        digest: Digest::of("in"),
        fence: Fence(7),
        attempt: 2,
        tool: "debug.echo".into(),
        args,
        idempotency_key: IdempotencyKey(Digest::of("key")),
        timeout_ms: 1,
        lease_ms: 2,
        tenant: TenantId::local(),
        traceparent: None,
        token: "t".into(),
    }
}

#[test]
fn claims_and_grants_arrive_as_they_were_sent() {
    let call = ClaimCall { envelope: envelope().into(), request: ClaimRequest(u64::MAX) };
    check(call, |call| convert::claim_to_wire(&call), convert::claim_from_wire);
    let granted = |args| ClaimAnswer::Granted(Box::new(grant(args)));
    let answers = [
        granted(Payload::Inline(json!({ "big": i64::MIN, "n": 1.5, "s": "ä" }))),
        granted(Payload::Blob(blob())),
        ClaimAnswer::Drop(DropReason::OutcomeUnknown),
        ClaimAnswer::Later,
    ];
    for answer in answers {
        check(answer, convert::claim_answer_to_wire, convert::claim_answer_from_wire);
    }
}

#[test]
fn outcomes_arrive_as_they_were_sent() {
    for class in ErrorClass::ALL {
        let failure = Failure::new(class, "c", "m").retry_after_ms(5);
        check(Outcome::Error(failure), convert::outcome_to_wire, |wire| convert::outcome_from_wire(Some(wire)));
    }
    for outcome in [Outcome::value(json!(null)), Outcome::Ok(Payload::Blob(blob()))] {
        check(outcome, convert::outcome_to_wire, |wire| convert::outcome_from_wire(Some(wire)));
    }
}

#[test]
fn renewals_and_announcements_arrive_as_they_were_sent() {
    for answer in [RenewAnswer::Held(Timestamp(-1)), RenewAnswer::Lost, RenewAnswer::Cancel] {
        check(answer, convert::renew_to_wire, convert::renew_from_wire);
    }
    let announcement = Announcement {
        worker: WorkerId(255),
        class: QueueClass::Io,
        slots: 8,
        tools: vec![ToolSpec {
            name: "debug.echo".into(),
            major: 1,
            class: QueueClass::Io,
            effect: Effect::Idempotent,
            description: "says it again".into(),
            args_schema: json!({ "type": "object" }),
        }],
        place: "host:1".into(),
        version: "0.1.0".into(),
        queues: vec!["io.high".into(), "cap.gpu".into()],
        held: [("cap.gpu".into(), 2)].into(),
    };
    check(announcement, |sent| convert::announcement_to_wire(&sent), convert::announcement_from_wire);
}

#[test]
fn what_is_malformed_names_its_field() {
    let field = |result: Result<Hold, Malformed>| result.expect_err("malformed").field;
    assert_eq!(field(convert::hold_from_wire(None)), "hold");
    assert_eq!(field(convert::hold_from_wire(Some(baton_proto::v1::Hold::default()))), "job");
    assert_eq!(convert::class_from_wire(99).expect_err("unknown").field, "class");
    assert_eq!(
        convert::outcome_from_wire(Some(baton_proto::v1::Outcome::default())).expect_err("empty").field,
        "outcome"
    );
}
