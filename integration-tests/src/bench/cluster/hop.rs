//! Floor B with its gRPC hop: the recorded transitions once more, but CLAIM and RECORD are
//! asked for by a process of its own, over the service and the client that workers use.
//!
//! It is played by one run at a time: what a lone step costs.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use baton_broker::{Message, Published};
use baton_common::ids::{ClaimRequest, IdempotencyKey, WorkerId};
use baton_common::job::{ClaimAnswer, Envelope, Grant, Outcome, RenewAnswer, ResumeAnswer};
use baton_common::transition::{AdvanceAnswer, ClaimVerdict, Op, RecordVerdict, Reply, SubmitAnswer};
use baton_common::{BlobRef, Digest, Payload, RunId};
use baton_control::grpc::GrpcControlPlane;
use baton_control::{Announcement, Artifact, BlobPlace, ClaimCall, ControlPlane, Error, Hold, Resume, Welcome};
use baton_orchestrator::auth::Auth;
use baton_orchestrator::{Compute, Orchestrator, Parts, Services, Settings, grpc, wiring};
use baton_store::Store;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::tape::Tape;
use super::ground::FloorGround;

/// The first argument of this program as the worker of this floor.
pub const WORKER: &str = "floor-worker";

/// The control plane of the floor: it decides nothing.
struct Plane {
    tape: Arc<Tape>,
    store: Arc<dyn Store>,
    /// The run and the turn under way.
    now: Mutex<Option<(RunId, usize)>>,
    done: Sender<()>,
}

/// The floor, its server and its worker.
pub(super) struct Hop {
    plane: Arc<Plane>,
    broker: Arc<dyn baton_broker::Broker>,
    done: Receiver<()>,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), grpc::Error>>,
    orchestrator: Orchestrator,
    worker: Child,
}

impl Hop {
    /// Starts server and worker.
    ///
    /// # Errors
    /// When one does not start.
    pub(super) async fn start(tape: Arc<Tape>, store: Arc<dyn Store>, ground: &FloorGround) -> anyhow::Result<Self> {
        let (done, hears) = channel(1);
        let plane = Arc::new(Plane { tape, store, now: Mutex::new(None), done });
        let shutdown = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        // Serves callers in form only: nobody calls it.
        let memory = wiring::store("memory:", &Settings::default().timings).await?;
        let parts = Parts {
            store: memory.clone(),
            broker: wiring::broker("memory:")?,
            blobs: wiring::blobs("memory:")?,
            settings: Settings { sweep: false, broker_forgets: true, ..Settings::default() },
            compute: Compute::threads(1)?,
        };
        let orchestrator = Orchestrator::start(parts, shutdown.clone()).await?;
        let services = Services {
            orchestrator: orchestrator.clone(),
            plane: plane.clone(),
            auth: Arc::new(Auth::new(memory, None, false)),
            shutdown: shutdown.clone(),
        };
        let serving = tokio::spawn(grpc::serve(listener, services, Duration::from_millis(100)));
        let queue = plane.tape.turns().first().context("a turn")?.message.queue.clone();
        let worker = tokio::process::Command::new(std::env::current_exe()?)
            .args([WORKER, &ground.broker_url, &address, &queue])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { plane, broker: ground.broker.clone(), done: hears, shutdown, serving, orchestrator, worker })
    }

    /// Plays one run after another until `stop`.
    ///
    /// # Errors
    /// When something is not answered as it should.
    pub(super) async fn play(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let (run, submit) = self.plane.tape.again();
            match self.plane.store.apply(Op::Submit(Box::new(submit))).await? {
                Reply::Submit(SubmitAnswer::Accepted) => {}
                other => bail!("SUBMIT answered {other:?}"),
            }
            for (number, turn) in self.plane.tape.turns().iter().enumerate() {
                if stop.is_cancelled() {
                    return Ok(());
                }
                *self.plane.now.lock() = Some((run, number));
                match self.plane.store.apply(Op::Advance(turn.advance(run).into())).await? {
                    Reply::Advance(AdvanceAnswer::Advanced { .. }) => {}
                    other => bail!("ADVANCE answered {other:?}"),
                }
                let sent = self.broker.publish(vec![envelope(&turn.message, run)?]).await;
                anyhow::ensure!(sent == [Published::Confirmed], "publish answered {sent:?}");
                let done = tokio::time::timeout(Duration::from_secs(30), self.done.recv()).await;
                done.context("the floor's worker does not answer")?.context("nobody works")?;
            }
        }
        Ok(())
    }

    /// Ends server and worker.
    ///
    /// # Errors
    /// When the server failed.
    pub(super) async fn end(mut self) -> anyhow::Result<()> {
        self.worker.kill().await?;
        self.shutdown.cancel();
        self.serving.await??;
        self.orchestrator.stopped().await;
        Ok(())
    }
}

/// The recorded message, for another run.
fn envelope(message: &Message, run: RunId) -> anyhow::Result<Message> {
    let mut envelope: Envelope = serde_json::from_slice(&message.body)?;
    envelope.job.run = run;
    Ok(Message { body: serde_json::to_vec(&envelope)?.into(), ..message.clone() })
}

