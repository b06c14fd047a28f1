//! What workers and the control plane say, between our words and the wire, by hand and in
//! both directions, so that client and server cannot drift apart.
//!
//! Whoever reads from the wire gets [`Malformed`] with the field's name, never a panic.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use baton_common::failure::ErrorClass;
use baton_common::ids::{DispatchSeq, Fence, IdempotencyKey};
use baton_common::job::{ClaimAnswer, DropReason, Envelope, Grant, Outcome, RenewAnswer, ResumeAnswer};
use baton_common::tool::{Effect, QueueClass, ToolSpec};
use baton_common::{BlobRef, Failure, Payload, ThreadId, Timestamp};
use baton_proto::v1;
use serde_json::Value;

use crate::{Announcement, Artifact, BlobPlace, ClaimCall, Hold, Way, Welcome};

/// A field of a message that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {cause}")]
pub struct Malformed {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub cause: String,
}

impl Malformed {
    /// That field, for that reason.
    pub fn new(field: &'static str, cause: impl Display) -> Self {
        Self { field, cause: cause.to_string() }
    }

    /// The field is missing.
    #[must_use]
    pub fn missing(field: &'static str) -> Self {
        Self::new(field, "it is missing")
    }
}

/// A text of the wire as the id it stands for.
///
/// # Errors
/// When it is none.
pub fn parse<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|error| Malformed::new(field, error))
}

/// A message that must be there.
///
/// # Errors
/// When it is not.
pub fn need<T>(field: &'static str, value: Option<T>) -> Result<T, Malformed> {
    value.ok_or_else(|| Malformed::missing(field))
}

/// A JSON text of the wire.
///
/// # Errors
/// When it is no JSON.
pub fn json(field: &'static str, text: &str) -> Result<Value, Malformed> {
    serde_json::from_str(text).map_err(|error| Malformed::new(field, error))
}

fn digest<T>(field: &'static str, text: &str, make: impl Fn(baton_common::Digest) -> T) -> Result<T, Malformed> {
    baton_common::Digest::parse(text).map(make).ok_or_else(|| Malformed::new(field, "not 32 hexadecimal digits"))
}

macro_rules! enums {
    ($($to:ident, $from:ident: $ours:ident <-> $wire:ident, $field:literal { $($variant:ident)* })*) => {$(
        #[doc = concat!("[`", stringify!($ours), "`] onto the wire.")]
        #[must_use]
        pub fn $to(ours: $ours) -> i32 {
            (match ours { $($ours::$variant => v1::$wire::$variant,)* }) as i32
        }

        #[doc = concat!("[`", stringify!($ours), "`] off the wire.")]
        ///
        /// # Errors
        /// When it is not told, or one this program does not know.
        pub fn $from(wire: i32) -> Result<$ours, Malformed> {
            match v1::$wire::try_from(wire) {
                $(Ok(v1::$wire::$variant) => Ok($ours::$variant),)*
                Ok(v1::$wire::Unspecified) | Err(_) => Err(Malformed::new($field, format!("unknown value {wire}"))),
            }
        }
    )*};
}

enums! {
    class_to_wire, class_from_wire: QueueClass <-> QueueClass, "class" { Io Cpu }
    effect_to_wire, effect_from_wire: Effect <-> Effect, "effect" { Pure Idempotent Once }
    drop_to_wire, drop_from_wire: DropReason <-> DropReason, "drop" {
        Unknown RunTerminal Stale Done Busy OutcomeUnknown Foreign
    }
    resume_to_wire, resume_from_wire: ResumeAnswer <-> ResumeAnswer, "answer" {
        Recorded Duplicate Retry Stale StaleFence RunTerminal Unknown
    }
}

/// A tool onto the wire.
#[must_use]
pub fn tool_to_wire(tool: &ToolSpec) -> v1::ToolSpec {
    v1::ToolSpec {
        name: tool.name.clone(),
        major: tool.major,
        class: class_to_wire(tool.class),
        effect: effect_to_wire(tool.effect),
        description: tool.description.clone(),
        args_schema_json: tool.args_schema.to_string(),
    }
}

fn tool_from_wire(tool: v1::ToolSpec) -> Result<ToolSpec, Malformed> {
    Ok(ToolSpec {
        major: tool.major,
        class: class_from_wire(tool.class)?,
        effect: effect_from_wire(tool.effect)?,
        args_schema: json("args_schema_json", &tool.args_schema_json)?,
        name: tool.name,
        description: tool.description,
    })
}

