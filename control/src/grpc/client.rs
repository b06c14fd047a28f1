//! [`ControlPlane`] over gRPC: converts, asks one orchestrator after another, and says
//! whether a call may be made again. Backoff and spooling are up to the worker.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use baton_common::ids::WorkerId;
use baton_common::job::{ClaimAnswer, RenewAnswer, ResumeAnswer};
use baton_common::trace::TRACEPARENT;
use baton_common::{BlobRef, Digest, TraceContext};
use baton_proto::v1::control_plane_client::ControlPlaneClient;
use baton_proto::{BLOB_BYTES_MAX, MESSAGE_BYTES_MAX, PIECE_BYTES, detail, v1};
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tonic::{Request, Status};

use super::convert::{self, Malformed};
use super::endpoints::{self, Carrier, Endpoints};
use super::transfers::no_answer;
use super::trust::Trust;
use crate::{
    Announcement, Artifact, Berth, BlobPlace, ClaimCall, ControlPlane, Error, Hold, Pieces, Resume, Upload, Way,
    Welcome,
};

const CALL: Duration = Duration::from_secs(20);
pub(super) const BLOB_CALL: Duration = Duration::from_secs(300);
const EMIT: Duration = Duration::from_secs(2);

type Client = ControlPlaneClient<Carrier>;

/// One unary call as a future that owns its client.
macro_rules! call {
    ($client:ident.$method:ident($request:expr)) => {{
        let request = Request::new($request);
        async move { $client.$method(request).await.map(tonic::Response::into_inner) }
    }};
}
/// The control plane of a cluster.
#[derive(Clone)]
pub struct GrpcControlPlane {
    endpoints: Endpoints,
}

impl GrpcControlPlane {
    /// The control plane at these addresses, separated by commas, with the caller's key.
    /// Connects at the first call; must be called within a runtime.
    ///
    /// # Errors
    /// When an address or the key is malformed.
    pub fn new(addresses: &str, key: Option<&str>) -> Result<Self, endpoints::Error> {
        Ok(Self { endpoints: Endpoints::new(addresses, key)? })
    }

    /// The same where `https` trusts others than this machine does, or shows a certificate.
    ///
    /// # Errors
    /// When an address, the key or a certificate is malformed.
    pub fn trusting(addresses: &str, key: Option<&str>, trust: &Trust) -> Result<Self, endpoints::Error> {
        Ok(Self { endpoints: Endpoints::trusting(addresses, key, trust)? })
    }

    /// Asks each orchestrator once at most, as long as nothing is known of what happened.
    async fn call<T, F>(&self, limit: Duration, ask: impl Fn(Client) -> F + Send + Sync) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Status>> + Send,
    {
        self.asked(limit, |carrier| ask(client(carrier))).await
    }

    /// The same, for other services of an orchestrator.
    pub(super) async fn asked<T, F>(
        &self,
        limit: Duration,
        ask: impl Fn(Carrier) -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Status>> + Send,
    {
        let mut last = Status::unavailable("nobody was asked");
        for _ in 0..self.endpoints.count() {
            let (place, carrier) = self.endpoints.current();
            let answer = tokio::time::timeout(limit, ask(carrier)).await;
            last = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => status,
                Err(_) => no_answer(limit),
            };
            if !endpoints::may_repeat(last.code()) {
                break;
            }
            self.endpoints.gave_up_on(place);
        }
        Err(error_of(&last))
    }

    /// Asks the orchestrator whose turn it is, for calls that cannot be made again as they are.
    pub(super) async fn once<T, F>(&self, limit: Duration, ask: impl FnOnce(Client) -> F + Send) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Status>> + Send,
    {
        let (place, carrier) = self.endpoints.current();
        let answer = tokio::time::timeout(limit, ask(client(carrier))).await;
        let status = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(status)) => status,
            Err(_) => no_answer(limit),
        };
        if endpoints::may_repeat(status.code()) {
            self.endpoints.gave_up_on(place);
        }
        Err(error_of(&status))
    }
}

