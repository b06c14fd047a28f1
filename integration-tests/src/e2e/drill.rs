//! What is done to the cluster while it works: containers are killed and started again, and each
//! service is restarted under a steady load beside open questions.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::broker::Broker;
use super::judge;
use super::kind::{self, Kind};
use super::load::{Load, Window};
use super::people;
use super::report::Told;
use super::site::Site;
use super::tour::{CPU_WORKERS, answer};
use crate::chaos::api::{Api, Told as Answer};
use crate::chaos::load::is_over;

/// Runs submitted a second while containers are killed.
const KILLS_RATE: u32 = 4;
/// How long a killed container is away: a server so long that somebody scrapes meanwhile.
const AWAY: Duration = Duration::from_secs(3);
const SERVER_AWAY: Duration = Duration::from_secs(8);
/// Where jobs of the class `io` wait.
const QUEUE: &str = "io.normal";
/// Jobs of four seconds that are under way when a worker that computes is killed.
const BUSY: usize = 12;
/// How long a run may take to its end after the last fault: leases of 30 s are among it.
const ENDS: Duration = Duration::from_secs(180);
/// Submits a second while services are restarted.
const RATE: u32 = 50;
/// How long the load goes on before the first and behind each restart.
const CALM: Duration = Duration::from_secs(3);

/// What is killed, one at a time.
pub const VICTIMS: [&str; 5] = ["orchestrator-1", "worker-io", "redis", "worker-cpu", "rabbitmq"];
/// Killed in the full form besides.
pub const MORE_VICTIMS: [&str; 3] = ["orchestrator-2", "redis", "orchestrator-1"];
/// What is restarted, in turn.
pub const SERVICES: [&str; 6] = ["orchestrator-1", "redis", "worker-io", "rabbitmq", "orchestrator-2", "worker-cpu"];
/// Restarted in the full form besides: nothing may depend on them.
pub const MORE_SERVICES: [&str; 3] = ["jaeger", "prometheus", "grafana"];
/// Questions that stay open meanwhile.
pub const QUESTIONS: u64 = 500;

/// Kills one container after the other while runs of all kinds are under way. While no worker takes
/// from the queue of io jobs, the broker loses what waits there, and has what nobody can read.
///
/// # Errors
/// When a container does not come up again, or nobody can be asked.
pub async fn kills(site: &Site<'_>, api: &Api, broker: &Broker, victims: &[&str]) -> anyhow::Result<Told> {
    let mut told = Told::default();
    let over = CancellationToken::new();
    let people = tokio::spawn(people::answer_all(api.clone(), over.clone()));
    let _called_off = over.clone().drop_guard();
    let load = Load::begin(api, "kills", KILLS_RATE, &Kind::MIXED);
    under_way(&load, 2 * KILLS_RATE as usize).await?;
    let mut busy = Vec::new();
    for victim in victims {
        if *victim == "worker-cpu" {
            busy.push(keep_busy(api, busy.len()).await?);
        }
        let from = Instant::now();
        let container = site.kill(victim).await?;
        let server = matches!(*victim, "redis" | "rabbitmq");
        tokio::time::sleep(if server { SERVER_AWAY } else { AWAY }).await;
        if *victim == "worker-io" {
            broker.forgets(QUEUE).await?;
            broker.garbles(QUEUE).await?;
        }
        site.start(&container).await?;
        site.healthy().await.with_context(|| format!("after a kill of {victim}"))?;
        let healthy = from.elapsed();
        // Somebody was served since.
        under_way(&load, load.submitted().len() + KILLS_RATE as usize).await?;
        told.say(format!(
            "killed {victim:<15} healthy after {:>4.1} s  {}",
            healthy.as_secs_f64(),
            window(load.since(from))
        ));
    }
    load.end().await;
    let mut verdict = judge::judge(api, &load, ENDS, true).await?;
    for run in busy {
        let (again, lost) = busy_ended(api, &run).await?;
        verdict.runs += 1;
        verdict.jobs.granted += BUSY;
        verdict.jobs.again += again;
        verdict.lost.extend(lost);
    }
    over.cancel();
    people.await?;
    told.expect(verdict.jobs.again > 0, "no kill met a job");
    told.say(format!(
        "{} runs with {} jobs: {} lost, {} doubled, {} errors; {} submits were repeated, {} jobs granted again",
        verdict.runs,
        verdict.jobs.granted,
        verdict.lost.len(),
        verdict.doubled.len(),
        verdict.errors.len(),
        verdict.repeated,
        verdict.jobs.again,
    ));
    told.violations.extend(verdict.violations());
    Ok(told)
}