/// An announcement onto the wire.
#[must_use]
pub fn announcement_to_wire(announcement: &Announcement) -> v1::AnnounceRequest {
    v1::AnnounceRequest {
        worker: announcement.worker.to_string(),
        class: class_to_wire(announcement.class),
        slots: announcement.slots,
        tools: announcement.tools.iter().map(tool_to_wire).collect(),
        place: announcement.place.clone(),
        version: announcement.version.clone(),
        queues: announcement.queues.clone(),
        held: announcement.held.clone().into_iter().collect(),
    }
}

/// An announcement off the wire.
///
/// # Errors
/// When a field is malformed.
pub fn announcement_from_wire(wire: v1::AnnounceRequest) -> Result<Announcement, Malformed> {
    Ok(Announcement {
        worker: parse("worker", &wire.worker)?,
        class: class_from_wire(wire.class)?,
        slots: wire.slots,
        tools: wire.tools.into_iter().map(tool_from_wire).collect::<Result<_, _>>()?,
        place: wire.place,
        version: wire.version,
        queues: wire.queues,
        held: wire.held.into_iter().collect(),
    })
}

/// A welcome onto the wire.
#[must_use]
pub fn welcome_to_wire(welcome: Welcome) -> v1::AnnounceResponse {
    v1::AnnounceResponse { cluster: welcome.cluster, lease_ms: welcome.lease_ms, announce_ms: welcome.announce_ms }
}

/// A welcome off the wire.
#[must_use]
pub fn welcome_from_wire(wire: v1::AnnounceResponse) -> Welcome {
    Welcome { cluster: wire.cluster, lease_ms: wire.lease_ms, announce_ms: wire.announce_ms }
}

/// One claim onto the wire.
#[must_use]
pub fn claim_to_wire(call: &ClaimCall) -> v1::ClaimCall {
    let envelope = &call.envelope;
    v1::ClaimCall {
        envelope: Some(v1::Envelope {
            v: envelope.v,
            cluster: envelope.cluster.to_string(),
            job: envelope.job.to_string(),
            digest: envelope.digest.to_string(),
            tool: envelope.tool.clone(),
            tool_major: envelope.tool_major,
            class: class_to_wire(envelope.class),
            effect: effect_to_wire(envelope.effect),
            dispatch_seq: envelope.dispatch_seq.0,
            tenant: envelope.tenant.to_string(),
            traceparent: envelope.traceparent.clone(),
            permit: envelope.permit.clone(),
            published_at: envelope.published_at.map(|at| at.0),
            queue: envelope.queue.as_deref().map(str::to_owned),
            thread: envelope.thread.as_ref().map(ToString::to_string),
        }),
        request: call.request.to_string(),
    }
}

/// One claim off the wire.
///
/// # Errors
/// When a field is missing or malformed.
pub fn claim_from_wire(wire: v1::ClaimCall) -> Result<ClaimCall, Malformed> {
    let envelope = need("envelope", wire.envelope)?;
    Ok(ClaimCall {
        envelope: Arc::new(Envelope {
            v: envelope.v,
            cluster: envelope.cluster.into(),
            job: parse("job", &envelope.job)?,
            digest: digest("digest", &envelope.digest, |digest| digest)?,
            tool: envelope.tool,
            tool_major: envelope.tool_major,
            class: class_from_wire(envelope.class)?,
            effect: effect_from_wire(envelope.effect)?,
            dispatch_seq: DispatchSeq(envelope.dispatch_seq),
            tenant: parse("tenant", &envelope.tenant)?,
            traceparent: envelope.traceparent,
            permit: envelope.permit,
            published_at: envelope.published_at.map(Timestamp),
            queue: envelope.queue.map(Into::into),
            thread: thread(envelope.thread.as_deref())?,
        }),
        request: parse("request", &wire.request)?,
    })
}

/// The answer to a claim onto the wire.
#[must_use]
pub fn claim_answer_to_wire(answer: ClaimAnswer) -> v1::ClaimAnswer {
    use v1::claim_answer::Answer;
    let answer = match answer {
        ClaimAnswer::Granted(grant) => Answer::Granted(grant_to_wire(*grant)),
        ClaimAnswer::Drop(reason) => Answer::Drop(drop_to_wire(reason)),
        ClaimAnswer::Later => Answer::Later(v1::Later {}),
    };
    v1::ClaimAnswer { answer: Some(answer) }
}

