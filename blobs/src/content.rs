//! Values by digest: what a [`BlobRef`] names is written and read here, and a value that
//! is not the one referred to is never handed out.

use std::time::{SystemTime, UNIX_EPOCH};

use baton_common::hash::ContentHasher;
use baton_common::{BlobRef, Digest, TenantId, Timestamp};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::store::Pieces;
use crate::{BlobStore, Entry, Error, Key};

/// Content that was written within this time is referred to again; what is older may be about
/// to be collected, and is written under another key. In milliseconds: an hour.
pub const REUSED_WITHIN_MS: u64 = 3_600_000;

/// Writes content under the key of its digest. Content that is there already is not
/// written again.
///
/// # Errors
/// When the store fails.
pub async fn put_content(
    store: &dyn BlobStore,
    tenant: &TenantId,
    media_type: &str,
    bytes: Bytes,
) -> Result<BlobRef, Error> {
    let digest = Digest::of(&bytes);
    let (blob, there) = berth(store, tenant, media_type, bytes.len() as u64, digest).await?;
    if !there {
        store.put(tenant, &Key::parse(&blob.key)?, bytes).await?;
    }
    Ok(blob)
}

/// Where content of that digest is to lie, and whether it is there already.
///
/// # Errors
/// When the store fails.
pub async fn berth(
    store: &dyn BlobStore,
    tenant: &TenantId,
    media_type: &str,
    bytes: u64,
    digest: Digest,
) -> Result<(BlobRef, bool), Error> {
    let named = |key: Key| BlobRef { key: key.as_str().to_owned(), bytes, digest, media_type: media_type.to_owned() };
    // A key carries the hour it was written in: when what lies there is old enough to be
    // collected, nobody writes or refers to that key any more, whoever collects it and how often.
    let moment = u64::try_from(now_ms()).unwrap_or_default();
    let key = Key::of_content_marked(digest, moment / REUSED_WITHIN_MS);
    match store.entry(tenant, &key).await? {
        Some(found) if found.bytes == bytes && is_young(&found) => Ok((named(key), true)),
        // Clocks that differ: what looks old is nobody's to refer to.
        Some(found) if found.bytes == bytes => Ok((named(Key::of_content_marked(digest, moment)), false)),
        _ => Ok((named(key), false)),
    }
}

fn is_young(entry: &Entry) -> bool {
    age_ms(entry.modified) < REUSED_WITHIN_MS
}

/// Writes what comes in pieces where its reference says, if it is what the reference says.
///
/// # Errors
/// When it is something else, when the pieces end with an error, or when the store fails.
pub async fn put_pieces(
    store: &dyn BlobStore,
    tenant: &TenantId,
    blob: &BlobRef,
    mut pieces: Pieces,
) -> Result<(), Error> {
    let key = Key::parse(&blob.key)?;
    let mut upload = store.upload(tenant, &key).await?;
    let mut hasher = ContentHasher::new(blob.bytes);
    let mut left = blob.bytes;
    let written = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            hasher.add(&piece);
            left = left.checked_sub(piece.len() as u64).ok_or_else(|| changed(&key, blob, &hasher))?;
            upload.write(piece).await?;
        }
        if left == 0 && hasher.finish() == blob.digest { Ok(()) } else { Err(changed(&key, blob, &hasher)) }
    }
    .await;
    match written {
        Ok(()) => upload.finish().await,
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

/// A reference to the same content that may be recorded now: what was written long ago and is
/// not yet recorded might be about to be collected, so it is copied.
///
/// # Errors
/// When nothing lies there, when it has another size, or when the store fails.
pub async fn renewed(store: &dyn BlobStore, tenant: &TenantId, blob: BlobRef) -> Result<BlobRef, Error> {
    let key = Key::parse(&blob.key)?;
    let found = store.entry(tenant, &key).await?.ok_or_else(|| Error::NotFound(key.clone()))?;
    if found.bytes != blob.bytes {
        return Err(Error::Changed { key, expected: blob.digest, found: Digest::default() });
    }
    if age_ms(found.modified) < REUSED_WITHIN_MS {
        return Ok(blob);
    }
    let (copy, there) = berth(store, tenant, &blob.media_type, blob.bytes, blob.digest).await?;
    if !there {
        let pieces = content_pieces(store, tenant, &blob).await?;
        put_pieces(store, tenant, &copy, pieces).await?;
    }
    Ok(copy)
}

/// Reads what a reference names and keeps none of it: whether it is what the reference says.
///
/// # Errors
/// When nothing lies there, when it is something else, or when the store fails.
pub async fn check_content(store: &dyn BlobStore, tenant: &TenantId, blob: &BlobRef) -> Result<(), Error> {
    let mut pieces = content_pieces(store, tenant, blob).await?;
    while let Some(piece) = pieces.next().await {
        piece?;
    }
    Ok(())
}

/// Reads what a reference names piece by piece. What is not what the reference says ends with
/// an error in place of its last piece.
///
/// # Errors
/// When nothing lies there or the store fails.
pub async fn content_pieces(store: &dyn BlobStore, tenant: &TenantId, blob: &BlobRef) -> Result<Pieces, Error> {
    let key = Key::parse(&blob.key)?;
    let pieces = store.stream(tenant, &key).await?;
    Ok(compared(pieces, key, blob))
}

/// Pieces from anywhere, compared with a reference as they come.
///
/// # Errors
/// When the reference is none.
pub fn compared_pieces(pieces: Pieces, blob: &BlobRef) -> Result<Pieces, Error> {
    Ok(compared(pieces, Key::parse(&blob.key)?, blob))
}

fn compared(pieces: Pieces, key: Key, blob: &BlobRef) -> Pieces {
    let hasher = ContentHasher::new(blob.bytes);
    let begun = Some((pieces, hasher, blob.bytes, key, blob.clone()));
    let checked = futures_util::stream::try_unfold(begun, async |state| {
        let Some((mut pieces, mut hasher, left, key, blob)) = state else { return Ok(None) };
        let Some(piece) = pieces.next().await.transpose()? else {
            return if left == 0 && hasher.finish() == blob.digest {
                Ok(None)
            } else {
                Err(changed(&key, &blob, &hasher))
            };
        };
        hasher.add(&piece);
        let Some(left) = left.checked_sub(piece.len() as u64) else { return Err(changed(&key, &blob, &hasher)) };
        if left == 0 && hasher.finish() != blob.digest {
            return Err(changed(&key, &blob, &hasher));
        }
        Ok(Some((piece, Some((pieces, hasher, left, key, blob)))))
    });
    checked.boxed()
}

fn changed(key: &Key, blob: &BlobRef, hasher: &ContentHasher) -> Error {
    Error::Changed { key: key.clone(), expected: blob.digest, found: hasher.finish() }
}

/// This machine's clock, which stands in for the blob store's.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(now_ms())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn age_ms(modified: Timestamp) -> u64 {
    Timestamp(now_ms()).since_ms(modified)
}