/// Gives every processor of the cpu workers something to do: the run.
async fn keep_busy(api: &Api, number: usize) -> anyhow::Result<String> {
    let input = json!({"jobs": (1..=BUSY).collect::<Vec<_>>()});
    let run = api.submitted("tour", &input, &format!("busy-{number}")).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !api.got(&run).await?.nodes.iter().any(|node| node.claimed as usize >= CPU_WORKERS) {
        ensure!(Instant::now() < deadline, "no cpu worker takes a job of {run}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(run)
}

/// Waits for the end of a run that [`keep_busy`] made: jobs granted again, and what is wrong.
async fn busy_ended(api: &Api, run: &str) -> anyhow::Result<(usize, Option<String>)> {
    let deadline = Instant::now() + ENDS;
    loop {
        let seen = api.got(run).await?;
        if is_over(&seen) {
            let wanted = json!({"done": BUSY, "answer": "yes"});
            let output = seen.output_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let lost = (output != Some(wanted)).then(|| format!("{run} gave {output:?}"));
            let jobs = kind::read(Kind::Fan, &api.events(run).await?).map_err(anyhow::Error::msg)?;
            return Ok((jobs.again, lost));
        }
        ensure!(Instant::now() < deadline, "{run} does not end: {:?}", seen.waits);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until so many runs were accepted.
async fn under_way(load: &Load, wanted: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(90);
    while load.submitted().iter().filter(|one| !one.runs.is_empty()).count() < wanted {
        ensure!(Instant::now() < deadline, "no submit is accepted: {:?}", load.errors().1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn window(window: Window) -> String {
    let Window { accepted, gap, slowest } = window;
    format!("{accepted} accepted, longest gap {:.1} s, slowest {:.1} s", gap.as_secs_f64(), slowest.as_secs_f64())
}

/// Restarts each service in turn under a load of `RATE` submits a second.
///
/// # Errors
/// When a service does not come up again, or nobody can be asked.
pub async fn restarts(site: &Site<'_>, api: &Api, services: &[&str]) -> anyhow::Result<Told> {
    let mut told = Told::default();
    let parked = Load::all(api, "parked", Kind::Park, QUESTIONS).await;
    open_questions(api).await?;
    let began = Instant::now();
    let load = Load::begin(api, "restarts", RATE, &[Kind::Hop]);
    tokio::time::sleep(CALM).await;
    told.say(format!("{RATE} submits a second, {QUESTIONS} open questions     {}", window(load.since(began))));
    for service in services {
        let from = Instant::now();
        site.compose(&["restart", service]).await?;
        site.healthy().await.with_context(|| format!("after a restart of {service}"))?;
        let healthy = from.elapsed();
        tokio::time::sleep(CALM).await;
        told.say(format!(
            "restarted {service:<15} healthy after {:>4.1} s  {}",
            healthy.as_secs_f64(),
            window(load.since(from))
        ));
    }
    let all = load.since(began);
    load.end().await;
    let verdict = judge::judge(api, &load, ENDS, false).await?;
    let runs: Vec<String> = parked.submitted().into_iter().filter_map(|one| one.runs.into_iter().next()).collect();
    let answers = runs.iter().map(|run| async move { answer(api, run, "ask", &json!({"text": "yes"})).await });
    let answers: Vec<anyhow::Result<()>> = stream::iter(answers).buffer_unordered(16).collect().await;
    let refused: Vec<String> = answers.into_iter().filter_map(|one| one.err().map(|error| error.to_string())).collect();
    let questions = judge::judge(api, &parked, ENDS, false).await?;
    told.say(format!(
        "{} runs and {} questions: {} lost, {} doubled, {} errors, longest gap {:.1} s; {} submits were repeated",
        verdict.runs,
        questions.runs,
        verdict.lost.len() + questions.lost.len(),
        verdict.doubled.len() + questions.doubled.len(),
        verdict.errors.len() + questions.errors.len() + refused.len(),
        all.gap.as_secs_f64(),
        verdict.repeated,
    ));
    told.violations.extend(verdict.violations().chain(questions.violations()).chain(refused));
    Ok(told)
}

/// Waits until all questions are open.
async fn open_questions(api: &Api) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let open = match api.inbox(0).await {
            Answer::Ok(questions) => questions.len() as u64,
            _ => 0,
        };
        if open >= QUESTIONS {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{open} questions are open and not {QUESTIONS}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
