//! `baton schedules`: make, edit, look at, pause, run, fill in, remove.

use baton_proto::v1;
use baton_schedule::{parse_moment, print_moment};
use serde_json::{Map, Value, json};

use super::json_or_file;
use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::output::table;
use crate::paint::{Paint, plain};
use crate::schedule_args::{BackfillArgs, SchedulesCommand, SpecArgs};
use crate::setup::Setup;

pub(super) async fn schedules(command: &SchedulesCommand, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let answered = match command {
        SchedulesCommand::List => return list(setup).await,
        SchedulesCommand::Preview { spec, next } => return preview(spec, *next, setup).await,
        SchedulesCommand::Delete { name } => return delete(name, setup).await,
        SchedulesCommand::Create { name, spec } => {
            let request = v1::CreateScheduleRequest { schedule: name.clone(), spec_json: spec_of(spec)? };
            call!(client, schedules, create, request)?
        }
        SchedulesCommand::Update { name, spec, version } => {
            let (schedule, version) = (name.clone(), version.unwrap_or(0));
            let request = v1::UpdateScheduleRequest { schedule, spec_json: spec_of(spec)?, version };
            call!(client, schedules, update, request)?
        }
        SchedulesCommand::Get { name, next } => {
            call!(client, schedules, get, v1::GetScheduleRequest { schedule: name.clone(), next: *next })?
        }
        SchedulesCommand::Pause { name, note } => {
            let request = v1::PauseScheduleRequest { schedule: name.clone(), note: note.clone() };
            call!(client, schedules, pause, request)?
        }
        SchedulesCommand::Resume { name } => {
            call!(client, schedules, resume, v1::ResumeScheduleRequest { schedule: name.clone() })?
        }
        SchedulesCommand::Run { name, request_id, overlap } => {
            let (request, overlap) = (named(request_id.as_ref()), overlap.clone().unwrap_or_default());
            call!(client, schedules, run, v1::RunScheduleRequest { schedule: name.clone(), request, overlap })?
        }
        SchedulesCommand::Backfill(args) => call!(client, schedules, backfill, backfill(args)?)?,
    };
    let shown = view(&answered.schedule.unwrap_or_default());
    setup.output.result(&shown, |paint| text(&shown, paint));
    Ok(Exit::Succeeded)
}

fn backfill(args: &BackfillArgs) -> Result<v1::BackfillScheduleRequest, Failed> {
    let moment =
        |text: &str| parse_moment(text).map_err(|error| Failed::usage("invalid_schedule", &error.cause, &error.cure));
    Ok(v1::BackfillScheduleRequest {
        schedule: args.name.clone(),
        request: named(args.request_id.as_ref()),
        from_ms: moment(&args.from)?.0,
        until_ms: moment(&args.until)?.0,
        overlap: args.overlap.clone().unwrap_or_default(),
        per_minute: args.per_minute,
        again: args.again,
    })
}

/// The caller's name for what is asked, or one that nobody else has.
fn named(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| uuid::Uuid::now_v7().simple().to_string())
}

async fn list(setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let schedules = call!(client, schedules, list, v1::ListSchedulesRequest {})?.schedules;
    let views: Vec<Value> = schedules.iter().map(view).collect();
    setup.output.result(&json!({ "schedules": views }), |paint| {
        let rows: Vec<Vec<String>> = views.iter().map(row).collect();
        if rows.is_empty() {
            return "no schedules".to_owned();
        }
        table(paint, &["SCHEDULE", "GRAPH", "WHEN", "NEXT", "STARTED", "MISSED", "SKIPPED"], &rows)
    });
    Ok(Exit::Succeeded)
}

fn row(view: &Value) -> Vec<String> {
    let (spec, counts) = (&view["spec"], &view["counts"]);
    let next = if view["paused"].is_null() { word(&view["next"][0]) } else { "paused".to_owned() };
    let count = |name: &str| counts[name].to_string();
    let cells = [word(&view["name"]), word(&spec["graph"]), when(spec), next];
    cells.into_iter().chain(["started", "missed", "skipped"].map(count)).collect()
}

async fn preview(spec: &SpecArgs, next: u32, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::PreviewScheduleRequest { spec_json: spec_of(spec)?, next };
    let fires = call!(client, schedules, preview, request)?.next_ms;
    let fires: Vec<String> = fires.into_iter().map(|at| print_moment(baton_common::Timestamp(at))).collect();
    setup.output.result(&json!({ "next": fires }), |_| fires.join("\n"));
    Ok(Exit::Succeeded)
}

