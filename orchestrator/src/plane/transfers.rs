//! Large content that workers move themselves: where it is to lie, addresses for single blobs,
//! and the comparison of what lies there with its reference before it counts.

use std::time::Duration;

use baton_blobs::{Access, Key, Pieces as BlobPieces, berth, check_content, content_pieces, put_pieces, renewed};
use baton_common::job::Outcome;
use baton_common::{BlobRef, Digest, Failure, Hasher, Payload, TenantId};
use baton_control::{Berth, BlobPlace, Error, Hold, Pieces, Upload, Way};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::{file_key, from_blobs};
use crate::orchestrator::Inner;

/// The largest content that is taken.
const BLOB_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How long a signed address serves.
const SIGNED_FOR: Duration = Duration::from_secs(900);

impl Inner {
    pub(super) async fn open_upload(&self, hold: &Hold, upload: Upload) -> Result<Berth, Error> {
        let tenant = self.holder(hold)?;
        let (mut blob, there) = self.berth_of(&tenant, hold, &upload).await?;
        if there {
            return Ok(Berth { blob: Some(blob), way: Way::There });
        }
        // Whoever has the address may write there more than once: nobody else relies on that key.
        let own = match upload.place {
            BlobPlace::Value => Key::of_content_marked(upload.digest, mark_of(hold)),
            BlobPlace::Artifact(_) => Key::parse(&blob.key).map_err(|error| Error::Refused(error.to_string()))?,
        };
        let signed = self.blobs.signed(&tenant, &own, Access::Write, SIGNED_FOR).await.map_err(from_blobs)?;
        Ok(match signed {
            Some(address) => {
                own.as_str().clone_into(&mut blob.key);
                Berth { blob: Some(blob), way: Way::Signed(address) }
            }
            None => Berth { blob: Some(blob), way: Way::Direct },
        })
    }

    pub(super) async fn close_upload(&self, hold: &Hold, place: BlobPlace, blob: BlobRef) -> Result<BlobRef, Error> {
        let tenant = self.holder(hold)?;
        let expected = match &place {
            BlobPlace::Value => blob.key.starts_with(Key::of_content(blob.digest).as_str()),
            BlobPlace::Artifact(path) => file_key(hold.job.run, path).is_ok_and(|key| key.as_str() == blob.key),
        };
        if !expected {
            return Err(Error::Refused("the blob does not lie where this upload was to".to_owned()));
        }
        match place {
            BlobPlace::Value => self.prove(&tenant, &blob).await.map_err(from_blobs)?,
            BlobPlace::Artifact(path) => {
                check_content(self.blobs.as_ref(), &tenant, &blob).await.map_err(from_blobs)?;
                self.put_about(&tenant, hold.job.run, &path, &blob).await.map_err(from_blobs)?;
            }
        }
        Ok(blob)
    }

    pub(super) async fn open_download(&self, hold: &Hold, blob: &BlobRef) -> Result<Way, Error> {
        let tenant = self.holder(hold)?;
        let key = Key::parse(&blob.key).map_err(|error| Error::Refused(error.to_string()))?;
        let signed = self.blobs.signed(&tenant, &key, Access::Read, SIGNED_FOR).await.map_err(from_blobs)?;
        Ok(signed.map_or(Way::Direct, Way::Signed))
    }

    pub(super) async fn put_stream(&self, hold: &Hold, upload: Upload, pieces: Pieces) -> Result<BlobRef, Error> {
        let tenant = self.holder(hold)?;
        let (blob, there) = self.berth_of(&tenant, hold, &upload).await?;
        if !there {
            let pieces: BlobPieces = pieces.map_err(|error| unread(&error)).boxed();
            put_pieces(self.blobs.as_ref(), &tenant, &blob, pieces).await.map_err(from_blobs)?;
        }
        match upload.place {
            BlobPlace::Value => self.proven.lock().put((tenant, blob.key.clone()), blob.digest),
            BlobPlace::Artifact(path) => {
                self.put_about(&tenant, hold.job.run, &path, &blob).await.map_err(from_blobs)?;
            }
        }
        Ok(blob)
    }

