//! T12: schedules fire every few seconds over three orchestrators, of which one is killed, one
//! stands still and comes back, one has a wrong clock, and then all are gone for a while. Each
//! fire that should be is there once, and no other.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_common::Timestamp;
use baton_proto::v1::runs_client::RunsClient;
use baton_proto::v1::schedules_client::SchedulesClient;
use baton_proto::v1::{
    CreateScheduleRequest, GetRunRequest, GetScheduleRequest, ListRunsRequest, PauseScheduleRequest, Run,
};
use baton_schedule::{Spec, parse_moment, print_moment};
use baton_testbed::Rabbit;
use serde_json::{Value, json};
use tonic::transport::{Channel, Endpoint};

use super::{Given, until};
use crate::chaos::bed::{Bed, BedOptions};
use crate::chaos::report::Report;
use crate::chaos::skew;

const TICK: &str = r#"
baton: 1
graph: chaos-tick
input: { due: string }
output: { due: input.due }
start: rest
nodes:
  rest: { wait: { for: 10ms }, then: end }
"#;

const PATIENCE: Duration = Duration::from_secs(60);

/// The schedules: every fire of theirs is to be made up for.
fn specs() -> [(&'static str, Value); 3] {
    let catch_up = json!({ "policy": "all", "window": "1h", "per_minute": 6000 });
    let with = |mut when: Value, overlap: &str| {
        when["graph"] = "chaos-tick".into();
        when["time_input"] = "due".into();
        when["overlap"] = overlap.into();
        when["catch_up"] = catch_up.clone();
        when
    };
    [
        ("each", with(json!({ "cron": "* * * * * *" }), "allow")),
        ("late", with(json!({ "every": "2s", "jitter": "500ms" }), "allow")),
        ("turns", with(json!({ "cron": "*/3 * * * * *", "zone": "Europe/Berlin" }), "queue")),
    ]
}

pub(super) async fn play(mut given: Given) -> anyhow::Result<(Report, Option<Rabbit>)> {
    let mut report = Report::new("T12 schedules over orchestrators that come and go");
    let options = BedOptions { sabotage: given.sabotage, ..BedOptions::default() };
    let mut bed = Bed::start(&options, given.rabbit.take()).await?;
    bed.direct_api()?.apply(TICK).await?;
    let seen = Seen { places: places(&bed)? };
    for (name, spec) in specs() {
        seen.create(name, &spec).await?;
    }
    let moment = Duration::from_secs(u64::try_from(given.pick(2, 6))?);
    for _ in 0..given.pick(1, 3) {
        disturb(&mut bed, moment).await?;
    }
    // The replicas that were started anew have other addresses.
    let seen = Seen { places: places(&bed)? };
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for (name, spec) in specs() {
        let view = seen.paused(name).await?;
        let calendar = Spec::read(spec).and_then(|spec| spec.calendar()).map_err(anyhow::Error::new)?;
        let fires = calendar.between(at(&view["created_at"])?, at(&view["decided_to"])?);
        wanted.extend(fires.map(|fire| (format!("schedule:{name}:{}", print_moment(fire)), 0)));
        // What had not begun when it was paused is still to come.
        for fire in view["waiting"].as_array().into_iter().flatten() {
            wanted.remove(&format!("schedule:{name}:{}", fire["fire"].as_str().unwrap_or_default()));
        }
        report.expect(view["counts"]["missed"] == 0, format!("I13: {name} missed fires: {}", view["counts"]));
    }
    judge(&seen, wanted, &mut report).await?;
    report.violations.extend(bed.panics());
    Ok((report, Some(bed.into_rabbit())))
}

/// One replica is killed, one stands still and comes back, one has a clock ten minutes ahead;
/// then all are gone.
async fn disturb(bed: &mut Bed, moment: Duration) -> anyhow::Result<()> {
    tokio::time::sleep(moment).await;
    bed.orchestrators[0].process.kill();
    bed.orchestrators[1].process.freeze()?;
    tokio::time::sleep(moment).await;
    let skewed = &mut bed.orchestrators[0].process;
    skew::set(skewed, skew::SECONDS)?;
    skewed.start()?;
    tokio::time::sleep(moment).await;
    bed.orchestrators[1].process.thaw()?;
    tokio::time::sleep(moment).await;
    bed.orchestrators.iter_mut().for_each(|node| node.process.kill());
    // Longer than it takes for a fire to be late.
    tokio::time::sleep(moment * 2).await;
    bed.run_all()?;
    tokio::time::sleep(moment).await;
    Ok(())
}

/// What ran is what should have, each once, and with the time it was for.
async fn judge(seen: &Seen, mut wanted: BTreeMap<String, usize>, report: &mut Report) -> anyhow::Result<()> {
    let runs = seen.runs().await?;
    report.count("fires", wanted.len());
    for run in &runs {
        match wanted.get_mut(&run.request_id) {
            Some(found) => *found += 1,
            None => report.expect(false, format!("I13: {} should not have fired: {}", run.request_id, run.id)),
        }
        let due = run.request_id.rsplit_once("Z").map_or("", |(due, _)| due);
        let told = seen.output(&run.id).await?;
        let nominal = due.splitn(3, ':').nth(2).unwrap_or_default();
        report.expect(told.contains(nominal), format!("I1: {} ended with {told:?}", run.request_id));
    }
    for (fire, found) in &wanted {
        report.expect(*found == 1, format!("I13: {fire} has {found} runs"));
    }
    Ok(())
}

fn at(value: &Value) -> anyhow::Result<Timestamp> {
    parse_moment(value.as_str().unwrap_or_default()).map_err(anyhow::Error::new)
}

fn places(bed: &Bed) -> anyhow::Result<Vec<Channel>> {
    let addresses = bed.orchestrators.iter().filter_map(|node| node.process.address.clone());
    addresses
        .map(|address| Ok(Endpoint::from_shared(address)?.timeout(Duration::from_secs(5)).connect_lazy()))
        .collect()
}

/// A caller of whichever orchestrator answers.
struct Seen {
    places: Vec<Channel>,
}

/// Asks one place after the other until one answers.
macro_rules! ask {
    ($self:ident, $client:ident, $call:ident, $request:expr) => {{
        let mut place = 0;
        let asked = until(stringify!($call), PATIENCE, || {
            place += 1;
            let mut client = $client::new($self.places[place % $self.places.len()].clone());
            let request = $request;
            async move {
                match client.$call(request).await {
                    Ok(answer) => Ok(Some(answer.into_inner())),
                    Err(status) => match status.code() {
                        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Ok(None),
                        _ => bail!("{status}"),
                    },
                }
            }
        });
        asked.await?
    }};
}

impl Seen {
    async fn create(&self, name: &str, spec: &Value) -> anyhow::Result<()> {
        let request = CreateScheduleRequest { schedule: name.to_owned(), spec_json: spec.to_string() };
        ask!(self, SchedulesClient, create, request.clone());
        Ok(())
    }

    /// Pauses a schedule once it has made up for all, and shows it when nothing waits.
    async fn paused(&self, name: &str) -> anyhow::Result<Value> {
        let settled = || async {
            let view = self.view(name).await?;
            Ok(view["ranges"].as_array().is_some_and(Vec::is_empty).then_some(()))
        };
        until("what is made up for", PATIENCE, settled).await?;
        let request = PauseScheduleRequest { schedule: name.to_owned(), note: String::new() };
        ask!(self, SchedulesClient, pause, request.clone());
        let calm = || async {
            // What had not begun waits for the end of the pause: it is not among the runs.
            let view = self.view(name).await?;
            let begun = view["waiting"].as_array().into_iter().flatten().any(|fire| fire["begun"] == true);
            Ok((!begun).then_some(view))
        };
        until("an end to what began", PATIENCE, calm).await
    }

    async fn view(&self, name: &str) -> anyhow::Result<Value> {
        let request = GetScheduleRequest { schedule: name.to_owned(), next: 1 };
        let schedule = ask!(self, SchedulesClient, get, request.clone()).schedule.context("a schedule")?;
        Ok(serde_json::from_str(&schedule.view_json)?)
    }

    /// What a list leaves out.
    async fn output(&self, run: &str) -> anyhow::Result<String> {
        let request = GetRunRequest { run_id: run.to_owned() };
        let run = ask!(self, RunsClient, get, request.clone()).run.context("a run")?;
        Ok(run.output_json.unwrap_or_default())
    }

    /// All runs, once they are over.
    async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        let over = || async {
            let request = ListRunsRequest { page_size: 500, ..ListRunsRequest::default() };
            let page = ask!(self, RunsClient, list, request.clone());
            Ok(page.runs.iter().all(|run| run.ended_at_ms.is_some()).then_some(page.runs))
        };
        until("the end of every run", PATIENCE, over).await
    }
}
