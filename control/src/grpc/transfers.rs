//! Blobs over gRPC: the calls about ways, and the streams for whoever has no other way.

use std::sync::Arc;
use std::time::Duration;

use baton_common::BlobRef;
use baton_proto::v1::transfer_client::TransferClient;
use baton_proto::{BLOB_BYTES_MAX, PIECE_BYTES, v1};
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tonic::Status;

use super::client::{BLOB_CALL, GrpcControlPlane, error_of, misunderstood};
use super::convert;
use crate::{Berth, BlobPlace, Error, Hold, Pieces, Upload, Way};

/// An upload is compared with its reference before it is answered to, which takes as long as
/// reading it does.
const OPEN_CALL: Duration = Duration::from_secs(20);

impl GrpcControlPlane {
    pub(super) async fn opened_upload(&self, hold: Hold, upload: Upload) -> Result<Berth, Error> {
        let request = v1::OpenUploadRequest {
            hold: Some(convert::hold_to_wire(&hold)),
            artifact: convert::place_to_wire(upload.place),
            media_type: upload.media_type,
            bytes: upload.bytes,
            digest: upload.digest.to_string(),
        };
        let ask = |carrier| {
            let (mut to, request) = (TransferClient::new(carrier), request.clone());
            async move { to.open_upload(request).await.map(tonic::Response::into_inner) }
        };
        let answer = self.asked(OPEN_CALL, ask).await?;
        let blob = answer.blob.map(convert::blob_from_wire).transpose().map_err(misunderstood)?;
        Ok(Berth { blob, way: convert::way_from_wire(answer.way) })
    }

    pub(super) async fn closed_upload(&self, hold: Hold, place: BlobPlace, blob: BlobRef) -> Result<BlobRef, Error> {
        let request = v1::CloseUploadRequest {
            hold: Some(convert::hold_to_wire(&hold)),
            artifact: convert::place_to_wire(place),
            blob: Some(convert::blob_to_wire(blob)),
        };
        let ask = |carrier| {
            let (mut to, request) = (TransferClient::new(carrier), request.clone());
            async move { to.close_upload(request).await.map(tonic::Response::into_inner) }
        };
        let answer = self.asked(BLOB_CALL, ask).await?;
        convert::need("blob", answer.blob).and_then(convert::blob_from_wire).map_err(misunderstood)
    }

    pub(super) async fn opened_download(&self, hold: Hold, blob: BlobRef) -> Result<Way, Error> {
        let request = v1::OpenDownloadRequest {
            hold: Some(convert::hold_to_wire(&hold)),
            blob: Some(convert::blob_to_wire(blob)),
        };
        let ask = |carrier| {
            let (mut to, request) = (TransferClient::new(carrier), request.clone());
            async move { to.open_download(request).await.map(tonic::Response::into_inner) }
        };
        Ok(convert::way_from_wire(self.asked(OPEN_CALL, ask).await?.way))
    }

    /// Asks one orchestrator: what was read of the pieces does not come again.
    pub(super) async fn put_in_pieces(&self, hold: Hold, upload: Upload, pieces: Pieces) -> Result<BlobRef, Error> {
        let header = v1::BlobHeader {
            hold: Some(convert::hold_to_wire(&hold)),
            artifact: convert::place_to_wire(upload.place),
            media_type: upload.media_type,
            bytes: upload.bytes,
            digest: Some(upload.digest.to_string()),
        };
        let broken = Arc::new(Mutex::new(None));
        let parts = parts(header, pieces, broken.clone());
        let answer = self.once(BLOB_CALL, |mut to| async move { to.put_blob(parts).await }).await;
        if let Some(error) = broken.lock().take() {
            return Err(error);
        }
        convert::need("blob", answer?.into_inner().blob).and_then(convert::blob_from_wire).map_err(misunderstood)
    }

    pub(super) async fn got_in_pieces(&self, hold: Hold, blob: BlobRef) -> Result<Pieces, Error> {
        if blob.bytes > BLOB_BYTES_MAX {
            return Err(Error::Refused(format!("the blob has {} bytes, at most {BLOB_BYTES_MAX} travel", blob.bytes)));
        }
        let mut left = blob.bytes;
        let request =
            v1::GetBlobRequest { hold: Some(convert::hold_to_wire(&hold)), blob: Some(convert::blob_to_wire(blob)) };
        let answer = self.once(OPEN_CALL, |mut to| async move { to.get_blob(request).await }).await?;
        let pieces = answer.into_inner().map_err(|status| error_of(&status));
        let ended = stream::once(async { Ok(None) });
        let counted = pieces_then(pieces, ended).map(move |piece| match piece? {
            Some(v1::GetBlobResponse { data }) => {
                left = left.checked_sub(data.len() as u64).ok_or_else(longer)?;
                Ok(data)
            }
            None if left == 0 => Ok(Bytes::new()),
            None => Err(Error::Unavailable("the blob ended early".to_owned())),
        });
        Ok(counted.boxed())
    }
}

type Answered = Result<Option<v1::GetBlobResponse>, Error>;

fn pieces_then(
    pieces: impl Stream<Item = Result<v1::GetBlobResponse, Error>> + Send,
    ended: impl Stream<Item = Answered> + Send,
) -> impl Stream<Item = Answered> + Send {
    pieces.map_ok(Some).chain(ended)
}

fn longer() -> Error {
    Error::Refused("the blob is longer than its reference says".to_owned())
}

/// A header and pieces small enough to travel. Pieces that end with an error end the call, and
/// the error is kept.
fn parts(
    header: v1::BlobHeader,
    pieces: Pieces,
    broken: Arc<Mutex<Option<Error>>>,
) -> impl Stream<Item = v1::PutBlobRequest> + Send {
    use v1::put_blob_request::Part;
    let message = |part| v1::PutBlobRequest { part: Some(part) };
    let good = pieces.map(move |piece| piece.map_err(|error| *broken.lock() = Some(error)).ok());
    let good = good.take_while(|piece| ready(piece.is_some())).filter_map(ready);
    let small = good.flat_map(|piece| {
        let starts = (0..piece.len()).step_by(PIECE_BYTES);
        stream::iter(starts.map(move |start| piece.slice(start..(start + PIECE_BYTES).min(piece.len()))))
    });
    stream::once(async move { message(Part::Header(header)) }).chain(small.map(move |piece| message(Part::Data(piece))))
}

/// What the streams of a call answer when nobody does.
pub(super) fn no_answer(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs()))
}