/// The answer to a claim off the wire.
///
/// # Errors
/// When a field is missing or malformed.
pub fn claim_answer_from_wire(wire: v1::ClaimAnswer) -> Result<ClaimAnswer, Malformed> {
    use v1::claim_answer::Answer;
    Ok(match need("answer", wire.answer)? {
        Answer::Granted(grant) => ClaimAnswer::Granted(Box::new(grant_from_wire(grant)?)),
        Answer::Drop(reason) => ClaimAnswer::Drop(drop_from_wire(reason)?),
        Answer::Later(v1::Later {}) => ClaimAnswer::Later,
    })
}

fn grant_to_wire(grant: Grant) -> v1::Grant {
    v1::Grant {
        job: grant.job.to_string(),
        digest: grant.digest.to_string(),
        fence: grant.fence.0,
        attempt: grant.attempt,
        tool: grant.tool,
        args: Some(payload_to_wire(grant.args)),
        idempotency_key: grant.idempotency_key.to_string(),
        timeout_ms: grant.timeout_ms,
        lease_ms: grant.lease_ms,
        tenant: grant.tenant.to_string(),
        traceparent: grant.traceparent,
        token: grant.token,
    }
}

fn grant_from_wire(wire: v1::Grant) -> Result<Grant, Malformed> {
    Ok(Grant {
        job: parse("job", &wire.job)?,
        digest: digest("digest", &wire.digest, |digest| digest)?,
        fence: Fence(wire.fence),
        attempt: wire.attempt,
        tool: wire.tool,
        args: payload_from_wire(need("args", wire.args)?)?,
        idempotency_key: digest("idempotency_key", &wire.idempotency_key, IdempotencyKey)?,
        timeout_ms: wire.timeout_ms,
        lease_ms: wire.lease_ms,
        tenant: parse("tenant", &wire.tenant)?,
        traceparent: wire.traceparent,
        token: wire.token,
    })
}

fn thread(wire: Option<&str>) -> Result<Option<ThreadId>, Malformed> {
    wire.map(|thread| parse("thread", thread)).transpose()
}

fn payload_to_wire(payload: Payload) -> v1::Payload {
    use v1::payload::Value;
    let value = match payload {
        Payload::Inline(value) => Value::InlineJson(value.to_string()),
        Payload::Blob(blob) => Value::Blob(blob_to_wire(blob)),
    };
    v1::Payload { value: Some(value) }
}

fn payload_from_wire(wire: v1::Payload) -> Result<Payload, Malformed> {
    use v1::payload::Value;
    Ok(match need("value", wire.value)? {
        Value::InlineJson(text) => Payload::Inline(json("inline_json", &text)?),
        Value::Blob(blob) => Payload::Blob(blob_from_wire(blob)?),
    })
}

/// A blob's place onto the wire.
#[must_use]
pub fn blob_to_wire(blob: BlobRef) -> v1::BlobRef {
    v1::BlobRef { key: blob.key, bytes: blob.bytes, digest: blob.digest.to_string(), media_type: blob.media_type }
}

/// A blob's place off the wire.
///
/// # Errors
/// When its digest is malformed.
pub fn blob_from_wire(wire: v1::BlobRef) -> Result<BlobRef, Malformed> {
    Ok(BlobRef {
        digest: digest("digest", &wire.digest, |digest| digest)?,
        key: wire.key,
        bytes: wire.bytes,
        media_type: wire.media_type,
    })
}

/// A hold onto the wire.
#[must_use]
pub fn hold_to_wire(hold: &Hold) -> v1::Hold {
    v1::Hold {
        job: hold.job.to_string(),
        fence: hold.fence.0,
        token: hold.token.to_string(),
        attempt: hold.attempt,
        thread: hold.thread.as_ref().map(ToString::to_string),
    }
}

/// A hold off the wire.
///
/// # Errors
/// When it is missing or malformed.
pub fn hold_from_wire(wire: Option<v1::Hold>) -> Result<Hold, Malformed> {
    let wire = need("hold", wire)?;
    Ok(Hold {
        attempt: wire.attempt,
        thread: thread(wire.thread.as_deref())?,
        ..Hold::new(parse("job", &wire.job)?, Fence(wire.fence), wire.token)
    })
}

/// The answer to a renewal onto the wire.
#[must_use]
pub fn renew_to_wire(answer: RenewAnswer) -> v1::RenewAnswer {
    use v1::renew_answer::Answer;
    let answer = match answer {
        RenewAnswer::Held(until) => Answer::HeldUntilMs(until.0),
        RenewAnswer::Lost => Answer::Lost(v1::Lost {}),
        RenewAnswer::Cancel => Answer::Stop(v1::Stop {}),
    };
    v1::RenewAnswer { answer: Some(answer) }
}

