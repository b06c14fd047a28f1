//! The tour of `deploy/README.md`, done as its reader does it: through the `cli` image, over gRPC
//! from outside, with more workers of a class; and the trace of a run, looked at where it arrived.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use baton_proto::v1::Run;
use serde_json::{Value, json};

use super::kind::Kind;
use super::report::Told;
use super::site::Site;
use super::spans;
use crate::chaos::api::{Api, Told as Answer};
use crate::chaos::load::is_over;

const QUESTION: &str = "How long may a ferry wait for late passengers, and who decides?";
/// How long a run of the tour may take to its question, and from there to its end.
const WITHIN: Duration = Duration::from_secs(180);
/// How many workers of the class `cpu` there are in the end.
pub const CPU_WORKERS: usize = 4;

/// Does it.
///
/// # Errors
/// When a step fails.
pub async fn tour(site: &Site<'_>, api: &Api, root: &std::path::Path, jobs: usize) -> anyhow::Result<Told> {
    let mut told = Told::default();
    site.baton(&["health"]).await?;
    site.baton(&["graph", "apply", "examples/digest.yaml"]).await?;
    let input = json!({"folder": "/srv/documents", "question": QUESTION});
    site.baton(&["submit", "digest", "--request-id", "first", "--input", &input.to_string()]).await?;
    // The same request id names the same run, whoever says it.
    let run = api.submitted("digest", &input, "first").await?;
    asking(api, &run).await?;
    site.baton(&["answer", &run, "--approve"]).await?;
    let ended = over(api, &run).await?;
    let report = output(&ended)["report"].as_str().unwrap_or_default().to_owned();
    told.expect(report.contains(".pdf"), format!("the digest cites no document: {:?} {report:?}", ended.status()));
    told.say(format!("the digest was asked for by the cli image and cites its documents ({} bytes)", report.len()));

    api.apply(&std::fs::read_to_string(root.join("deploy/tour.yaml"))?).await?;
    let scale = format!("worker-cpu={CPU_WORKERS}");
    site.compose(&["up", "--detach", "--no-build", "--scale", &scale]).await?;
    site.healthy().await?;
    let began = Instant::now();
    while api.workers().await? < CPU_WORKERS + 1 {
        ensure!(began.elapsed() < Duration::from_secs(60), "{CPU_WORKERS} cpu workers do not announce themselves");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let run = api.submitted("tour", &json!({"jobs": (1..=jobs).collect::<Vec<_>>()}), "tour").await?;
    asking(api, &run).await?;
    answer(api, &run, "ask", &json!({"text": "enough"})).await?;
    let ended = over(api, &run).await?;
    let wanted = json!({"done": jobs, "answer": "enough"});
    told.expect(output(&ended) == wanted, format!("the tour gave {} and not {wanted}", output(&ended)));
    let input = json!({"folder": "/srv/documents", "question": "May I take a dog?"});
    let again = api.submitted("digest", &input, "second").await?;
    asking(api, &again).await?;
    answer(api, &again, "approve", &json!({"action": "approve"})).await?;
    over(api, &again).await?;
    told.say(format!("{CPU_WORKERS} cpu workers did the tour's {jobs} jobs, over gRPC from outside"));
    Ok(told)
}

/// Submits a run with a job, a question and a job, and looks for its trace at the receiver.
///
/// # Errors
/// When the run does not end, or the receiver's log cannot be read.
pub async fn trace(site: &Site<'_>, api: &Api) -> anyhow::Result<Told> {
    let run = api.submitted(Kind::Ask.graph(), &Kind::Ask.input(0), "traced").await?;
    asking(api, &run).await?;
    answer(api, &run, "ask", &json!({"text": "yes"})).await?;
    over(api, &run).await?;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let all = spans::read(&site.printed("jaeger").await?);
        let missing = spans::missing(&all, &run);
        if missing.is_empty() || Instant::now() > deadline {
            let own = spans::of_run(&all, &run);
            let mut names: Vec<&str> = own.iter().map(|span| span.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            let traces: std::collections::BTreeSet<&str> = own.iter().map(|span| span.trace.as_str()).collect();
            let mut told = Told::default();
            told.say(format!("{} spans in {} traces: {}", own.len(), traces.len(), names.join(", ")));
            told.violations = missing.into_iter().map(|one| format!("the trace of {run}: {one}")).collect();
            return Ok(told);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn asking(api: &Api, run: &str) -> anyhow::Result<()> {
    until(api, run, |run| !run.interrupts.is_empty()).await.map(drop)
}

async fn over(api: &Api, run: &str) -> anyhow::Result<Run> {
    until(api, run, is_over).await
}

async fn until(api: &Api, run: &str, holds: impl Fn(&Run) -> bool) -> anyhow::Result<Run> {
    let deadline = Instant::now() + WITHIN;
    loop {
        let seen = api.got(run).await?;
        if holds(&seen) {
            return Ok(seen);
        }
        let failure = seen.failure.as_ref().map(|failure| &failure.message);
        ensure!(!is_over(&seen), "{} {run} is {:?}: {failure:?}", seen.graph, seen.status());
        ensure!(Instant::now() < deadline, "{} {run} is {:?}: {:?}", seen.graph, seen.status(), seen.waits);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Says it until somebody heard it.
pub(super) async fn answer(api: &Api, run: &str, node: &str, decision: &Value) -> anyhow::Result<()> {
    let deadline = Instant::now() + WITHIN;
    for place in 0.. {
        match api.answer(place, run, node, decision).await {
            Answer::Ok(_) => break,
            Answer::Refused { code, cause } => anyhow::bail!("{run}: {code}: {cause}"),
            Answer::Unknown => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        ensure!(Instant::now() < deadline, "nobody takes the answer to {run}");
    }
    Ok(())
}

fn output(run: &Run) -> Value {
    let parsed = run.output_json.as_deref().context("no output").and_then(|text| Ok(serde_json::from_str(text)?));
    parsed.unwrap_or(Value::Null)
}
