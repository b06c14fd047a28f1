//! `baton.v1.Transfer`: how workers reach single blobs without passing this process.

use baton_control::Upload;
use baton_control::grpc::convert;
use baton_proto::v1;
use tonic::{Request, Response, Status};
use v1::transfer_server::Transfer;

use super::plane::digest;
use super::{Services, status};
use crate::auth::Scope;

#[tonic::async_trait]
impl Transfer for Services {
    async fn open_upload(
        &self,
        request: Request<v1::OpenUploadRequest>,
    ) -> Result<Response<v1::OpenUploadResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let request = request.into_inner();
        let hold = convert::hold_from_wire(request.hold).map_err(status::of_malformed)?;
        let upload = Upload {
            place: convert::place_from_wire(request.artifact),
            media_type: request.media_type,
            bytes: request.bytes,
            digest: digest(&request.digest).map_err(status::of_malformed)?,
        };
        let berth = self.plane.open_upload(hold, upload).await.map_err(status::of_control)?;
        let (blob, way) = (berth.blob.map(convert::blob_to_wire), convert::way_to_wire(berth.way));
        Ok(Response::new(v1::OpenUploadResponse { blob, way: Some(way) }))
    }

    async fn close_upload(
        &self,
        request: Request<v1::CloseUploadRequest>,
    ) -> Result<Response<v1::CloseUploadResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let request = request.into_inner();
        let hold = convert::hold_from_wire(request.hold).map_err(status::of_malformed)?;
        let place = convert::place_from_wire(request.artifact);
        let blob =
            convert::need("blob", request.blob).and_then(convert::blob_from_wire).map_err(status::of_malformed)?;
        let blob = self.plane.close_upload(hold, place, blob).await.map_err(status::of_control)?;
        Ok(Response::new(v1::CloseUploadResponse { blob: Some(convert::blob_to_wire(blob)) }))
    }

    async fn open_download(
        &self,
        request: Request<v1::OpenDownloadRequest>,
    ) -> Result<Response<v1::OpenDownloadResponse>, Status> {
        self.caller(&request, Scope::Work).await?;
        let request = request.into_inner();
        let hold = convert::hold_from_wire(request.hold).map_err(status::of_malformed)?;
        let blob =
            convert::need("blob", request.blob).and_then(convert::blob_from_wire).map_err(status::of_malformed)?;
        let way = self.plane.open_download(hold, blob).await.map_err(status::of_control)?;
        Ok(Response::new(v1::OpenDownloadResponse { way: Some(convert::way_to_wire(way)) }))
    }
}
