//! `baton.v1.Operations`: previews, what is done of them, and whether the audit holds.

use baton_common::records::RunStatus;
use baton_common::{Gen, Partition};
use baton_control::grpc::convert::{self as words, Malformed};
use baton_proto::v1;
use baton_store::audit::{Break, Fault, KeptHead};
use tonic::{Request, Response, Status};
use v1::operations_server::Operations;

use super::convert::optional;
use super::{Services, status};
use crate::api::{Action, AppliedItem, Item, Sealed, Selection};
use crate::auth::Scope;

#[tonic::async_trait]
impl Operations for Services {
    async fn preview(&self, request: Request<v1::PreviewRequest>) -> Result<Response<v1::PreviewResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let request = request.into_inner();
        let action = action(&request.action).map_err(status::of_malformed)?;
        let wanted = selection(request).map_err(status::of_malformed)?;
        let preview = self.orchestrator.preview(&caller, action, wanted).await.map_err(status::of_api)?;
        Ok(Response::new(v1::PreviewResponse {
            operation: preview.operation,
            items: preview.items.into_iter().map(item).collect(),
            looked_at: preview.looked_at,
            more: preview.more,
        }))
    }

    async fn apply(
        &self,
        request: Request<v1::ApplyOperationRequest>,
    ) -> Result<Response<v1::ApplyOperationResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let request = request.into_inner();
        let action = action(&request.action).map_err(status::of_malformed)?;
        let items = request.items.iter().map(sealed).collect::<Result<_, _>>().map_err(status::of_malformed)?;
        let done = self.orchestrator.apply_operation(&caller, &request.operation, action, items).await;
        let results = done.map_err(status::of_api)?.into_iter().map(result).collect();
        Ok(Response::new(v1::ApplyOperationResponse { results }))
    }

    async fn verify_audit(
        &self,
        request: Request<v1::VerifyAuditRequest>,
    ) -> Result<Response<v1::VerifyAuditResponse>, Status> {
        let caller = self.caller(&request, Scope::Operate).await?;
        let heads = request.into_inner().heads.into_iter().map(kept).collect::<Result<_, _>>();
        let heads = heads.map_err(status::of_malformed)?;
        let found = self.orchestrator.verify_audit(&caller, heads).await.map_err(status::of_api)?;
        let head =
            |head: KeptHead| v1::AuditHead { partition: head.partition.0.into(), number: head.number, link: head.link };
        Ok(Response::new(v1::VerifyAuditResponse {
            chained: found.chained,
            unchained: found.unchained,
            breaks: found.breaks.into_iter().map(broken).collect(),
            unjudged: found.unjudged,
            heads: found.heads.into_iter().map(head).collect(),
        }))
    }
}

fn action(name: &str) -> Result<Action, Malformed> {
    Action::from_name(name).ok_or_else(|| Malformed::new("action", "use cancel, retry, redrive or drop"))
}

fn selection(wire: v1::PreviewRequest) -> Result<Selection, Malformed> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let status = match wire.status.as_str() {
        "" => None,
        name => Some(RunStatus::from_name(name).ok_or_else(|| Malformed::new("status", "there is no such status"))?),
    };
    Ok(Selection {
        run: optional("run_id", &wire.run_id)?,
        graph: some(wire.graph),
        status,
        why: some(wire.why),
        tool: some(wire.tool),
        node: some(wire.node),
        class: some(wire.class),
        older_than_ms: wire.older_than_ms,
        limit: u32::try_from(wire.limit).map_err(|_| Malformed::new("limit", "it is negative"))?,
    })
}

fn item(item: Item) -> v1::OperationItem {
    v1::OperationItem {
        run_id: item.run.to_string(),
        generation: item.generation.0,
        job: item.job.map(|job| job.to_string()).unwrap_or_default(),
        seen: item.seen,
        kind: item.kind,
        graph: item.graph,
        status: item.status.name().to_owned(),
        tool: item.tool,
        text: item.text,
        since_ms: item.since.0,
        seal: item.seal,
    }
}

fn sealed(wire: &v1::OperationItem) -> Result<Sealed, Malformed> {
    Ok(Sealed {
        run: words::parse("run_id", &wire.run_id)?,
        generation: Gen(wire.generation),
        job: optional("job", &wire.job)?,
        seen: wire.seen,
        kind: wire.kind.clone(),
        seal: wire.seal.clone(),
    })
}

fn result(done: AppliedItem) -> v1::OperationResult {
    let job = done.job.map(|job| job.to_string()).unwrap_or_default();
    v1::OperationResult { run_id: done.run.to_string(), job, result: done.result, code: done.code, text: done.text }
}

fn kept(wire: v1::AuditHead) -> Result<KeptHead, Malformed> {
    let partition =
        u8::try_from(wire.partition).map_err(|_| Malformed::new("partition", "there is no such partition"))?;
    Ok(KeptHead { partition: Partition(partition), number: wire.number, link: wire.link })
}

fn broken(found: Break) -> v1::AuditBreak {
    let fault = match found.fault {
        Fault::Missing => "missing",
        Fault::Altered => "altered",
        Fault::Reordered => "reordered",
    };
    v1::AuditBreak {
        partition: found.partition.0.into(),
        number: found.number,
        fault: fault.to_owned(),
        text: found.what,
    }
}
