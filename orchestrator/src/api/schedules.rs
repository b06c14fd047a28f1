//! Schedules as callers keep them. Every change names what it saw and looks first at what was
//! due of the old: an edit neither loses a fire nor makes one twice.

use baton_common::Timestamp;
use baton_common::records::ScheduleId;
use baton_common::transition::ScheduleNote;
use baton_schedule::{
    NAME_CHARS_MAX, Overlap, Paused, REQUEST_CHARS_MAX, Range, Record, Spec, check_name, print_moment,
};
use serde_json::{Value, json};

use super::{ApiError, Caller, ErrorKind};
use crate::orchestrator::Orchestrator;
use crate::schedules::record_of;

/// The most schedules of a tenant.
const SCHEDULES_MAX: usize = 1_000;
/// The longest note of a pause, in bytes.
const NOTE_BYTES_MAX: usize = 1_000;
/// Times a change is tried while others write.
const TRIES_MAX: u32 = 20;
/// Fires to come that a view shows unless asked for more, and at most.
const UPCOMING: u32 = 5;
const UPCOMING_MAX: u32 = 100;

/// A schedule as callers see it: its record as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// Rises with each edit.
    pub version: u64,
    /// Everything, as `docs/schedules.md` has it.
    pub json: Value,
}

/// A range of past fires that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRequest {
    /// Its name: repeating it changes nothing.
    pub name: String,
    /// From then on.
    pub from: Timestamp,
    /// Up to then.
    pub until: Timestamp,
    /// Instead of the schedule's own policy.
    pub overlap: Option<Overlap>,
    /// At most so many in a minute; 0 is the schedule's own pace.
    pub per_minute: u32,
    /// Whether fires that had their run have one more.
    pub again: bool,
}

impl Orchestrator {
    /// Makes a schedule. Repeating it with the same words changes nothing.
    ///
    /// # Errors
    /// When it is not valid, its graph was not applied, or its name is taken by another.
    pub async fn create_schedule(&self, caller: &Caller, name: &str, spec: Value) -> Result<ScheduleView, ApiError> {
        check_name(name, NAME_CHARS_MAX).map_err(invalid)?;
        let spec = self.checked(caller, spec).await?;
        if self.inner.store.schedules(&caller.tenant).await?.len() >= SCHEDULES_MAX {
            let cause = format!("there are {SCHEDULES_MAX} schedules already");
            return Err(ApiError::new(ErrorKind::Exhausted, "schedules_full", cause, "delete some"));
        }
        let now = self.inner.store.now().await?;
        let record = Record::new(caller.tenant.clone(), name.to_owned(), spec, caller.actor.clone(), now);
        let note = note(caller, "schedule_create");
        if self.inner.keep_schedule(None, &record, now, Some(note)).await?.is_some() {
            return view(&record, UPCOMING);
        }
        let (_, known) = self.read_schedule(caller, name).await?;
        if known.spec == record.spec {
            return view(&known, UPCOMING);
        }
        let cause = format!("there is another schedule {name}");
        Err(ApiError::new(ErrorKind::Conflict, "schedule_exists", cause, "update that one, or use another name"))
    }

    /// Puts another spec in a schedule's place; with `version`, only in that one's.
    ///
    /// # Errors
    /// When it is not valid, or not that version any more.
    pub async fn update_schedule(
        &self,
        caller: &Caller,
        name: &str,
        spec: Value,
        version: Option<u64>,
    ) -> Result<ScheduleView, ApiError> {
        let spec = self.checked(caller, spec).await?;
        self.change(caller, name, "schedule_update", |record, now| {
            if version.is_some_and(|version| version != record.version) && record.spec != spec {
                let cause = format!("schedule {name} has version {} by now", record.version);
                return Err(changed(cause));
            }
            if record.spec != spec {
                record.edit(spec.clone(), caller.actor.clone(), now);
            }
            Ok(())
        })
        .await
    }