impl Plane {
    async fn claim_one(&self, call: ClaimCall) -> Result<ClaimAnswer, Error> {
        let refused = |why: &str| Error::Refused(why.to_owned());
        let (run, number) = self.now.lock().ok_or_else(|| refused("no run"))?;
        let Envelope { job, digest, tenant, .. } = Arc::unwrap_or_clone(call.envelope);
        // What was left in the queue when an earlier round ended.
        if job.run != run {
            return Ok(ClaimAnswer::Drop(baton_common::job::DropReason::Unknown));
        }
        let turn = self.tape.turns().get(number).ok_or_else(|| refused("no turn"))?;
        let claimed = self.store.apply(Op::Claim(turn.claim(run))).await;
        let granted = match claimed.map_err(|error| refused(&error.to_string()))? {
            Reply::Claim(ClaimVerdict::Granted(granted)) => granted,
            other => return Err(Error::Refused(format!("CLAIM answered {other:?}"))),
        };
        let args = serde_json::from_str(&granted.body).unwrap_or(Value::Null);
        Ok(ClaimAnswer::Granted(Box::new(Grant {
            idempotency_key: IdempotencyKey::of(&job, digest, &granted.group.tool),
            digest,
            fence: granted.fence,
            attempt: granted.attempt,
            tool: granted.group.tool.clone(),
            args: Payload::Inline(args),
            timeout_ms: granted.group.policy.timeout_ms,
            lease_ms: 30_000,
            tenant,
            traceparent: None,
            token: "t".repeat(64),
            job,
        })))
    }
}

#[async_trait]
impl ControlPlane for Plane {
    async fn claim(&self, _worker: WorkerId, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error> {
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            answers.push(self.claim_one(call).await?);
        }
        Ok(answers)
    }

    async fn resume(&self, resume: Resume) -> Result<ResumeAnswer, Error> {
        let refused = |why: String| Error::Refused(why);
        let (run, number) = self.now.lock().ok_or_else(|| refused("no run".to_owned()))?;
        if resume.hold.job.run != run {
            return Ok(ResumeAnswer::Unknown);
        }
        let turn = self.tape.turns().get(number).ok_or_else(|| refused("no turn".to_owned()))?;
        let recorded = self.store.apply(Op::Record(Box::new(turn.record(run)))).await;
        match recorded.map_err(|error| refused(error.to_string()))? {
            Reply::Record(RecordVerdict::Ok(_)) => {}
            other => return Err(refused(format!("RECORD answered {other:?}"))),
        }
        // The next step begins before this one's worker has its answer, as in the product.
        let _ = self.done.try_send(());
        Ok(ResumeAnswer::Recorded)
    }

    async fn announce(&self, _announcement: Announcement) -> Result<Welcome, Error> {
        Err(Error::Refused("a floor announces nothing".to_owned()))
    }

    async fn renew(&self, _worker: WorkerId, _holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error> {
        Ok(Vec::new())
    }

    async fn give_back(&self, _hold: Hold, _digest: Digest) -> Result<ResumeAnswer, Error> {
        Ok(ResumeAnswer::Unknown)
    }

    async fn emit(&self, _hold: Hold, _body: Value) -> Result<(), Error> {
        Ok(())
    }

    async fn put_blob(&self, _: Hold, _: BlobPlace, _: String, _: Bytes) -> Result<BlobRef, Error> {
        Err(Error::Refused("a floor keeps no blobs".to_owned()))
    }

    async fn get_blob(&self, _hold: Hold, _blob: BlobRef) -> Result<Bytes, Error> {
        Err(Error::Refused("a floor keeps no blobs".to_owned()))
    }

    async fn list_artifacts(&self, _hold: Hold) -> Result<Vec<Artifact>, Error> {
        Ok(Vec::new())
    }
}

/// The worker's half, until its parent ends it: claims, acknowledges, gives back what it was
/// given.
///
/// # Errors
/// When the broker or the floor does not answer.
pub async fn floor_worker(arguments: &[String]) -> anyhow::Result<()> {
    let [broker, control, queue] = arguments else { bail!("broker, control plane and queue") };
    let broker = wiring::broker(broker)?;
    let control = GrpcControlPlane::new(control, None)?;
    let worker = WorkerId::random();
    let mut consumer = broker.consume(std::slice::from_ref(queue), 64).await?;
    loop {
        let delivery = consumer.next().await?;
        let envelope: Envelope = match serde_json::from_slice(delivery.body()) {
            Ok(envelope) => envelope,
            Err(_) => {
                delivery.ack().await?;
                continue;
            }
        };
        let call = ClaimCall { envelope: envelope.into(), request: ClaimRequest::random() };
        let answer = control.claim(worker, vec![call]).await?;
        delivery.ack().await?;
        let Some(ClaimAnswer::Granted(grant)) = answer.into_iter().next() else { continue };
        let Grant { job, fence, token, digest, args, .. } = *grant;
        let _: Digest = digest;
        control
            .resume(Resume { hold: Hold::new(job, fence, token), digest, outcome: Outcome::Ok(args), trace: None })
            .await?;
    }
}
