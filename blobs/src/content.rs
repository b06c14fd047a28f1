//! Values by digest: what a [`BlobRef`] names is written and read here, and a value that
//! is not the one referred to is never handed out.

use baton_common::{BlobRef, Digest, TenantId};
use bytes::Bytes;

use crate::{BlobStore, Error, Key};

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
    let key = Key::of_content(digest);
    let blob =
        BlobRef { key: key.as_str().to_owned(), bytes: bytes.len() as u64, digest, media_type: media_type.to_owned() };
    if store.size(tenant, &key).await? != Some(blob.bytes) {
        store.put(tenant, &key, bytes).await?;
    }
    Ok(blob)
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
