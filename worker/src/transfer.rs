//! Large content on its way: set down in a file without a name first, so that it is in memory a
//! piece at a time and can be sent again, and then by the shortest way there is: the worker's
//! own blob store, an address for the one blob, or the control plane.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use baton_blobs::{BlobStore, Remote, compared_pieces, content_pieces, put_pieces};
use baton_common::hash::ContentHasher;
use baton_common::{BlobRef, Digest, Failure};
use baton_control::{BlobPlace, Error, Upload, Way};
use baton_tools::Pieces;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::job_blobs::JobLink;

/// Content up to this size goes through the control plane: it is one call.
const SMALL_BYTES: u64 = 256 * 1024;
/// What is read from a file at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// The ways of a worker to blobs beside the control plane.
#[derive(Default)]
pub(crate) struct Ways {
    /// A blob store it was given itself.
    pub(crate) own: Option<Arc<dyn BlobStore>>,
    remote: OnceLock<Option<Remote>>,
}

impl Ways {
    pub(crate) fn new(own: Option<Arc<dyn BlobStore>>) -> Self {
        Self { own, remote: OnceLock::new() }
    }

    fn remote(&self) -> Option<&Remote> {
        self.remote.get_or_init(|| Remote::new().ok()).as_ref()
    }
}

/// Content that was set down.
pub(crate) struct SetDown {
    content: Content,
    bytes: u64,
    digest: Digest,
}

enum Content {
    File(std::fs::File),
    Memory(Bytes),
}

impl SetDown {
    /// Content that is in memory anyway.
    pub(crate) fn memory(bytes: Bytes) -> Self {
        Self { bytes: bytes.len() as u64, digest: Digest::of(&bytes), content: Content::Memory(bytes) }
    }

    /// Writes pieces to a file that nobody else can open and that ends with this process.
    pub(crate) async fn of(mut pieces: Pieces, folder: Option<&Path>, bytes_max: u64) -> Result<Self, Failure> {
        let file = match folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        let mut file = File::from_std(file.map_err(|error| unwritten(&error))?);
        let mut bytes = 0_u64;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            bytes += piece.len() as u64;
            if bytes > bytes_max {
                return Err(too_large(bytes_max));
            }
            file.write_all(&piece).await.map_err(|error| unwritten(&error))?;
        }
        file.flush().await.map_err(|error| unwritten(&error))?;
        let content = Content::File(file.into_std().await);
        let mut set_down = Self { content, bytes, digest: Digest::default() };
        let mut hasher = ContentHasher::new(bytes);
        let mut pieces = set_down.pieces()?;
        while let Some(piece) = pieces.next().await {
            hasher.add(&piece.map_err(|error| unwritten(&error))?);
        }
        set_down.digest = hasher.finish();
        Ok(set_down)
    }

    /// It, from its beginning. One reader at a time.
    fn pieces(&self) -> Result<stream::BoxStream<'static, Result<Bytes, std::io::Error>>, Failure> {
        let file = match &self.content {
            Content::Memory(bytes) => {
                let bytes = bytes.clone();
                return Ok(stream::once(async move { Ok(bytes) }).boxed());
            }
            Content::File(file) => file.try_clone().map_err(|error| unwritten(&error))?,
        };
        let begun = (File::from_std(file), false);
        let pieces = stream::try_unfold(begun, async |(mut file, begun)| {
            if !begun {
                file.rewind().await?;
            }
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            let read = file.read_buf(&mut piece).await?;
            Ok((read > 0).then(|| (piece.freeze(), (file, true))))
        });
        Ok(pieces.boxed())
    }
}

