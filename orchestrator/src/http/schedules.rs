//! Schedules over HTTP: make, edit, look at, pause, run, fill in, remove.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use baton_common::Timestamp;
use baton_schedule::{Overlap, parse_moment, print_moment};
use serde_json::json;

use super::fields::{Fields, malformed};
use super::route::{Answer, Call, Handler, Route};
use super::view;
use crate::api::{ApiError, BackfillRequest, ScheduleView};
use crate::auth::Scope;

const GONE: &[&str] = &["schedule_not_found"];
const CHANGES: &[&str] = &["schedule_not_found", "schedule_changed", "invalid_schedule"];
const MAKES: &[&str] = &[
    "schedule_not_found",
    "schedule_exists",
    "schedules_full",
    "invalid_schedule",
    "graph_not_found",
    "graph_unreadable",
    "invalid_input",
];
const EDITS: &[&str] = &[
    "schedule_not_found",
    "schedule_changed",
    "invalid_schedule",
    "graph_not_found",
    "graph_unreadable",
    "invalid_input",
];

/// What a call takes and gives.
struct Shape {
    scope: Scope,
    query: &'static [&'static str],
    body: Option<&'static str>,
    answers: &'static [(u16, &'static str)],
    codes: &'static [&'static str],
}

const LOOK: Shape = Shape { scope: Scope::Read, query: &[], body: None, answers: &[(200, "Schedule")], codes: GONE };
const CHANGE: Shape = Shape { scope: Scope::Submit, codes: CHANGES, ..LOOK };

const fn route(method: Method, path: &'static str, told: [&'static str; 2], shape: Shape, handler: Handler) -> Route {
    let ([operation, summary], Shape { scope, query, body, answers, codes }) = (told, shape);
    Route { method, path, operation, summary, scope, query, headers: &[], body, answers, codes, handler }
}

pub(super) const LIST: Route = route(
    Method::GET,
    "/v1/schedules",
    ["listSchedules", "Schedules, by name."],
    Shape { answers: &[(200, "Schedules")], codes: &[], ..LOOK },
    |call| Box::pin(list(call)),
);
pub(super) const GET: Route = route(
    Method::GET,
    "/v1/schedules/{schedule}",
    ["getSchedule", "One schedule."],
    Shape { query: &["next"], ..LOOK },
    |call| Box::pin(get(call)),
);
pub(super) const CREATE: Route = route(
    Method::POST,
    "/v1/schedules",
    ["createSchedule", "Makes a schedule. Repeating it with the same words changes nothing."],
    Shape { body: Some("CreateSchedule"), codes: MAKES, ..CHANGE },
    |call| Box::pin(create(call)),
);
pub(super) const UPDATE: Route = route(
    Method::POST,
    "/v1/schedules/{schedule}",
    ["updateSchedule", "Replaces what a schedule says."],
    Shape { body: Some("UpdateSchedule"), codes: EDITS, ..CHANGE },
    |call| Box::pin(update(call)),
);
pub(super) const PREVIEW: Route = route(
    Method::POST,
    "/v1/preview/schedule",
    ["previewSchedule", "When a schedule would fire; keeps nothing."],
    Shape { body: Some("PreviewSchedule"), answers: &[(200, "SchedulePreview")], codes: &["invalid_schedule"], ..LOOK },
    |call| Box::pin(preview(call)),
);
pub(super) const PAUSE: Route = route(
    Method::POST,
    "/v1/schedules/{schedule}/pause",
    ["pauseSchedule", "Lets it fire no more until it is resumed."],
    Shape { body: Some("PauseSchedule"), ..CHANGE },
    |call| Box::pin(pause(call)),
);
pub(super) const RESUME: Route = route(
    Method::POST,
    "/v1/schedules/{schedule}/resume",
    ["resumeSchedule", "Lets it fire again, from now on."],
    CHANGE,
    |call| Box::pin(resume(call)),
);
pub(super) const RUN: Route = route(
    Method::POST,
    "/v1/schedules/{schedule}/run",
    ["runSchedule", "Asks for a run now. Repeating it under the same request changes nothing."],
    Shape { body: Some("RunSchedule"), ..CHANGE },
    |call| Box::pin(run(call)),
);
pub(super) const BACKFILL: Route = route(
    Method::POST,
    "/v1/schedules/{schedule}/backfill",
    ["backfillSchedule", "Asks for the fires of a past range. Repeating it under the same request changes nothing."],
    Shape { body: Some("BackfillSchedule"), ..CHANGE },
    |call| Box::pin(backfill(call)),
);
pub(super) const DELETE: Route = route(
    Method::DELETE,
    "/v1/schedules/{schedule}",
    ["deleteSchedule", "Removes a schedule; runs it started go on."],
    Shape { answers: &[(200, "ScheduleDeleted")], codes: &["schedule_changed"], ..CHANGE },
    |call| Box::pin(delete(call)),
);

