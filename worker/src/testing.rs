//! For the unit tests of the worker's loop: a control plane in memory that follows the
//! rules of claim, renew and resume and can be told to fail. Real ones are tested elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use baton_broker::memory::Memory;
use baton_broker::{Broker as _, Message};
use baton_common::ids::{ClaimRequest, DispatchSeq, IdempotencyKey};
use baton_common::job::{ClaimAnswer, DropReason, Envelope, Grant, Outcome, RenewAnswer, ResumeAnswer};
use baton_common::tool::{Effect, QueueClass};
use baton_common::{BlobRef, Digest, Fence, JobId, Payload, TenantId, Timestamp, WorkerId};
use baton_control::{Announcement, Artifact, BlobPlace, ClaimCall, ControlPlane, Error, Hold, Resume, Welcome};
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{CpuPool, MemorySpool, Parts, Renewal, Settings, Status, Worker, worker};

pub(crate) const LEASE_MS: u64 = 3_000;

/// One job of the fake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    args: Value,
    timeout_ms: u64,
    fence: u64,
    request: Option<ClaimRequest>,
    pub(crate) renewed: Option<Instant>,
    pub(crate) outcome: Option<Outcome>,
}

/// What it is told to do, and what it saw.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) jobs: BTreeMap<JobId, Row>,
    pub(crate) silent: bool,
    pub(crate) claims_silent: bool,
    pub(crate) refusals: usize,
    pub(crate) resumes_silent: bool,
    pub(crate) lost_claim_replies: usize,
    pub(crate) lost_resume_replies: usize,
    pub(crate) later: usize,
    pub(crate) lost: BTreeSet<JobId>,
    pub(crate) cancelled: BTreeSet<JobId>,
    pub(crate) claims: Vec<ClaimCall>,
    pub(crate) resumes: Vec<Resume>,
    pub(crate) returned: Vec<Hold>,
    pub(crate) blobs: BTreeMap<String, Bytes>,
    pub(crate) longest_without_renewal: Duration,
    pub(crate) announced: Vec<Announcement>,
    pub(crate) log: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<Book>>);

impl Fake {
    pub(crate) fn book(&self) -> parking_lot::MutexGuard<'_, Book> {
        self.0.lock()
    }

    fn awake(&self) -> Result<parking_lot::MutexGuard<'_, Book>, Error> {
        let book = self.0.lock();
        if book.silent { Err(Error::Unavailable("told to be silent".to_owned())) } else { Ok(book) }
    }
}

fn grant(job: &JobId, row: &Row, traceparent: Option<String>) -> ClaimAnswer {
    ClaimAnswer::Granted(Box::new(Grant {
        job: job.clone(),
        digest: Digest::default(),
        fence: Fence(row.fence),
        attempt: u32::try_from(row.fence).unwrap(),
        tool: tool_of(job),
        args: Payload::Inline(row.args.clone()),
        idempotency_key: IdempotencyKey::of(job, Digest::default(), "t"),
        timeout_ms: row.timeout_ms,
        lease_ms: LEASE_MS,
        tenant: TenantId::local(),
        traceparent,
        token: format!("token-{}", row.fence),
    }))
}

/// A job with these arguments.
pub(crate) fn row(args: Value) -> Row {
    Row { args, timeout_ms: 3_600_000, ..Row::default() }
}

/// The node of a job of these tests is its tool's name with `_` for the dot.
fn tool_of(job: &JobId) -> String {
    job.group.node.as_str().replace('_', ".")
}

#[async_trait]
impl ControlPlane for Fake {
    async fn announce(&self, announcement: Announcement) -> Result<Welcome, Error> {
        self.awake()?.announced.push(announcement);
        Ok(Welcome { cluster: "test".to_owned(), lease_ms: LEASE_MS, announce_ms: 1_000 })
    }

