//! `baton.v1.Schedules`: make, edit, look at, pause, run, fill in, remove.

use baton_common::Timestamp;
use baton_proto::v1;
use baton_schedule::Overlap;
use serde_json::Value;
use tonic::{Request, Response, Status};
use v1::schedules_server::Schedules;

use super::{Services, status};
use crate::api::{ApiError, BackfillRequest, ScheduleView};
use crate::auth::Scope;

type Shown = Result<Response<v1::ScheduleResponse>, Status>;

#[tonic::async_trait]
impl Schedules for Services {
    async fn create(&self, request: Request<v1::CreateScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Submit).await?;
        let v1::CreateScheduleRequest { schedule, spec_json } = request.into_inner();
        shown(self.orchestrator.create_schedule(&caller, &schedule, spec(&spec_json)?).await)
    }

    async fn update(&self, request: Request<v1::UpdateScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Submit).await?;
        let v1::UpdateScheduleRequest { schedule, spec_json, version } = request.into_inner();
        let version = Some(version).filter(|version| *version > 0);
        shown(self.orchestrator.update_schedule(&caller, &schedule, spec(&spec_json)?, version).await)
    }

    async fn list(
        &self,
        request: Request<v1::ListSchedulesRequest>,
    ) -> Result<Response<v1::ListSchedulesResponse>, Status> {
        let caller = self.caller(&request, Scope::Read).await?;
        let schedules = self.orchestrator.schedules(&caller).await.map_err(status::of_api)?;
        let schedules = schedules.into_iter().map(schedule).collect();
        Ok(Response::new(v1::ListSchedulesResponse { schedules }))
    }

    async fn get(&self, request: Request<v1::GetScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Read).await?;
        let v1::GetScheduleRequest { schedule, next } = request.into_inner();
        shown(self.orchestrator.schedule(&caller, &schedule, next).await)
    }

    async fn preview(
        &self,
        request: Request<v1::PreviewScheduleRequest>,
    ) -> Result<Response<v1::PreviewScheduleResponse>, Status> {
        self.caller(&request, Scope::Read).await?;
        let v1::PreviewScheduleRequest { spec_json, next } = request.into_inner();
        let fires = self.orchestrator.preview_schedule(spec(&spec_json)?, next).await.map_err(status::of_api)?;
        let next_ms = fires.into_iter().map(|at| at.0).collect();
        Ok(Response::new(v1::PreviewScheduleResponse { next_ms }))
    }

    async fn pause(&self, request: Request<v1::PauseScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Submit).await?;
        let v1::PauseScheduleRequest { schedule, note } = request.into_inner();
        shown(self.orchestrator.pause_schedule(&caller, &schedule, &note).await)
    }

    async fn resume(&self, request: Request<v1::ResumeScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Submit).await?;
        shown(self.orchestrator.resume_schedule(&caller, &request.into_inner().schedule).await)
    }

    async fn run(&self, request: Request<v1::RunScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Submit).await?;
        let v1::RunScheduleRequest { schedule, request, overlap: asked } = request.into_inner();
        shown(self.orchestrator.run_schedule(&caller, &schedule, &request, overlap(&asked)?).await)
    }

    async fn backfill(&self, request: Request<v1::BackfillScheduleRequest>) -> Shown {
        let caller = self.caller(&request, Scope::Submit).await?;
        let asked = request.into_inner();
        let range = BackfillRequest {
            name: asked.request,
            from: Timestamp(asked.from_ms),
            until: Timestamp(asked.until_ms),
            overlap: overlap(&asked.overlap)?,
            per_minute: asked.per_minute,
            again: asked.again,
        };
        shown(self.orchestrator.backfill_schedule(&caller, &asked.schedule, range).await)
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteScheduleRequest>,
    ) -> Result<Response<v1::DeleteScheduleResponse>, Status> {
        let caller = self.caller(&request, Scope::Submit).await?;
        let deleted = self.orchestrator.delete_schedule(&caller, &request.into_inner().schedule).await;
        Ok(Response::new(v1::DeleteScheduleResponse { deleted: deleted.map_err(status::of_api)? }))
    }
}

fn shown(view: Result<ScheduleView, ApiError>) -> Shown {
    let schedule = Some(schedule(view.map_err(status::of_api)?));
    Ok(Response::new(v1::ScheduleResponse { schedule }))
}

fn schedule(view: ScheduleView) -> v1::Schedule {
    v1::Schedule { name: view.name, version: view.version, view_json: view.json.to_string() }
}

fn spec(text: &str) -> Result<Value, Status> {
    let refused = |error: serde_json::Error| {
        ApiError::invalid("invalid_schedule", format!("the spec is no JSON: {error}"), "see docs/schedules.md")
    };
    serde_json::from_str(text).map_err(|error| status::of_api(refused(error)))
}

fn overlap(text: &str) -> Result<Option<Overlap>, Status> {
    let asked = Some(text).filter(|text| !text.is_empty()).map(Overlap::parse).transpose();
    asked.map_err(|error| status::of_api(ApiError::invalid("invalid_schedule", error.cause, error.cure)))
}
