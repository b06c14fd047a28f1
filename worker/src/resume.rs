//! Offering outcomes until a final answer comes: at first from the job's own slot, then
//! from the spool, one after another, so that an outage costs disk and not memory.

use std::sync::Arc;
use std::time::Duration;

use baton_common::Digest;
use baton_common::job::ResumeAnswer;
use baton_control::{Error, Hold, Resume};
use baton_telemetry::about::Carry as _;
use baton_telemetry::names;
use baton_telemetry::trace::{Kind, Span};

use crate::backoff::Backoff;
use crate::fail::{self, Passed};
use crate::held;
use crate::outcome;
use crate::status::Status;
use crate::worker::Shared;

/// Offers an outcome; returns once it is final or lies in the spool. A spool that is full
/// or broken keeps the job, and with it its slot, here.
pub(crate) async fn deliver(shared: &Arc<Shared>, mut resume: Resume) {
    let settings = &shared.settings;
    let mut span = Span::child(names::SPAN_RESUME, Kind::Client, resume.trace).with(|span| {
        span.set(names::RPC_METHOD, names::SPAN_RECORD).set(names::JOB_ID, resume.hold.job.to_string());
    });
    resume.trace = span.context().or(resume.trace);
    let mut backoff = Backoff::new(&shared.dice, settings.backoff_ms, settings.backoff_ms_max);
    let mut tries = 0;
    loop {
        match offer(shared, &resume).await {
            Ok(()) => return,
            Err(error) => shared.reach.down(&error),
        }
        tries += 1;
        if tries >= settings.resume_tries {
            match shared.spool.put(&resume).await {
                Ok(()) => {
                    span.say(|span| {
                        span.set(names::OUTCOME, "spooled");
                    });
                    tracing::debug!("result spooled");
                    Status::add(&shared.status.spooled);
                    shared.spooled.notify_one();
                    return;
                }
                Err(error) if tries == settings.resume_tries => {
                    tracing::error!(%error, "result not spooled");
                }
                Err(_) => {}
            }
        }
        backoff.pause().await;
    }
}

/// Gives a job back that this worker will not finish. Where nobody takes it, its lease runs out.
pub(crate) async fn give_back(shared: &Shared, hold: &Hold, digest: Digest) {
    let settings = &shared.settings;
    let mut backoff = Backoff::new(&shared.dice, settings.backoff_ms, settings.backoff_ms_max);
    let limit = Duration::from_millis(settings.call_timeout_ms);
    for _ in 0..settings.resume_tries.max(1) {
        match tokio::time::timeout(limit, shared.control.give_back(hold.clone(), digest)).await {
            Ok(Ok(answer)) => {
                tracing::info!(fence = hold.fence.0, ?answer, "job given back");
                return;
            }
            Ok(Err(Error::Refused(reason))) => {
                tracing::error!(fence = hold.fence.0, reason, "job not taken back");
                return;
            }
            Ok(Err(Error::Unavailable(_))) | Err(_) => backoff.pause().await,
        }
    }
    tracing::warn!(fence = hold.fence.0, "job left to its lease");
}

/// The spool is looked at this often even when nobody says that it holds something: it may
/// have failed to be read, or another process may have left something.
const LOOK_MS: u64 = 30_000;

/// Offers what lies in the spool, of earlier processes too, for as long as it is polled.
pub(crate) async fn offer_spooled(shared: Arc<Shared>) {
    let settings = &shared.settings;
    let mut backoff = Backoff::new(&shared.dice, settings.backoff_ms, settings.backoff_ms_max);
    loop {
        let keys = shared.spool.keys().await;
        if keys.is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(LOOK_MS), shared.spooled.notified()).await;
            continue;
        }
        for key in keys {
            shared.reach.wait_up().await;
            let Some(resume) = shared.spool.get(&key).await else {
                backoff.pause().await;
                continue;
            };
            let about = held::about(&resume.hold, resume.trace);
            match offer(&shared, &resume).about(about).await {
                Ok(()) => {
                    shared.spool.remove(&key).await;
                    backoff.reset();
                }
                Err(error) => {
                    shared.reach.down(&error);
                    backoff.pause().await;
                }
            }
        }
    }
}

/// One offer; `Ok` when nothing more is to be done about it.
async fn offer(shared: &Shared, resume: &Resume) -> Result<(), Error> {
    let before = fail::point("before_resume").await;
    if before == Passed::Error {
        return Err(Error::Unavailable("told to fail before the resume".to_owned()));
    }
    if before == Passed::Dup {
        let _ = offer_once(shared, resume).await;
    }
    let answer = offer_once(shared, resume).await;
    if fail::point("after_resume").await == Passed::Error {
        return Err(Error::Unavailable("told to fail after the resume".to_owned()));
    }
    match answer {
        Ok(answer) => {
            shared.reach.up();
            tracing::debug!(fence = resume.hold.fence.0, ?answer, "outcome final");
        }
        Err(Error::Refused(reason)) => {
            // The token is not, or no longer, good: nobody will ever take this outcome.
            tracing::error!(fence = resume.hold.fence.0, reason, "outcome refused");
        }
        Err(error @ Error::Unavailable(_)) => return Err(error),
    }
    Status::add(&shared.status.resumed);
    shared.held.remove(&resume.hold);
    Ok(())
}

async fn offer_once(shared: &Shared, resume: &Resume) -> Result<ResumeAnswer, Error> {
    let outcome = outcome::travelling(shared, &resume.hold, &resume.outcome).await?;
    let resume = Resume { outcome, hold: resume.hold.clone(), digest: resume.digest, trace: resume.trace };
    let limit = Duration::from_millis(shared.settings.call_timeout_ms);
    let late = |_| Error::Unavailable("no answer to a resume".to_owned());
    tokio::time::timeout(limit, shared.control.resume(resume)).await.map_err(late)?
}
