//! `baton.v1.ControlPlane`: what workers ask, handed to whoever implements the trait.

use std::pin::Pin;

use baton_common::TraceContext;
use baton_common::ids::WorkerId;
use baton_control::grpc::convert::{self, Malformed};
use baton_control::{Error, Upload};
use baton_proto::{BLOB_BYTES_MAX, PIECE_BYTES, v1};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tonic::{Request, Response, Status, Streaming};
use v1::control_plane_server::ControlPlane;

use super::{Services, status};
use crate::auth::Scope;

type Pieces = Pin<Box<dyn Stream<Item = Result<v1::GetBlobResponse, Status>> + Send>>;

/// Claims or renewals in one call.
const BATCH_MAX: usize = 1_024;

#[tonic::async_trait]
impl ControlPlane for Services {
    type GetBlobStream = Pieces;

    async fn announce(&self, request: Request<v1::AnnounceRequest>) -> Result<Response<v1::AnnounceResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let announcement = convert::announcement_from_wire(request.into_inner()).map_err(status::of_malformed)?;
        let welcome = self.plane.announce(announcement).await.map_err(status::of_control)?;
        Ok(Response::new(convert::welcome_to_wire(welcome)))
    }

    async fn claim(&self, request: Request<v1::ClaimRequest>) -> Result<Response<v1::ClaimResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let v1::ClaimRequest { worker, calls } = request.into_inner();
        let (worker, calls) = batch(&worker, calls, convert::claim_from_wire)?;
        let answers = self.plane.claim(worker, calls).await.map_err(status::of_control)?;
        Ok(Response::new(v1::ClaimResponse {
            answers: answers.into_iter().map(convert::claim_answer_to_wire).collect(),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let v1::RenewRequest { worker, holds } = request.into_inner();
        let (worker, holds) = batch(&worker, holds, |hold| convert::hold_from_wire(Some(hold)))?;
        let answers = self.plane.renew(worker, holds).await.map_err(status::of_control)?;
        Ok(Response::new(v1::RenewResponse { answers: answers.into_iter().map(convert::renew_to_wire).collect() }))
    }

    async fn resume(&self, request: Request<v1::ResumeRequest>) -> Result<Response<v1::ResumeResponse>, Status> {
        let caller = self.caller(&request, Scope::Work).await?;
        let resume = resume(request.into_inner(), caller.trace).map_err(status::of_malformed)?;
        let answer = self.plane.resume(resume).await.map_err(status::of_control)?;
        Ok(Response::new(v1::ResumeResponse { answer: convert::resume_to_wire(answer) }))
    }

    async fn give_back(&self, request: Request<v1::GiveBackRequest>) -> Result<Response<v1::GiveBackResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let request = request.into_inner();
        let hold = convert::hold_from_wire(request.hold).map_err(status::of_malformed)?;
        let digest = digest(&request.digest).map_err(status::of_malformed)?;
        let answer = self.plane.give_back(hold, digest).await.map_err(status::of_control)?;
        Ok(Response::new(v1::GiveBackResponse { answer: convert::resume_to_wire(answer) }))
    }

    async fn emit(&self, request: Request<v1::EmitRequest>) -> Result<Response<v1::EmitResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let request = request.into_inner();
        let hold = convert::hold_from_wire(request.hold).map_err(status::of_malformed)?;
        let body = convert::json("body_json", &request.body_json).map_err(status::of_malformed)?;
        self.plane.emit(hold, body).await.map_err(status::of_control)?;
        Ok(Response::new(v1::EmitResponse {}))
    }

    async fn put_blob(
        &self,
        request: Request<Streaming<v1::PutBlobRequest>>,
    ) -> Result<Response<v1::PutBlobResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let mut parts = request.into_inner();
        let header = header(&mut parts).await?;
        let hold = convert::hold_from_wire(header.hold).map_err(status::of_malformed)?;
        let place = convert::place_from_wire(header.artifact);
        let blob = match header.digest.as_deref().map(digest).transpose().map_err(status::of_malformed)? {
            Some(digest) => {
                let upload = Upload { place, media_type: header.media_type, bytes: header.bytes, digest };
                self.plane.put_stream(hold, upload, pieces(parts)).await
            }
            None => {
                let bytes = gather(&mut parts, header.bytes).await?;
                self.plane.put_blob(hold, place, header.media_type, bytes).await
            }
        };
        let blob = blob.map_err(status::of_control)?;
        Ok(Response::new(v1::PutBlobResponse { blob: Some(convert::blob_to_wire(blob)) }))
    }

    async fn get_blob(&self, request: Request<v1::GetBlobRequest>) -> Result<Response<Pieces>, Status> {
        self.caller(&request, Scope::Work).await?;
        let request = request.into_inner();
        let hold = convert::hold_from_wire(request.hold).map_err(status::of_malformed)?;
        let blob =
            convert::need("blob", request.blob).and_then(convert::blob_from_wire).map_err(status::of_malformed)?;
        let pieces = self.plane.get_stream(hold, blob).await.map_err(status::of_control)?;
        let small = pieces.map_err(status::of_control).map_ok(|piece| {
            let starts = (0..piece.len()).step_by(PIECE_BYTES);
            let cut = move |start: usize| piece.slice(start..(start + PIECE_BYTES).min(piece.len()));
            stream::iter(starts.map(move |start| Ok(v1::GetBlobResponse { data: cut(start) })))
        });
        Ok(Response::new(Box::pin(small.try_flatten())))
    }

    async fn list_artifacts(
        &self,
        request: Request<v1::ListArtifactsRequest>,
    ) -> Result<Response<v1::ListArtifactsResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let hold = convert::hold_from_wire(request.into_inner().hold).map_err(status::of_malformed)?;
        let artifacts = self.plane.list_artifacts(hold).await.map_err(status::of_control)?;
        Ok(Response::new(v1::ListArtifactsResponse {
            artifacts: artifacts.into_iter().map(convert::artifact_to_wire).collect(),
        }))
    }
}