    pub(super) async fn get_stream(&self, hold: &Hold, blob: &BlobRef) -> Result<Pieces, Error> {
        let tenant = self.holder(hold)?;
        let pieces = content_pieces(self.blobs.as_ref(), &tenant, blob).await.map_err(from_blobs)?;
        Ok(pieces.map_err(from_blobs).boxed())
    }

    /// Where content is to lie, and whether it is there.
    async fn berth_of(&self, tenant: &TenantId, hold: &Hold, upload: &Upload) -> Result<(BlobRef, bool), Error> {
        let Upload { place, media_type, bytes, digest } = upload;
        if *bytes > BLOB_BYTES_MAX {
            return Err(Error::Refused(format!("the blob has {bytes} bytes, at most {BLOB_BYTES_MAX} travel")));
        }
        match place {
            BlobPlace::Value => {
                let (blob, there) =
                    berth(self.blobs.as_ref(), tenant, media_type, *bytes, *digest).await.map_err(from_blobs)?;
                let there = there && self.prove(tenant, &blob).await.is_ok();
                Ok((blob, there))
            }
            BlobPlace::Artifact(path) => {
                let key = file_key(hold.job.run, path).map_err(|error| Error::Refused(error.to_string()))?;
                let key = key.as_str().to_owned();
                Ok((BlobRef { key, bytes: *bytes, digest: *digest, media_type: media_type.clone() }, false))
            }
        }
    }

    /// Whether what lies there is what the reference says. What this process has seen written or
    /// compared is not read again.
    async fn prove(&self, tenant: &TenantId, blob: &BlobRef) -> Result<(), baton_blobs::Error> {
        let name = (tenant.clone(), blob.key.clone());
        if self.proven.lock().get(&name) == Some(blob.digest) {
            return Ok(());
        }
        check_content(self.blobs.as_ref(), tenant, blob).await?;
        self.proven.lock().put(name, blob.digest);
        Ok(())
    }

    /// An outcome whose references hold. One that names something else, or nothing, becomes a
    /// failure.
    pub(super) async fn with_proven_blobs(&self, tenant: &TenantId, outcome: Outcome) -> Result<Outcome, Error> {
        let proven = match outcome {
            Outcome::Ok(Payload::Blob(blob)) => {
                Box::pin(self.proven_blob(tenant, blob)).await.map(|blob| Outcome::Ok(Payload::Blob(blob)))
            }
            Outcome::Ok(Payload::Inline(value)) => {
                let mut blobs = Vec::new();
                references(&value, &mut blobs);
                let mut held = Ok(());
                for blob in &blobs {
                    held = Box::pin(self.prove(tenant, blob)).await;
                    if held.is_err() {
                        break;
                    }
                }
                held.map(|()| Outcome::Ok(Payload::Inline(value)))
            }
            Outcome::Error(failure) => Ok(Outcome::Error(failure)),
        };
        match proven {
            Err(error @ baton_blobs::Error::Failed { .. }) => Err(from_blobs(error)),
            Err(error) => Ok(Outcome::Error(Failure::permanent("blob_refused", error.to_string()))),
            Ok(outcome) => Ok(outcome),
        }
    }

    async fn proven_blob(&self, tenant: &TenantId, blob: BlobRef) -> Result<BlobRef, baton_blobs::Error> {
        let blob = renewed(self.blobs.as_ref(), tenant, blob).await?;
        self.prove(tenant, &blob).await?;
        Ok(blob)
    }
}

/// What keeps the uploads of one attempt apart from all others.
fn mark_of(hold: &Hold) -> u64 {
    let Digest(bytes) = Hasher::new().field("upload").field(hold.job.to_string()).number(hold.fence.0).finish();
    u64::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
}

/// Every `{"$blob": …}` in a value.
fn references(value: &Value, found: &mut Vec<BlobRef>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => {
            let named = members.get("$blob").and_then(|blob| serde_json::from_value(blob.clone()).ok());
            found.extend(named);
            members.values().for_each(|member| references(member, found));
        }
        _ => {}
    }
}

/// What a stream of pieces says that broke on its way here.
fn unread(error: &Error) -> baton_blobs::Error {
    baton_blobs::Error::Failed { place: "an upload".to_owned(), source: error.to_string().into() }
}