    /// One schedule, with so many fires to come; 0 is the usual number.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn schedule(&self, caller: &Caller, name: &str, upcoming: u32) -> Result<ScheduleView, ApiError> {
        let (_, record) = self.read_schedule(caller, name).await?;
        view(&record, if upcoming == 0 { UPCOMING } else { upcoming.min(UPCOMING_MAX) })
    }

    /// All schedules, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn schedules(&self, caller: &Caller) -> Result<Vec<ScheduleView>, ApiError> {
        let rows = self.inner.store.schedules(&caller.tenant).await?;
        rows.iter().map(|row| view(&record_of(row)?, 1)).collect()
    }

    /// When a spec would fire, without keeping it.
    ///
    /// # Errors
    /// When it is not valid.
    pub async fn preview_schedule(&self, spec: Value, count: u32) -> Result<Vec<Timestamp>, ApiError> {
        let calendar = Spec::read(spec).and_then(|spec| spec.calendar()).map_err(invalid)?;
        let now = self.inner.store.now().await?;
        let count = if count == 0 { UPCOMING } else { count.min(UPCOMING_MAX) };
        let fires = std::iter::successors(calendar.next(now), |at| calendar.next(*at));
        Ok(fires.take(usize::try_from(count).unwrap_or(0)).collect())
    }

    /// Lets it fire no more until it is resumed.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn pause_schedule(&self, caller: &Caller, name: &str, why: &str) -> Result<ScheduleView, ApiError> {
        if why.len() > NOTE_BYTES_MAX {
            return Err(ApiError::invalid("invalid_schedule", "the note is too long", "use at most 1000 bytes"));
        }
        self.change(caller, name, "schedule_pause", |record, now| {
            let paused = Paused { at: now, by: caller.actor.clone(), note: why.to_owned() };
            record.paused.get_or_insert(paused);
            Ok(())
        })
        .await
    }

    /// Lets it fire again, from now on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn resume_schedule(&self, caller: &Caller, name: &str) -> Result<ScheduleView, ApiError> {
        self.change(caller, name, "schedule_resume", |record, now| record.resume(now).map_err(invalid)).await
    }

    /// Asks for a run now, under a name: repeating it changes nothing.
    ///
    /// # Errors
    /// When there is no such schedule, or the name is none.
    pub async fn run_schedule(
        &self,
        caller: &Caller,
        name: &str,
        request: &str,
        overlap: Option<Overlap>,
    ) -> Result<ScheduleView, ApiError> {
        check_name(request, REQUEST_CHARS_MAX).map_err(invalid)?;
        self.change(caller, name, "schedule_run", |record, now| {
            record.ask(request, overlap, now);
            Ok(())
        })
        .await?;
        let id = ScheduleId::of(&caller.tenant, name);
        self.inner.fire_schedule(id, self.inner.store.now().await?).await?;
        self.schedule(caller, name, 0).await
    }

    /// Asks for the fires of a past range.
    ///
    /// # Errors
    /// When there is no such schedule, or the range is none.
    pub async fn backfill_schedule(
        &self,
        caller: &Caller,
        name: &str,
        asked: BackfillRequest,
    ) -> Result<ScheduleView, ApiError> {
        self.change(caller, name, "schedule_backfill", |record, now| {
            if record.ranges.iter().any(|range| range.name == asked.name) {
                return Ok(());
            }
            let own_pace = record.spec.catch_up.per_minute;
            let per_minute = if asked.per_minute == 0 { own_pace } else { asked.per_minute };
            let BackfillRequest { name, from, until, overlap, again, .. } = asked.clone();
            let range = Range { name, after: from, until, overlap, per_minute, again, next_at: now };
            let calendar = record.spec.calendar().map_err(invalid)?;
            record.ranges.push(Range::backfill(range, &calendar, now).map_err(invalid)?);
            Ok(())
        })
        .await
    }

    /// Removes a schedule; runs it started go on. Whether there was one.
    ///
    /// # Errors
    /// When the store does not answer, or others write all the time.
    pub async fn delete_schedule(&self, caller: &Caller, name: &str) -> Result<bool, ApiError> {
        for _ in 0..TRIES_MAX {
            let (rev, record) = match self.read_schedule(caller, name).await {
                Err(error) if error.code == "schedule_not_found" => return Ok(false),
                found => found?,
            };
            if self.inner.drop_schedule(rev, &record, note(caller, "schedule_delete")).await? {
                return Ok(true);
            }
        }
        Err(changed(format!("schedule {name} is being written all the time")))
    }

    async fn read_schedule(&self, caller: &Caller, name: &str) -> Result<(u64, Record), ApiError> {
        let row = self.inner.store.schedule(ScheduleId::of(&caller.tenant, name)).await?;
        let shown: String = name.chars().take(80).collect();
        let row = row.filter(|row| row.tenant == caller.tenant);
        let row = row.ok_or_else(|| ApiError::not_found("schedule", shown))?;
        Ok((row.rev, record_of(&row)?))
    }

    async fn change(
        &self,
        caller: &Caller,
        name: &str,
        operation: &str,
        change: impl Fn(&mut Record, Timestamp) -> Result<(), ApiError>,
    ) -> Result<ScheduleView, ApiError> {
        for _ in 0..TRIES_MAX {
            let (rev, mut record) = self.read_schedule(caller, name).await?;
            let now = self.inner.store.now().await?.max(record.mark);
            record.look(now, self.inner.schedule_rules()).map_err(invalid)?;
            change(&mut record, now)?;
            if self.inner.keep_schedule(Some(rev), &record, now, Some(note(caller, operation))).await?.is_some() {
                return view(&record, UPCOMING);
            }
        }
        Err(changed(format!("schedule {name} is being written all the time")))
    }

    /// A spec whose graph was applied and takes its input.
    async fn checked(&self, caller: &Caller, spec: Value) -> Result<Spec, ApiError> {
        let spec = Spec::read(spec).map_err(invalid)?;
        let found = self.inner.applied(&caller.tenant, &spec.graph).await?;
        let hash = found.ok_or_else(|| ApiError::not_found("graph", &spec.graph))?.hash;
        if let Some(compiled) = self.inner.graph(&caller.tenant, hash).await? {
            let mut input = spec.input.clone();
            if let Some(name) = &spec.time_input {
                input.insert(name.clone(), print_moment(Timestamp(0)).into());
            }
            compiled.graph.check_input(&Value::Object(input))?;
        }
        Ok(spec)
    }
}