async fn list(call: Call) -> Answer {
    let schedules = call.services.orchestrator.schedules(&call.caller).await?;
    let shown: Vec<_> = schedules.into_iter().map(|schedule| schedule.json).collect();
    Ok(view::json(StatusCode::OK, &json!({ "schedules": shown })))
}

async fn get(mut call: Call) -> Answer {
    let name = call.path.needed_text("schedule")?;
    let next = u32::try_from(call.query.number("next")?.unwrap_or(0)).unwrap_or(u32::MAX);
    Ok(shown(call.services.orchestrator.schedule(&call.caller, &name, next).await?))
}

async fn create(mut call: Call) -> Answer {
    let (name, spec) = (call.body.needed_text("name")?, call.body.needed("spec")?);
    Ok(shown(call.services.orchestrator.create_schedule(&call.caller, &name, spec).await?))
}

async fn update(mut call: Call) -> Answer {
    let name = call.path.needed_text("schedule")?;
    let (spec, version) = (call.body.needed("spec")?, call.body.number("version")?);
    let version = version.filter(|version| *version > 0);
    Ok(shown(call.services.orchestrator.update_schedule(&call.caller, &name, spec, version).await?))
}

async fn preview(mut call: Call) -> Answer {
    let next = u32::try_from(call.body.number("next")?.unwrap_or(0)).unwrap_or(u32::MAX);
    let fires = call.services.orchestrator.preview_schedule(call.body.needed("spec")?, next).await?;
    let fires: Vec<String> = fires.into_iter().map(print_moment).collect();
    Ok(view::json(StatusCode::OK, &json!({ "next": fires })))
}

async fn pause(mut call: Call) -> Answer {
    let (name, note) = (call.path.needed_text("schedule")?, call.body.text("note")?.unwrap_or_default());
    Ok(shown(call.services.orchestrator.pause_schedule(&call.caller, &name, &note).await?))
}

async fn resume(mut call: Call) -> Answer {
    let name = call.path.needed_text("schedule")?;
    Ok(shown(call.services.orchestrator.resume_schedule(&call.caller, &name).await?))
}

async fn run(mut call: Call) -> Answer {
    let (name, request) = (call.path.needed_text("schedule")?, call.body.needed_text("request")?);
    let overlap = overlap(&mut call.body)?;
    Ok(shown(call.services.orchestrator.run_schedule(&call.caller, &name, &request, overlap).await?))
}

async fn backfill(mut call: Call) -> Answer {
    let (schedule, body) = (call.path.needed_text("schedule")?, &mut call.body);
    let asked = BackfillRequest {
        name: body.needed_text("request")?,
        from: moment(body, "from")?,
        until: moment(body, "until")?,
        overlap: overlap(body)?,
        per_minute: u32::try_from(body.number("per_minute")?.unwrap_or(0)).unwrap_or(u32::MAX),
        again: body.flag("again")?,
    };
    Ok(shown(call.services.orchestrator.backfill_schedule(&call.caller, &schedule, asked).await?))
}

async fn delete(mut call: Call) -> Answer {
    let name = call.path.needed_text("schedule")?;
    let deleted = call.services.orchestrator.delete_schedule(&call.caller, &name).await?;
    Ok(view::json(StatusCode::OK, &json!({ "name": name, "deleted": deleted })))
}

fn shown(schedule: ScheduleView) -> Response {
    view::json(StatusCode::OK, &schedule.json)
}

fn moment(body: &mut Fields, name: &str) -> Result<Timestamp, ApiError> {
    parse_moment(&body.needed_text(name)?).map_err(|error| malformed(name, error))
}

fn overlap(body: &mut Fields) -> Result<Option<Overlap>, ApiError> {
    let asked = body.text("overlap")?.map(|text| Overlap::parse(&text)).transpose();
    asked.map_err(|error| ApiError::invalid("invalid_schedule", error.cause, error.cure))
}