fn batch<W, T>(
    worker: &str,
    items: Vec<W>,
    read: impl Fn(W) -> Result<T, Malformed>,
) -> Result<(WorkerId, Vec<T>), Status> {
    if items.len() > BATCH_MAX {
        return Err(status::of_malformed(Malformed::new("calls", format!("there are more than {BATCH_MAX}"))));
    }
    let worker = convert::parse("worker", worker).map_err(status::of_malformed)?;
    let items = items.into_iter().map(read).collect::<Result<_, _>>().map_err(status::of_malformed)?;
    Ok((worker, items))
}

fn resume(wire: v1::ResumeRequest, trace: Option<TraceContext>) -> Result<baton_control::Resume, Malformed> {
    Ok(baton_control::Resume {
        hold: convert::hold_from_wire(wire.hold)?,
        digest: digest(&wire.digest)?,
        outcome: convert::outcome_from_wire(wire.outcome)?,
        trace,
    })
}

pub(super) fn digest(text: &str) -> Result<baton_common::Digest, Malformed> {
    baton_common::Digest::parse(text).ok_or_else(|| Malformed::new("digest", "not 32 hexadecimal digits"))
}

async fn header(parts: &mut Streaming<v1::PutBlobRequest>) -> Result<v1::BlobHeader, Status> {
    use v1::put_blob_request::Part;
    let malformed = |cause: String| status::of_malformed(Malformed::new("header", cause));
    match parts.message().await?.and_then(|message| message.part) {
        Some(Part::Header(header)) if header.bytes <= BLOB_BYTES_MAX => Ok(header),
        Some(Part::Header(_)) => Err(malformed(format!("at most {BLOB_BYTES_MAX} bytes travel"))),
        _ => Err(malformed("the first message must be a header".to_owned())),
    }
}

/// The pieces behind a header, as they come.
fn pieces(parts: Streaming<v1::PutBlobRequest>) -> baton_control::Pieces {
    use v1::put_blob_request::Part;
    let piece = |message: Result<v1::PutBlobRequest, Status>| match message {
        Ok(v1::PutBlobRequest { part: Some(Part::Data(piece)) }) => Ok(piece),
        Ok(_) => Err(Error::Refused("a header stands among the pieces".to_owned())),
        Err(status) => Err(Error::Unavailable(status.message().to_owned())),
    };
    parts.map(piece).boxed()
}

async fn gather(parts: &mut Streaming<v1::PutBlobRequest>, expected: u64) -> Result<Bytes, Status> {
    use v1::put_blob_request::Part;
    let malformed = || status::of_malformed(Malformed::new("data", "the pieces are not as long as the header says"));
    let mut whole = BytesMut::new();
    while let Some(message) = parts.message().await? {
        let Some(Part::Data(piece)) = message.part else { return Err(malformed()) };
        if (whole.len() + piece.len()) as u64 > expected {
            return Err(malformed());
        }
        whole.extend_from_slice(&piece);
    }
    if whole.len() as u64 == expected { Ok(whole.freeze()) } else { Err(malformed()) }
}