async fn delete(name: &str, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    let request = v1::DeleteScheduleRequest { schedule: name.to_owned() };
    if !call!(client, schedules, delete, request)?.deleted {
        let cause = format!("there is no schedule {name}");
        return Err(Failed::new(Exit::NotFound, "schedule_not_found", cause, "look with `baton schedules list`"));
    }
    setup
        .output
        .result(&json!({ "name": name, "deleted": true }), |paint| format!("{} {name} is gone", paint.green("✓")));
    Ok(Exit::Succeeded)
}

/// What the file says, and the flags over it.
fn spec_of(args: &SpecArgs) -> Result<String, Failed> {
    let mut spec = match &args.file {
        None => Map::new(),
        Some(path) => {
            let cure = "name a YAML file with a schedule: see docs/schedules.md";
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failed::usage("file_unreadable", format!("{} cannot be read: {error}", path.display()), cure)
            })?;
            serde_saphyr::from_str(&text).map_err(|error| {
                Failed::usage("invalid_schedule", format!("{} is no schedule: {error}", path.display()), cure)
            })?
        }
    };
    if let Some(input) = &args.input {
        let value = serde_json::from_str(&json_or_file("--input", input)?).unwrap_or_default();
        spec.insert("input".to_owned(), value);
    }
    let texts = [
        ("graph", &args.graph),
        ("cron", &args.cron),
        ("every", &args.every),
        ("anchor", &args.anchor),
        ("zone", &args.zone),
        ("start", &args.start),
        ("end", &args.end),
        ("jitter", &args.jitter),
        ("overlap", &args.overlap),
        ("thread", &args.thread),
        ("time_input", &args.time_input),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            spec.insert(name.to_owned(), text.as_str().into());
        }
    }
    let per_minute = args.per_minute.map(Value::from);
    let policy = [("policy", args.catch_up.clone().map(Value::from)), ("window", args.window.clone().map(Value::from))];
    for (name, value) in policy.into_iter().chain([("per_minute", per_minute)]) {
        let catch_up = spec.entry("catch_up").or_insert_with(|| json!({}));
        if let (Some(value), Some(catch_up)) = (value, catch_up.as_object_mut()) {
            catch_up.insert(name.to_owned(), value);
        }
    }
    Ok(Value::Object(spec).to_string())
}

fn view(schedule: &v1::Schedule) -> Value {
    serde_json::from_str(&schedule.view_json).unwrap_or_default()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| "–".to_owned(), plain)
}

fn when(spec: &Value) -> String {
    match (spec["cron"].as_str(), spec["every"].as_str()) {
        (Some(cron), _) => format!("{} {}", plain(cron), spec["zone"].as_str().map_or_else(|| "UTC".to_owned(), plain)),
        (None, Some(every)) => format!("every {}", plain(every)),
        _ => "–".to_owned(),
    }
}

fn text(view: &Value, paint: Paint) -> String {
    let spec = &view["spec"];
    let mut lines = vec![format!("{}  {}  {}", word(&view["name"]), word(&spec["graph"]), when(spec))];
    if let Some(paused) = view["paused"].as_object() {
        let note = paused.get("note").map(word).unwrap_or_default();
        lines.push(format!("{} {note}", paint.dim("paused")));
    }
    let items = |name: &str| view[name].as_array().cloned().unwrap_or_default();
    lines.extend(items("next").iter().map(|at| format!("{} {}", paint.dim("next"), word(at))));
    lines.extend(items("waiting").iter().map(|fire| format!("{} {}", paint.dim("waiting"), word(&fire["fire"]))));
    lines.extend(
        items("ranges")
            .iter()
            .map(|range| format!("{} {} up to {}", paint.dim("range"), word(&range["done_to"]), word(&range["until"]))),
    );
    lines.extend(items("recent").iter().map(|past| {
        let verdict = match &past["verdict"] {
            Value::String(word) => plain(word),
            other => plain(&other.to_string()),
        };
        format!("{} {} {verdict}", paint.dim("fired"), word(&past["fire"]))
    }));
    let counts = view["counts"].as_object().cloned().unwrap_or_default();
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    lines.push(paint.dim(counts.join(", ")));
    lines.join("\n")
}
