//! A blob that comes piece by piece: a small one is written at once, a larger one in parts,
//! of which one is in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _};

use crate::objects::failed;
use crate::store::Upload;
use crate::{Error, Key};

/// Services want parts of 5 MiB at least, but for the last one.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// An upload to an object store.
pub(crate) struct Parts {
    store: Arc<dyn ObjectStore>,
    place: Path,
    key: Key,
    held: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Parts {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, place: Path, key: Key) -> Self {
        Self { store, place, key, held: BytesMut::new(), upload: None }
    }

    async fn send(&mut self, part: Bytes) -> Result<(), object_store::Error> {
        if self.upload.is_none() {
            self.upload = Some(self.store.put_multipart(&self.place).await?);
        }
        match &mut self.upload {
            Some(upload) => upload.put_part(part.into()).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Upload for Parts {
    async fn write(&mut self, mut piece: Bytes) -> Result<(), Error> {
        while !piece.is_empty() {
            let room = PART_BYTES - self.held.len();
            self.held.extend_from_slice(&piece.split_to(room.min(piece.len())));
            if self.held.len() == PART_BYTES {
                let part = self.held.split().freeze();
                self.send(part).await.map_err(|error| failed(&self.key, error))?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Error> {
        let last = self.held.split().freeze();
        let finished = match &mut self.upload {
            None => self.store.put(&self.place, last.into()).await.map(|_| ()),
            Some(upload) => {
                let sent = if last.is_empty() { Ok(()) } else { upload.put_part(last.into()).await };
                match sent {
                    Ok(()) => upload.complete().await.map(|_| ()),
                    Err(error) => Err(error),
                }
            }
        };
        finished.map_err(|error| failed(&self.key, error))
    }

    async fn abort(mut self: Box<Self>) {
        if let Some(upload) = &mut self.upload {
            // Parts of an upload that nobody finishes are no blob; services drop them by a rule.
            let _ = upload.abort().await;
        }
    }
}