/// Reads what a reference names and compares it with the digest.
///
/// # Errors
/// When nothing lies there, when it is something else, or when the store fails.
pub async fn read_content(store: &dyn BlobStore, tenant: &TenantId, blob: &BlobRef) -> Result<Bytes, Error> {
    let key = Key::parse(&blob.key)?;
    let bytes = store.get(tenant, &key).await?;
    let found = Digest::of(&bytes);
    if found != blob.digest {
        return Err(Error::Changed { key, expected: blob.digest, found });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Objects;

    #[tokio::test]
    async fn a_changed_blob_is_never_handed_out() {
        let store = Objects::memory();
        let tenant = TenantId::local();
        let blob = put_content(&store, &tenant, "text/plain", Bytes::from_static(b"true")).await.unwrap();
        assert_eq!(read_content(&store, &tenant, &blob).await.unwrap(), "true");
        store.put(&tenant, &Key::parse(&blob.key).unwrap(), Bytes::from_static(b"fals")).await.unwrap();
        assert!(matches!(read_content(&store, &tenant, &blob).await, Err(Error::Changed { .. })));
    }

    #[tokio::test]
    async fn what_comes_in_pieces_is_kept_if_it_is_what_was_said() {
        let store = Objects::memory();
        let tenant = TenantId::local();
        let (blob, there) = berth(&store, &tenant, "text/plain", 4, Digest::of("true")).await.unwrap();
        assert!(!there);
        let said = |words: &'static [&'static str]| {
            futures_util::stream::iter(words.iter().map(|word| Ok(Bytes::from_static(word.as_bytes())))).boxed()
        };
        for other in [said(&["fal", "s"]), said(&["tru"]), said(&["tr", "uex"])] {
            let refused = put_pieces(&store, &tenant, &blob, other).await;
            assert!(matches!(refused, Err(Error::Changed { .. })), "{refused:?}");
            assert!(store.list(&tenant, None).await.unwrap().is_empty());
        }
        put_pieces(&store, &tenant, &blob, said(&["tr", "", "ue"])).await.unwrap();
        assert!(berth(&store, &tenant, "text/plain", 4, blob.digest).await.unwrap().1);
        check_content(&store, &tenant, &blob).await.unwrap();
        for other in ["fals", "tru", "truex"] {
            store.put(&tenant, &Key::parse(&blob.key).unwrap(), Bytes::from(other)).await.unwrap();
            assert!(matches!(check_content(&store, &tenant, &blob).await, Err(Error::Changed { .. })), "{other}");
        }
    }

    #[tokio::test]
    async fn content_that_may_be_about_to_be_collected_is_not_referred_to_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Objects::folder(folder.path()).unwrap();
        let tenant = TenantId::local();
        let put = async || put_content(&store, &tenant, "text/plain", Bytes::from_static(b"x")).await.unwrap();
        let first = put().await;
        assert_eq!(put().await, first, "what is young is stored once");
        let file = store.file(&tenant, &Key::parse(&first.key).unwrap()).unwrap();
        let long_ago = SystemTime::now() - std::time::Duration::from_millis(REUSED_WITHIN_MS + 1_000);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        let second = renewed(&store, &tenant, first.clone()).await.unwrap();
        assert_ne!(second.key, first.key);
        assert_ne!(put().await.key, first.key);
        assert_eq!(renewed(&store, &tenant, second.clone()).await.unwrap(), second);
        store.delete(&tenant, &Key::parse(&first.key).unwrap()).await.unwrap();
        assert_eq!(read_content(&store, &tenant, &second).await.unwrap(), "x");
        assert!(matches!(renewed(&store, &tenant, first).await, Err(Error::NotFound(_))));
    }

    #[tokio::test]
    async fn a_reference_cannot_name_a_place_outside() {
        let blob = BlobRef {
            key: "../t-other/values/x".to_owned(),
            bytes: 1,
            digest: Digest::of("x"),
            media_type: "text/plain".to_owned(),
        };
        let answer = read_content(&Objects::memory(), &TenantId::local(), &blob).await;
        assert!(matches!(answer, Err(Error::Key(_))));
    }
}