fn invalid(error: baton_schedule::Error) -> ApiError {
    ApiError::invalid("invalid_schedule", error.cause, error.cure)
}

fn changed(cause: String) -> ApiError {
    ApiError::new(ErrorKind::Conflict, "schedule_changed", cause, "look at it again, and repeat the change")
}

fn note(caller: &Caller, operation: &str) -> ScheduleNote {
    ScheduleNote { actor: caller.actor.clone(), operation: operation.to_owned() }
}

fn view(record: &Record, upcoming: u32) -> Result<ScheduleView, ApiError> {
    let moments = |at: &[Timestamp]| at.iter().map(|at| print_moment(*at)).collect::<Vec<_>>();
    let count = usize::try_from(upcoming).unwrap_or(0);
    let next = match record.paused {
        Some(_) => Vec::new(),
        None => record.upcoming(count).map_err(invalid)?,
    };
    let waiting = record
        .pending
        .iter()
        .map(|fire| json!({ "fire": fire.key, "kind": fire.kind, "at": print_moment(fire.at), "begun": fire.begun }));
    let ranges = record.ranges.iter().map(|range| {
        json!({
            "name": range.name, "done_to": print_moment(range.after), "until": print_moment(range.until),
            "per_minute": range.per_minute,
        })
    });
    let recent = record.recent.iter().map(|past| {
        json!({
            "fire": past.key, "kind": past.kind, "nominal": print_moment(past.nominal), "at": print_moment(past.at),
            "verdict": past.verdict,
        })
    });
    let paused = record
        .paused
        .as_ref()
        .map(|paused| json!({ "at": print_moment(paused.at), "by": paused.by, "note": paused.note }));
    let json = json!({
        "name": record.name, "version": record.version, "spec": record.spec.to_json(), "by": record.by,
        "created_at": print_moment(record.created_at), "updated_at": print_moment(record.updated_at),
        "paused": paused, "decided_to": print_moment(record.mark), "next": moments(&next),
        "waiting": waiting.collect::<Vec<_>>(), "ranges": ranges.collect::<Vec<_>>(), "open_runs": record.open,
        "recent": recent.collect::<Vec<_>>(), "counts": record.counts,
    });
    Ok(ScheduleView { name: record.name.clone(), version: record.version, json })
}