impl JobLink {
    /// Stores content by the shortest way; the control plane compares it with its reference.
    pub(crate) async fn upload(
        &self,
        place: BlobPlace,
        media_type: &str,
        content: SetDown,
    ) -> Result<BlobRef, Failure> {
        let (bytes, digest) = (content.bytes, content.digest);
        let upload = Upload { place, media_type: media_type.to_owned(), bytes, digest };
        if bytes > SMALL_BYTES {
            let opened = upload.clone();
            let ask = move |control: Arc<dyn baton_control::ControlPlane>, hold| {
                let upload = opened.clone();
                async move { control.open_upload(hold, upload).await }
            };
            let berth = self.repeat(ask).await?;
            if let Some(blob) = berth.blob {
                if berth.way == Way::There {
                    return Ok(blob);
                }
                if self.sent(&berth.way, &blob, &content).await?
                    && let Some(blob) = self.closed(upload.place.clone(), blob).await?
                {
                    return Ok(blob);
                }
            }
        }
        let content = Arc::new(content);
        let send = move |control: Arc<dyn baton_control::ControlPlane>, hold| {
            let (upload, pieces) = (upload.clone(), content.pieces());
            async move {
                let pieces = pieces.map_err(|failure| Error::Refused(failure.message))?;
                let pieces = pieces.map_err(|error| Error::Unavailable(error.to_string())).boxed();
                control.put_stream(hold, upload, pieces).await
            }
        };
        self.repeat(send).await
    }

    /// Sends content past the control plane; whether that could be done.
    async fn sent(&self, way: &Way, blob: &BlobRef, content: &SetDown) -> Result<bool, Failure> {
        let sent = match (way, &self.ways.own) {
            (Way::Direct | Way::Signed(_), Some(own)) => {
                let place = || "the content that was set down".to_owned();
                let read =
                    move |error: std::io::Error| baton_blobs::Error::Failed { place: place(), source: error.into() };
                put_pieces(own.as_ref(), &self.tenant, blob, content.pieces()?.map_err(read).boxed()).await
            }
            (Way::Signed(address), None) => match self.ways.remote() {
                Some(remote) => remote.put(address, blob.bytes, content.pieces()?).await,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        if let Err(error) = &sent {
            tracing::warn!(%error, "content goes through the control plane");
        }
        Ok(sent.is_ok())
    }

    /// Tells that content is there; `None` where the control plane does not find it, as where a
    /// folder is not shared after all.
    async fn closed(&self, place: BlobPlace, blob: BlobRef) -> Result<Option<BlobRef>, Failure> {
        let close = |control: Arc<dyn baton_control::ControlPlane>, hold| {
            let (place, blob) = (place.clone(), blob.clone());
            async move { control.close_upload(hold, place, blob).await }
        };
        match self.repeat(close).await {
            Ok(blob) => Ok(Some(blob)),
            Err(failure) if failure.code == "blob_refused" => {
                tracing::warn!("content is not found where it was put");
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Reads content by the shortest way, compared with its reference as it comes.
    pub(crate) async fn download(&self, blob: &BlobRef) -> Result<Pieces, Failure> {
        if blob.bytes > SMALL_BYTES {
            let ask = |control: Arc<dyn baton_control::ControlPlane>, hold| {
                let blob = blob.clone();
                async move { control.open_download(hold, blob).await }
            };
            let found = match (self.repeat(ask).await?, &self.ways.own) {
                (Way::Direct | Way::Signed(_), Some(own)) => {
                    content_pieces(own.as_ref(), &self.tenant, blob).await.ok()
                }
                (Way::Signed(address), None) => match self.ways.remote() {
                    Some(remote) => remote.get(&address).await.and_then(|pieces| compared_pieces(pieces, blob)).ok(),
                    None => None,
                },
                _ => None,
            };
            if let Some(pieces) = found {
                return Ok(pieces.map_err(|error| of_blobs(&error)).boxed());
            }
        }
        let get = |control: Arc<dyn baton_control::ControlPlane>, hold| {
            let blob = blob.clone();
            async move { control.get_stream(hold, blob).await }
        };
        Ok(self.repeat(get).await?.map_err(of_control).boxed())
    }
}

/// The failure of a result that is larger than a worker takes.
pub(crate) fn too_large(bytes_max: u64) -> Failure {
    Failure::permanent("result_too_large", format!("the content is larger than {bytes_max} bytes"))
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::transient("blob_failed", format!("content could not be set down: {error}"))
}

fn of_blobs(error: &baton_blobs::Error) -> Failure {
    match error {
        baton_blobs::Error::Failed { .. } => Failure::transient("blob_failed", error.to_string()),
        error => Failure::permanent("blob_refused", error.to_string()),
    }
}

fn of_control(error: Error) -> Failure {
    match error {
        Error::Unavailable(why) => Failure::transient("blob_failed", why),
        Error::Refused(why) => Failure::permanent("blob_refused", why),
    }
}