/// The answer to a renewal off the wire.
///
/// # Errors
/// When it is missing.
pub fn renew_from_wire(wire: v1::RenewAnswer) -> Result<RenewAnswer, Malformed> {
    use v1::renew_answer::Answer;
    Ok(match need("answer", wire.answer)? {
        Answer::HeldUntilMs(until) => RenewAnswer::Held(Timestamp(until)),
        Answer::Lost(v1::Lost {}) => RenewAnswer::Lost,
        Answer::Stop(v1::Stop {}) => RenewAnswer::Cancel,
    })
}

/// An outcome onto the wire.
#[must_use]
pub fn outcome_to_wire(outcome: Outcome) -> v1::Outcome {
    let outcome = match outcome {
        Outcome::Ok(payload) => v1::outcome::Outcome::Ok(payload_to_wire(payload)),
        Outcome::Error(failure) => v1::outcome::Outcome::Error(failure_to_wire(failure, String::new())),
    };
    v1::Outcome { outcome: Some(outcome) }
}

/// An outcome off the wire.
///
/// # Errors
/// When it is missing or malformed.
pub fn outcome_from_wire(wire: Option<v1::Outcome>) -> Result<Outcome, Malformed> {
    Ok(match need("outcome", need("outcome", wire)?.outcome)? {
        v1::outcome::Outcome::Ok(payload) => Outcome::Ok(payload_from_wire(payload)?),
        v1::outcome::Outcome::Error(failure) => Outcome::Error(failure_from_wire(failure)?),
    })
}

/// A failure and its node onto the wire.
#[must_use]
pub fn failure_to_wire(failure: Failure, node: String) -> v1::Failure {
    v1::Failure {
        class: failure.class.name().to_owned(),
        code: failure.code,
        message: failure.message,
        retry_after_ms: failure.retry_after_ms,
        node,
    }
}

/// A failure off the wire.
///
/// # Errors
/// When its class is unknown.
pub fn failure_from_wire(wire: v1::Failure) -> Result<Failure, Malformed> {
    let class = ErrorClass::from_name(&wire.class).ok_or_else(|| Malformed::new("class", "no class of failures"))?;
    Ok(Failure { class, code: wire.code, message: wire.message, retry_after_ms: wire.retry_after_ms })
}

/// An artifact onto the wire.
#[must_use]
pub fn artifact_to_wire(artifact: Artifact) -> v1::RunArtifact {
    v1::RunArtifact { path: artifact.path, blob: Some(blob_to_wire(artifact.blob)) }
}

/// An artifact off the wire.
///
/// # Errors
/// When its blob is missing or malformed.
pub fn artifact_from_wire(wire: v1::RunArtifact) -> Result<Artifact, Malformed> {
    Ok(Artifact { path: wire.path, blob: blob_from_wire(need("blob", wire.blob)?)? })
}

/// A way to a blob onto the wire.
#[must_use]
pub fn way_to_wire(way: Way) -> v1::Way {
    use v1::way::Way as Wire;
    let way = match way {
        Way::There => Wire::There(v1::There {}),
        Way::Direct => Wire::Direct(v1::Direct {}),
        Way::Signed(address) => Wire::SignedUrl(address),
        Way::Through => Wire::Through(v1::Through {}),
    };
    v1::Way { way: Some(way) }
}

/// A way to a blob off the wire. One that is not known here is not taken.
#[must_use]
pub fn way_from_wire(wire: Option<v1::Way>) -> Way {
    use v1::way::Way as Wire;
    match wire.and_then(|wire| wire.way) {
        Some(Wire::There(v1::There {})) => Way::There,
        Some(Wire::Direct(v1::Direct {})) => Way::Direct,
        Some(Wire::SignedUrl(address)) => Way::Signed(address),
        Some(Wire::Through(v1::Through {})) | None => Way::Through,
    }
}

/// What a blob is for, off the wire.
#[must_use]
pub fn place_from_wire(artifact: Option<String>) -> BlobPlace {
    artifact.map_or(BlobPlace::Value, BlobPlace::Artifact)
}

/// What a blob is for, onto the wire.
#[must_use]
pub fn place_to_wire(place: BlobPlace) -> Option<String> {
    match place {
        BlobPlace::Value => None,
        BlobPlace::Artifact(path) => Some(path),
    }
}