fn client(carrier: Carrier) -> Client {
    ControlPlaneClient::new(carrier)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

#[async_trait]
impl ControlPlane for GrpcControlPlane {
    async fn announce(&self, announcement: Announcement) -> Result<Welcome, Error> {
        let request = convert::announcement_to_wire(&announcement);
        let answer = self.call(CALL, |mut to| call!(to.announce(request.clone()))).await?;
        Ok(convert::welcome_from_wire(answer))
    }

    async fn claim(&self, worker: WorkerId, calls: Vec<ClaimCall>) -> Result<Vec<ClaimAnswer>, Error> {
        let request =
            v1::ClaimRequest { worker: worker.to_string(), calls: calls.iter().map(convert::claim_to_wire).collect() };
        let answer = self.call(CALL, |mut to| call!(to.claim(request.clone()))).await?;
        in_order(calls.len(), answer.answers, convert::claim_answer_from_wire)
    }

    async fn renew(&self, worker: WorkerId, holds: Vec<Hold>) -> Result<Vec<RenewAnswer>, Error> {
        let request =
            v1::RenewRequest { worker: worker.to_string(), holds: holds.iter().map(convert::hold_to_wire).collect() };
        let answer = self.call(CALL, |mut to| call!(to.renew(request.clone()))).await?;
        in_order(holds.len(), answer.answers, convert::renew_from_wire)
    }

    async fn resume(&self, resume: Resume) -> Result<ResumeAnswer, Error> {
        let request = v1::ResumeRequest {
            hold: Some(convert::hold_to_wire(&resume.hold)),
            digest: resume.digest.to_string(),
            outcome: Some(convert::outcome_to_wire(resume.outcome)),
        };
        let trace = resume.trace;
        let answer = self
            .call(CALL, |mut to| {
                let request = traced(Request::new(request.clone()), trace);
                async move { to.resume(request).await.map(tonic::Response::into_inner) }
            })
            .await?;
        convert::resume_from_wire(answer.answer).map_err(misunderstood)
    }

    async fn give_back(&self, hold: Hold, digest: Digest) -> Result<ResumeAnswer, Error> {
        let request = v1::GiveBackRequest { hold: Some(convert::hold_to_wire(&hold)), digest: digest.to_string() };
        let answer = self.call(CALL, |mut to| call!(to.give_back(request.clone()))).await?;
        convert::resume_from_wire(answer.answer).map_err(misunderstood)
    }

    async fn emit(&self, hold: Hold, body: Value) -> Result<(), Error> {
        let request = v1::EmitRequest { hold: Some(convert::hold_to_wire(&hold)), body_json: body.to_string() };
        self.call(EMIT, |mut to| call!(to.emit(request.clone()))).await.map(|_| ())
    }

    async fn put_blob(&self, hold: Hold, place: BlobPlace, media_type: String, bytes: Bytes) -> Result<BlobRef, Error> {
        let header = v1::BlobHeader {
            hold: Some(convert::hold_to_wire(&hold)),
            artifact: match place {
                BlobPlace::Value => None,
                BlobPlace::Artifact(path) => Some(path),
            },
            media_type,
            bytes: bytes.len() as u64,
            digest: Some(Digest::of(&bytes).to_string()),
        };
        let answer = self
            .call(BLOB_CALL, |mut to| {
                let parts = tokio_stream::iter(parts(header.clone(), bytes.clone()));
                call!(to.put_blob(parts))
            })
            .await?;
        convert::need("blob", answer.blob).and_then(convert::blob_from_wire).map_err(misunderstood)
    }

    async fn get_blob(&self, hold: Hold, blob: BlobRef) -> Result<Bytes, Error> {
        if blob.bytes > BLOB_BYTES_MAX {
            return Err(Error::Refused(format!("the blob has {} bytes, at most {BLOB_BYTES_MAX} travel", blob.bytes)));
        }
        let expected = blob.bytes;
        let request =
            v1::GetBlobRequest { hold: Some(convert::hold_to_wire(&hold)), blob: Some(convert::blob_to_wire(blob)) };
        self.call(BLOB_CALL, |mut to| {
            let request = request.clone();
            async move {
                let mut pieces = to.get_blob(request).await?.into_inner();
                let mut whole = BytesMut::new();
                while let Some(piece) = pieces.message().await? {
                    if (whole.len() + piece.data.len()) as u64 > expected {
                        return Err(Status::data_loss("the blob is longer than its reference says"));
                    }
                    whole.extend_from_slice(&piece.data);
                }
                if whole.len() as u64 == expected {
                    Ok(whole.freeze())
                } else {
                    Err(Status::unavailable("the blob ended early"))
                }
            }
        })
        .await
    }

    async fn open_upload(&self, hold: Hold, upload: Upload) -> Result<Berth, Error> {
        self.opened_upload(hold, upload).await
    }

    async fn close_upload(&self, hold: Hold, place: BlobPlace, blob: BlobRef) -> Result<BlobRef, Error> {
        self.closed_upload(hold, place, blob).await
    }

    async fn open_download(&self, hold: Hold, blob: BlobRef) -> Result<Way, Error> {
        self.opened_download(hold, blob).await
    }

    async fn put_stream(&self, hold: Hold, upload: Upload, pieces: Pieces) -> Result<BlobRef, Error> {
        self.put_in_pieces(hold, upload, pieces).await
    }

    async fn get_stream(&self, hold: Hold, blob: BlobRef) -> Result<Pieces, Error> {
        self.got_in_pieces(hold, blob).await
    }

    async fn list_artifacts(&self, hold: Hold) -> Result<Vec<Artifact>, Error> {
        let request = v1::ListArtifactsRequest { hold: Some(convert::hold_to_wire(&hold)) };
        let answer = self.call(CALL, |mut to| call!(to.list_artifacts(request.clone()))).await?;
        answer.artifacts.into_iter().map(convert::artifact_from_wire).collect::<Result<_, _>>().map_err(misunderstood)
    }
}

/// A call that goes on with that span.
fn traced<T>(mut request: Request<T>, trace: Option<TraceContext>) -> Request<T> {
    let text = trace.and_then(|trace| trace.to_string().parse().ok());
    if let Some(text) = text {
        request.metadata_mut().insert(TRACEPARENT, text);
    }
    request
}

fn parts(header: v1::BlobHeader, bytes: Bytes) -> impl Iterator<Item = v1::PutBlobRequest> + Send {
    use v1::put_blob_request::Part;
    let pieces = (0..bytes.len()).step_by(PIECE_BYTES).map(move |start| {
        let end = (start + PIECE_BYTES).min(bytes.len());
        v1::PutBlobRequest { part: Some(Part::Data(bytes.slice(start..end))) }
    });
    std::iter::once(v1::PutBlobRequest { part: Some(Part::Header(header)) }).chain(pieces)
}

fn in_order<W, T>(asked: usize, answers: Vec<W>, read: impl Fn(W) -> Result<T, Malformed>) -> Result<Vec<T>, Error> {
    if answers.len() != asked {
        return Err(Error::Refused(format!("{asked} were asked about, {} answered", answers.len())));
    }
    answers.into_iter().map(read).collect::<Result<_, _>>().map_err(misunderstood)
}

pub(super) fn misunderstood(error: Malformed) -> Error {
    Error::Refused(format!("its answer is not understood, {error}"))
}

/// What a status means to a worker.
pub(super) fn error_of(status: &Status) -> Error {
    let text = match detail::of_status(status) {
        Some(detail) => format!("{}: {}", detail.code, detail.cause),
        None => match endpoints::cause(status) {
            Some(cause) => format!("no connection: {cause}"),
            None if status.message().is_empty() => "no connection".to_owned(),
            None => status.message().to_owned(),
        },
    };
    if endpoints::may_repeat(status.code()) { Error::Unavailable(text) } else { Error::Refused(text) }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn what_may_be_repeated_is_unavailable_and_the_rest_refused() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Internal, Code::Unknown] {
            assert!(matches!(error_of(&Status::new(code, "x")), Error::Unavailable(_)), "{code:?}");
        }
        for code in [Code::Unauthenticated, Code::PermissionDenied, Code::InvalidArgument, Code::NotFound] {
            assert!(matches!(error_of(&Status::new(code, "x")), Error::Refused(_)), "{code:?}");
        }
    }

    #[test]
    fn what_a_worker_hands_back_says_which_span_it_goes_on_with() {
        let trace = TraceContext { trace: 7, span: 9, sampled: true };
        let said = |trace| {
            let request = traced(Request::new(()), trace);
            request.metadata().get(TRACEPARENT).map(|text| text.to_str().unwrap().to_owned())
        };
        assert_eq!(said(Some(trace)), Some(trace.to_string()));
        assert_eq!(said(None), None);
    }

    #[test]
    fn bytes_travel_behind_their_header_in_pieces() {
        let bytes = Bytes::from(vec![7; PIECE_BYTES * 2 + 1]);
        let sent: Vec<_> = parts(v1::BlobHeader::default(), bytes.clone()).collect();
        assert_eq!(sent.len(), 4);
        assert_eq!(parts(v1::BlobHeader::default(), Bytes::new()).count(), 1, "nothing travels as a header alone");
    }
}