    async fn claim(&self, _: WorkerId, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error> {
        let mut book = self.awake()?;
        if book.claims_silent {
            return Err(Error::Unavailable("told to be silent".to_owned()));
        }
        if book.refusals > 0 {
            book.refusals -= 1;
            return Err(Error::Refused("told to refuse".to_owned()));
        }
        let mut answers = Vec::new();
        for call in &calls {
            book.claims.push(call.clone());
            if book.later > 0 {
                book.later -= 1;
                answers.push(ClaimAnswer::Later);
                continue;
            }
            let job = &call.envelope.job;
            let Some(row) = book.jobs.get_mut(job) else {
                answers.push(ClaimAnswer::Drop(DropReason::Unknown));
                continue;
            };
            answers.push(if row.outcome.is_some() {
                ClaimAnswer::Drop(DropReason::Done)
            } else if row.request.is_some_and(|request| request != call.request) {
                ClaimAnswer::Drop(DropReason::Busy)
            } else {
                if row.request.is_none() {
                    row.fence += 1;
                    row.request = Some(call.request);
                    row.renewed = Some(Instant::now());
                }
                grant(job, row, call.envelope.traceparent.clone())
            });
            let fence = book.jobs[job].fence;
            book.log.push(format!("claim {job} {fence} {:?}", call.request));
        }
        if book.lost_claim_replies > 0 {
            book.lost_claim_replies -= 1;
            return Err(Error::Unavailable("the reply was lost".to_owned()));
        }
        Ok(answers)
    }

    async fn renew(&self, _: WorkerId, holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error> {
        let mut book = self.awake()?;
        let mut answers = Vec::new();
        for hold in holds {
            answers.push(if book.lost.contains(&hold.job) {
                RenewAnswer::Lost
            } else if book.cancelled.contains(&hold.job) {
                RenewAnswer::Cancel
            } else {
                let row = book.jobs.get_mut(&hold.job).unwrap();
                let gap = row.renewed.replace(Instant::now()).map_or(Duration::ZERO, |at| at.elapsed());
                book.longest_without_renewal = book.longest_without_renewal.max(gap);
                RenewAnswer::Held(Timestamp(0))
            });
        }
        Ok(answers)
    }

    async fn resume(&self, resume: Resume) -> Result<ResumeAnswer, Error> {
        let mut book = self.awake()?;
        if book.resumes_silent {
            return Err(Error::Unavailable("told to be silent".to_owned()));
        }
        book.resumes.push(resume.clone());
        let line = format!("resume {} {}", resume.hold.job, resume.hold.fence.0);
        book.log.push(line);
        let row = book.jobs.get_mut(&resume.hold.job).unwrap();
        let answer = match row.outcome {
            Some(_) => ResumeAnswer::Duplicate,
            None => {
                row.outcome = Some(resume.outcome);
                ResumeAnswer::Recorded
            }
        };
        if book.lost_resume_replies > 0 {
            book.lost_resume_replies -= 1;
            return Err(Error::Unavailable("the reply was lost".to_owned()));
        }
        Ok(answer)
    }

    async fn give_back(&self, hold: Hold, _: Digest) -> Result<ResumeAnswer, Error> {
        let mut book = self.awake()?;
        book.returned.push(hold);
        if book.lost_resume_replies > 0 {
            book.lost_resume_replies -= 1;
            return Err(Error::Unavailable("the reply was lost".to_owned()));
        }
        Ok(ResumeAnswer::Retry)
    }

    async fn emit(&self, _: Hold, _: Value) -> Result<(), Error> {
        Ok(())
    }

    async fn put_blob(&self, _: Hold, _: BlobPlace, media_type: String, bytes: Bytes) -> Result<BlobRef, Error> {
        let digest = Digest::of(&bytes);
        let blob = BlobRef { key: digest.to_string(), bytes: bytes.len() as u64, digest, media_type };
        self.awake()?.blobs.insert(blob.key.clone(), bytes);
        Ok(blob)
    }

    async fn get_blob(&self, _: Hold, blob: BlobRef) -> Result<Bytes, Error> {
        let gone = || Error::Refused("no such blob".to_owned());
        self.awake()?.blobs.get(&blob.key).cloned().ok_or_else(gone)
    }

    async fn list_artifacts(&self, _: Hold) -> Result<Vec<Artifact>, Error> {
        Ok(Vec::new())
    }
}

/// A broker, the fake and settings for workers between them.
pub(crate) struct Bench {
    pub(crate) broker: Memory,
    pub(crate) control: Fake,
    pub(crate) spool: Arc<MemorySpool>,
    pub(crate) settings: Settings,
    pub(crate) cpu: CpuPool,
    pub(crate) renewal: Renewal,
    pub(crate) status: Arc<Status>,
    pub(crate) shutdown: CancellationToken,
}

impl Bench {
    pub(crate) fn new(class: QueueClass) -> Self {
        let settings = Settings { slots: 4, ..Settings::new(class) };
        Self {
            broker: Memory::default(),
            control: Fake::default(),
            spool: Arc::default(),
            settings,
            cpu: CpuPool::Inline,
            renewal: Renewal::Task,
            status: Arc::default(),
            shutdown: CancellationToken::new(),
        }
    }

    pub(crate) fn parts(&self) -> Parts {
        Parts {
            id: WorkerId(7),
            place: "here:1".to_owned(),
            broker: Arc::new(self.broker.clone()),
            control: Arc::new(self.control.clone()),
            blobs: None,
            catalogue: Arc::new(baton_tools::Catalogue::new(crate::tests::tools::all()).unwrap()),
            spool: self.spool.clone(),
            cpu: self.cpu.clone(),
            renewal: self.renewal.clone(),
            seed: 11,
            settings: self.settings.clone(),
            status: self.status.clone(),
        }
    }

    pub(crate) fn start(&self) -> JoinHandle<Result<(), worker::Error>> {
        tokio::spawn(Worker::run(self.parts(), self.shutdown.clone()))
    }

    pub(crate) fn queue(&self) -> String {
        format!("{}.normal", self.settings.class.name())
    }

    /// Adds a job of that tool and publishes its hint.
    pub(crate) async fn submit(&self, index: u32, tool: &str, args: Value) -> JobId {
        self.submit_within(index, tool, args, 3_600_000).await
    }

    pub(crate) async fn submit_within(&self, index: u32, tool: &str, args: Value, timeout_ms: u64) -> JobId {
        let job: JobId = job(tool, index);
        self.control.book().jobs.insert(job.clone(), Row { args, timeout_ms, ..Row::default() });
        self.publish(&self.envelope(&job)).await;
        job
    }

    pub(crate) fn envelope(&self, job: &JobId) -> Envelope {
        Envelope {
            thread: None,
            v: 1,
            cluster: "test".into(),
            job: job.clone(),
            digest: Digest::default(),
            tool: tool_of(job),
            tool_major: 1,
            class: self.settings.class,
            effect: Effect::Idempotent,
            dispatch_seq: DispatchSeq(1),
            tenant: TenantId::local(),
            traceparent: None,
            permit: None,
            published_at: None,
            queue: None,
        }
    }

    pub(crate) async fn publish(&self, envelope: &Envelope) {
        self.publish_bytes(serde_json::to_vec(envelope).unwrap()).await;
    }

    pub(crate) async fn publish_bytes(&self, body: Vec<u8>) {
        self.broker
            .publish(vec![Message {
                queue: self.queue().into(),
                id: "id".to_owned(),
                body: body.into(),
                traceparent: None,
            }])
            .await;
    }

    pub(crate) async fn waiting(&self) -> u64 {
        self.broker.depth(&self.queue()).await.unwrap().unwrap().ready
    }

    /// Polls until it holds; fails after ten virtual (or real) minutes.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Book) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(600);
        while !holds(&self.control.book()) {
            assert!(Instant::now() < give_up, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn until_done(&self) {
        self.until("every job is done", |book| book.jobs.values().all(|row| row.outcome.is_some())).await;
    }

    pub(crate) fn outcome(&self, job: &JobId) -> Option<Outcome> {
        self.control.book().jobs[job].outcome.clone()
    }

    /// The code of the failure a job ended with.
    pub(crate) fn code(&self, job: &JobId) -> String {
        match self.outcome(job) {
            Some(Outcome::Error(failure)) => failure.code,
            other => panic!("{job} has not failed: {other:?}"),
        }
    }
}

pub(crate) fn job(tool: &str, index: u32) -> JobId {
    let node = tool.replace('.', "_");
    format!("003-6f2c1d1e-0b5b-4a52-9d0e-7a5b9a3f2c11/0/{node}#1/{index}").parse().unwrap()
}
